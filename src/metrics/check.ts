/**
 * Checks the arguments of the metrics: shapes, 0/1 labels, finite scores, thresholds, bootstrap settings.
 * Each failure names the argument, what was expected and what was received, with the first offending position.
 */
import { checkArgument, checkFields, integer, isNumbers, rule, show, type Rule } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import type { ErrorCode } from '../base/errors';
import { isExclusive, isTask, TASKS } from '../base/task';
import { rankedBy } from './ranking';
import type { Predictions } from './types';

/** Bootstrap settings; every field has a default. */
export interface ConfidenceOptions {
  /** Number of resamples, 1 to 100,000; default 2,000. */
  resamples?: number;
  /** Seed of the resampling, an integer from 0; default 0. */
  seed?: number;
  /** Share of resamples inside each interval, between 0 and 1; default 0.95. */
  level?: number;
}

/** The threshold where none was given or tuned. */
export const DEFAULT_THRESHOLD = 0.5;
const MAX_RESAMPLES = 100_000;
/** Probabilities may have been stored with the digits of a 16-bit float. */
const HALF_PRECISION = 1e-3;
/** How far rounding takes a probability above 1 or below 0: some units in the last place of a 16-bit float. */
const ROUNDED = 4e-3;

const TASK = rule(TASKS.join(', '), isTask);
const NUMBERS = rule('a typed array of numbers', isNumbers);
const LOSS = rule('a finite number, or null when it is infinite', (value) => value === null || Number.isFinite(value));
const CONFIDENCE: Readonly<Record<keyof ConfidenceOptions, Rule>> = {
  resamples: integer(1, MAX_RESAMPLES),
  seed: integer(0),
  level: rule('a number between 0 and 1', (value) => typeof value === 'number' && value > 0 && value < 1),
};

function fail(code: ErrorCode, found: string, needed: string, next: string): never {
  throw new ChestMnistError(code, { found, needed, next });
}

const place = (index: number, labelCount: number): string =>
  `image ${Math.floor(index / labelCount)}, label ${index % labelCount}`;

/** An array of numbers, which may be NaN or infinite. ERR_DATA_SHAPE. */
export function checkNumbers(name: string, values: unknown): void {
  checkArgument(name, values, NUMBERS, 'ERR_DATA_SHAPE');
  // The values of a typed array are numbers.
  const wrong = Array.isArray(values) ? values.findIndex((value) => typeof value !== 'number') : -1;
  if (wrong >= 0) {
    fail(
      'ERR_DATA_SHAPE',
      `${name} holds ${show((values as unknown[])[wrong])} at ${wrong}`,
      'numbers',
      `correct ${name}`,
    );
  }
}

export function checkLabelCount(labelCount: unknown): void {
  if (!Number.isSafeInteger(labelCount) || (labelCount as number) < 1) {
    fail('ERR_DATA_SHAPE', `labelCount is ${show(labelCount)}`, 'an integer from 1', 'pass the number of columns');
  }
}

/** The truth as an array of 0 and 1, and as many `values`. */
export function checkTruth(truth: unknown, values: ArrayLike<unknown>, name: string, labelCount = 1): void {
  checkArgument('truth', truth, NUMBERS, 'ERR_DATA_SHAPE');
  const labels = truth as ArrayLike<unknown>;
  if (labels.length !== values.length) {
    fail(
      'ERR_DATA_SHAPE',
      `truth has ${labels.length} values, ${name} has ${values.length}`,
      `truth and ${name} of one shape [N, L]`,
      `pass truth and ${name} of the same images and labels`,
    );
  }
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== 0 && labels[i] !== 1) {
      fail(
        'ERR_DATA_SHAPE',
        `truth holds ${show(labels[i])} (${place(i, labelCount)})`,
        '0 or 1',
        'pass the true labels as 0/1, one column per label',
      );
    }
  }
}

