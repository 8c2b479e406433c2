/**
 * Checks the arguments of the metrics: shapes, 0/1 labels, finite scores, thresholds, bootstrap settings.
 * Each failure names the argument, what was expected and what was received, with the first offending position.
 */
import { ChestMnistError } from '../base/errors';
import type { ErrorCode } from '../base/errors';
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

function fail(code: ErrorCode, found: string, needed: string, next: string): never {
  throw new ChestMnistError(code, { found, needed, next });
}

const place = (index: number, labelCount: number): string =>
  `image ${Math.floor(index / labelCount)}, label ${index % labelCount}`;

/**
 * Checks shapes, labels and finiteness; returns N. Scores may be any finite number (ranking needs no more). `name` is
 * the name of the scores in messages.
 */
export function checkPredictions({ truth, scores, labelCount }: Predictions, name = 'scores'): number {
  if (!Number.isInteger(labelCount) || labelCount < 1) {
    fail('ERR_DATA_SHAPE', `labelCount is ${labelCount}`, 'an integer from 1', 'pass the number of columns');
  }
  if (truth.length !== scores.length) {
    fail(
      'ERR_DATA_SHAPE',
      `truth has ${truth.length} values, ${name} has ${scores.length}`,
      'truth and scores of one shape [N, L]',
      'pass truth and scores of the same images and labels',
    );
  }
  if (truth.length === 0 || truth.length % labelCount !== 0) {
    fail(
      'ERR_DATA_SHAPE',
      `truth has ${truth.length} values for ${labelCount} labels`,
      `at least one image and a multiple of ${labelCount} values`,
      'pass whole rows, [N, L] in C order',
    );
  }
  for (let i = 0; i < truth.length; i++) {
    if (truth[i] > 1) {
      fail(
        'ERR_DATA_SHAPE',
        `truth holds ${truth[i]} (${place(i, labelCount)})`,
        '0 or 1',
        'pass the true labels as 0/1, one column per label',
      );
    }
    if (!Number.isFinite(scores[i])) {
      fail(
        'ERR_DATA_CORRUPT',
        `${name} holds ${scores[i]} (${place(i, labelCount)})`,
        'finite scores',
        'look for the NaN or infinity in the model or in the file',
      );
    }
  }
  return truth.length / labelCount;
}

/** Like checkPredictions; scores must also be probabilities. */
export function checkProbabilities(input: Predictions, name = 'scores'): number {
  const count = checkPredictions(input, name);
  const { scores, labelCount } = input;
  for (let i = 0; i < scores.length; i++) {
    if (scores[i] < 0 || scores[i] > 1) {
      fail(
        'ERR_DATA_CORRUPT',
        `${name} holds ${scores[i]} (${place(i, labelCount)})`,
        'probabilities from 0 to 1',
        'pass logits through sigmoid(), or name the array `logits` in the file',
      );
    }
  }
  return count;
}

/** One threshold per label, from a scalar or a list of labelCount numbers from 0 to 1. */
export function checkThresholds(threshold: number | ArrayLike<number>, labelCount: number): Float64Array {
  const thresholds =
    typeof threshold === 'number' ? new Float64Array(labelCount).fill(threshold) : Float64Array.from(threshold);
  if (thresholds.length !== labelCount) {
    fail(
      'ERR_CONFIG',
      `${thresholds.length} thresholds for ${labelCount} labels`,
      `one threshold, or ${labelCount}`,
      'use thresholds tuned on the same labels',
    );
  }
  const wrong = thresholds.findIndex((value) => !(value >= 0 && value <= 1));
  if (wrong >= 0) {
    fail('ERR_CONFIG', `threshold ${thresholds[wrong]} (label ${wrong})`, 'a number from 0 to 1', 'correct it');
  }
  return thresholds;
}

export function checkConfidence(options: ConfidenceOptions): Required<ConfidenceOptions> {
  const { resamples = 2000, seed = 0, level = 0.95 } = options;
  if (!Number.isInteger(resamples) || resamples < 1 || resamples > MAX_RESAMPLES) {
    fail('ERR_CONFIG', `resamples is ${resamples}`, `an integer from 1 to ${MAX_RESAMPLES}`, 'use the default, 2000');
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    fail('ERR_CONFIG', `seed is ${seed}`, 'an integer from 0', 'use the default, 0');
  }
  if (!(level > 0 && level < 1)) {
    fail('ERR_CONFIG', `level is ${level}`, 'a number between 0 and 1', 'use the default, 0.95');
  }
  return { resamples, seed, level };
}