/** Whole rows of `labelCount`; returns their number, at least 1. `name` is that of the values in messages. */
export function checkRows(values: ArrayLike<unknown>, labelCount: number, name: string): number {
  checkLabelCount(labelCount);
  if (values.length === 0 || values.length % labelCount !== 0) {
    fail(
      'ERR_DATA_SHAPE',
      `${name} has ${values.length} values for ${labelCount} labels`,
      `at least one image and a multiple of ${labelCount} values`,
      'pass whole rows, [N, L] in C order',
    );
  }
  return values.length / labelCount;
}

/** The argument that holds the arrays is an object. ERR_DATA_SHAPE. */
export function checkInput(input: unknown): void {
  const fields = rule('an object with truth, scores and labelCount', (value) => typeof value === 'object' && !!value);
  checkArgument('input', input, fields, 'ERR_DATA_SHAPE');
}

/** The option is called `threshold`: under another name it would be ignored, and 0.5 used. ERR_CONFIG. */
export function checkName(input: object): void {
  if ('thresholds' in input && !('threshold' in input))
    fail('ERR_CONFIG', 'the field thresholds', 'threshold: one for all labels, or one per label', 'rename it');
}

/**
 * Checks shapes, labels and finiteness; returns N. Scores may be any finite number (ranking needs no more). `name` is
 * the name of the scores in messages, `logitsName` that of the logits.
 */
export function checkPredictions(input: Predictions, name = 'scores', logitsName = 'logits'): number {
  checkInput(input);
  const { task, truth, scores, logits, labelCount, loss } = input;
  if (task !== undefined) checkArgument('task', task, TASK);
  checkLabelCount(labelCount);
  checkArgument(name, scores, NUMBERS, 'ERR_DATA_SHAPE');
  checkTruth(truth, scores, name, labelCount);
  const count = checkRows(truth, labelCount, 'truth');
  if (loss !== undefined) checkArgument('loss', loss, LOSS, 'ERR_DATA_CORRUPT');
  if (isExclusive(task)) checkExclusive(truth, labelCount);
  checkFinite(scores, name, labelCount);
  if (logits !== undefined) {
    checkArgument(logitsName, logits, NUMBERS, 'ERR_DATA_SHAPE');
    checkTruth(truth, logits, logitsName, labelCount);
    checkFinite(logits, logitsName, labelCount);
  }
  return count;
}

/** One 1 in each row. */
export function checkExclusive(truth: ArrayLike<number>, labelCount: number): void {
  for (let start = 0; start < truth.length; start += labelCount) {
    let positives = 0;
    for (let i = start; i < start + labelCount; i++) positives += truth[i];
    if (positives === 1) continue;
    fail(
      'ERR_DATA_SHAPE',
      `truth has ${positives} classes for image ${start / labelCount}`,
      'exactly one 1 in each row, that of its class',
      'pass the true classes one-hot, or leave the task out where an image may have several labels',
    );
  }
}

/** Probabilities of exclusive labels add up to 1, as far as the digits of a 16-bit float allow. */
function checkSums(scores: ArrayLike<number>, name: string, labelCount: number): void {
  for (let start = 0; start < scores.length; start += labelCount) {
    let sum = 0;
    for (let i = start; i < start + labelCount; i++) sum += scores[i];
    if (Math.abs(sum - 1) <= ROUNDED) continue;
    fail(
      'ERR_DATA_CORRUPT',
      `${name} of image ${start / labelCount} add up to ${sum}`,
      'the probabilities of the classes, which add up to 1',
      'pass logits through softmax(), or name the array `logits` in the file',
    );
  }
}

export function checkFinite(scores: ArrayLike<number>, name: string, labelCount: number): void {
  for (let i = 0; i < scores.length; i++) {
    if (!Number.isFinite(scores[i])) {
      fail(
        'ERR_DATA_CORRUPT',
        `${name} holds ${show(scores[i])} (${place(i, labelCount)})`,
        'finite scores',
        'look for the NaN or infinity in the model or in the file',
      );
    }
  }
}

/** Like checkPredictions; scores must also be probabilities, and those of the logits. */
export function checkProbabilities(input: Predictions, name = 'scores', logitsName = 'logits'): number {
  const count = checkPredictions(input, name, logitsName);
  const { task, scores, logits, labelCount } = input;
  checkRange(scores, name, labelCount);
  if (isExclusive(task)) checkSums(scores, name, labelCount);
  // The sigmoid of the log-odds of a class is its softmax.
  const odds = rankedBy(input);
  for (let i = 0; logits !== undefined && i < logits.length; i++) {
    if (Math.abs(1 / (1 + Math.exp(-odds[i])) - scores[i]) > HALF_PRECISION) {
      fail(
        'ERR_DATA_CORRUPT',
        `${name} holds ${scores[i]}, ${logitsName} ${logits[i]} (${place(i, labelCount)})`,
        `${name} that are the ${isExclusive(task) ? 'softmax' : 'sigmoid'} of ${logitsName}`,
        `pass ${name} alone, or the logits that belong to them`,
      );
    }
  }
  return count;
}

/** Probabilities from 0 to 1; NaN is none. */
export function checkRange(scores: ArrayLike<number>, name: string, labelCount: number): void {
  for (let i = 0; i < scores.length; i++) {
    if (!(scores[i] >= 0 && scores[i] <= 1)) {
      const isRounded = Array.prototype.every.call(scores, (score) => score >= -ROUNDED && score <= 1 + ROUNDED);
      fail(
        'ERR_DATA_CORRUPT',
        `${name} holds ${scores[i]} (${place(i, labelCount)})${isRounded ? ', as rounding makes of probabilities' : ''}`,
        'probabilities from 0 to 1',
        isRounded
          ? 'cut them off at 0 and 1: numpy.clip(scores, 0, 1), or Math.min(1, Math.max(0, score))'
          : 'pass logits through sigmoid(), or name the array `logits` in the file',
      );
    }
  }
}

/**
 * The thresholds of a task: those given, or undefined where the decision is the most probable class, which knows none but
 * the usual 0.5. Throws ERR_CONFIG.
 */
export function thresholdsFor(
  { task, labelCount }: Pick<Predictions, 'task' | 'labelCount'>,
  threshold: number | ArrayLike<number>,
): Float64Array | undefined {
  if (!isExclusive(task)) return checkThresholds(threshold, labelCount);
  if (threshold === DEFAULT_THRESHOLD) return undefined;
  fail(
    'ERR_CONFIG',
    `thresholds for ${task}`,
    'none: the decision is the most probable class',
    'leave the thresholds out',
  );
}

/** One threshold per label, from a scalar or a list of labelCount numbers from 0 to 1. */
export function checkThresholds(threshold: number | ArrayLike<number>, labelCount: number): Float64Array {
  const one = typeof threshold === 'number';
  if (!one) checkArgument('threshold', threshold, rule('a number, or an array of numbers', isNumbers));
  const length = one ? labelCount : threshold.length;
  if (length !== labelCount) {
    fail(
      'ERR_CONFIG',
      `${length} thresholds for ${labelCount} labels`,
      `one threshold, or ${labelCount}`,
      'use thresholds tuned on the same labels',
    );
  }
  const values: ArrayLike<unknown> = one ? [threshold] : threshold;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!(typeof value === 'number' && value >= 0 && value <= 1)) {
      fail('ERR_CONFIG', `threshold ${show(value)} (label ${i})`, 'a number from 0 to 1', 'correct it');
    }
  }
  return one ? new Float64Array(labelCount).fill(threshold) : Float64Array.from(threshold);
}

export function checkConfidence(options: ConfidenceOptions): Required<ConfidenceOptions> {
  checkFields('confidence', options, CONFIDENCE);
  const { resamples = 2000, seed = 0, level = 0.95 } = options;
  return { resamples, seed, level };
}
