/**
 * Decision thresholds tuned per label, on validation scores only. A rule picks a cut between two adjacent distinct
 * scores; the threshold is their midpoint, so that the strict `score > threshold` is not decided by rounding.
 * Candidates run from "nothing" (above the highest score) down. Among equally good cuts the highest threshold wins: it
 * predicts the fewest positives.
 */
import { checkArgument, show, TEXT } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import {
  checkFinite,
  checkInput,
  checkNumbers,
  checkProbabilities,
  checkRows,
  checkTruth,
  DEFAULT_THRESHOLD,
  thresholdsFor,
} from './check';
import { isExclusive, type Task } from '../base/task';
import { highest } from './classes';
import { cutPoints } from './curves';
import type { CutPoints } from './curves';
import type { Predictions, ThresholdRule } from './types';

const SENSITIVITY = /^val-sensitivity=\+?((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i;
const sensitivityOf = (rule: string): number => Number(SENSITIVITY.exec(rule)?.[1] ?? NaN);

/**
 * The rule that `text` names: `val-f1`, `val-youden` or `val-sensitivity=S` with 0 < S <= 1, where S is written as
 * JavaScript writes the number, so that 0.90, .9 and 9e-1 are one rule. Throws ERR_CONFIG for anything else.
 */
export function parseThresholdRule(text: string): ThresholdRule {
  if (text === 'val-f1' || text === 'val-youden') return text;
  const sensitivity = typeof text === 'string' ? sensitivityOf(text) : NaN;
  if (sensitivity > 0 && sensitivity <= 1) return `val-sensitivity=${sensitivity}`;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `threshold rule ${show(text)}`,
    needed: 'val-f1, val-youden or val-sensitivity=S with S above 0 and at most 1',
    next: 'for example val-sensitivity=0.9',
  });
}

/**
 * The thresholds in the text of a JSON file: a number, an array of them, or an object with either under `thresholds`.
 * Throws ERR_CONFIG; the number of labels and the range are checked where the thresholds are used.
 */
export function parseThresholds(text: string): number | number[] {
  checkArgument('text', text, TEXT);
  try {
    return thresholdsIn(JSON.parse(text.replace(/^\ufeff/, '')));
  } catch (cause) {
    if (cause instanceof ChestMnistError) throw cause;
    throw refused(`thresholds that are not JSON (${(cause as Error).message})`, cause);
  }
}

/** The same for the value in such a file. */
export function thresholdsIn(value: unknown): number | number[] {
  const given = typeof value === 'object' && value !== null && 'thresholds' in value ? value.thresholds : value;
  if (typeof given === 'number') return given;
  if (Array.isArray(given) && given.every((item) => typeof item === 'number')) return given;
  throw refused(`thresholds ${show(given)}`);
}

const refused = (found: string, cause?: unknown): ChestMnistError =>
  new ChestMnistError(
    'ERR_CONFIG',
    {
      found,
      needed: 'JSON: a number, an array with one number per label, or {"thresholds": [...]}',
      next: 'write for example {"thresholds": [0.1, 0.2]}',
    },
    { cause },
  );

/** Index of the best cut (0 is the highest score, -1 is "nothing"); gain(-1) is the gain of predicting nothing. */
function bestCut(cuts: CutPoints, gain: (truePositives: number, falsePositives: number) => number): number {
  let best = -1;
  let bestGain = gain(0, 0);
  // A score of 0 is never above a threshold, so a cut at 0 changes nothing.
  for (let i = 0; i < cuts.thresholds.length && cuts.thresholds[i] > 0; i++) {
    const value = gain(cuts.truePositives[i], cuts.falsePositives[i]);
    if (value > bestGain) {
      best = i;
      bestGain = value;
    }
  }
  return best;
}

function chooseCut(rule: ThresholdRule, cuts: CutPoints, positives: number, negatives: number): number {
  if (rule === 'val-f1') return bestCut(cuts, (tp, fp) => (2 * tp) / (tp + fp + positives));
  // Youden's J times positives times negatives: integers, so equal cuts compare equal.
  if (rule === 'val-youden') return bestCut(cuts, (tp, fp) => tp * negatives - fp * positives);
  const wanted = sensitivityOf(rule);
  return cuts.truePositives.findIndex((tp) => tp / positives >= wanted);
}

/** The threshold between cut `cut` and the scores below it, so that score > threshold is exactly score >= cut. */
function thresholdAt(cuts: CutPoints, cut: number): number {
  const above = cut < 0 ? 1 : cuts.thresholds[cut];
  // Below the lowest score lies 0, above the highest 1.
  const below = cuts.thresholds[cut + 1] ?? 0;
  const middle = below + (above - below) / 2;
  return middle < above ? middle : below;
}

/** Whether the rule can be applied to a label with these counts. Youden's J needs a negative too. */
const isTunable = (rule: ThresholdRule, positives: number, negatives: number): boolean =>
  positives > 0 && (rule !== 'val-youden' || negatives > 0);

/**
 * One threshold per label, tuned by `rule` on validation predictions (probabilities, [N, L] row-major):
 * - `val-f1`: the highest F1;
 * - `val-youden`: the highest recall + specificity - 1;
 * - `val-sensitivity=S`: the highest threshold whose recall is at least S, else 0 (positives that score exactly 0).
 *
 * A label without positives (for `val-youden` also one without negatives) keeps 0.5: see untunedLabels.
 * Throws ERR_CONFIG for another rule, ERR_DATA_SHAPE or ERR_DATA_CORRUPT for the predictions.
 */
export function tuneThresholds(rule: ThresholdRule, input: Predictions): number[] {
  parseThresholdRule(rule);
  checkProbabilities(input);
  // Refused, as given ones are.
  thresholdsFor(input, isExclusive(input.task) ? NaN : DEFAULT_THRESHOLD);
  return Array.from({ length: input.labelCount }, (_, label) => {
    const cuts = cutPoints(input.truth, input.scores, input.labelCount, label);
    const positives = cuts.truePositives.at(-1)!;
    const negatives = cuts.falsePositives.at(-1)!;
    if (!isTunable(rule, positives, negatives)) return DEFAULT_THRESHOLD;
    return thresholdAt(cuts, chooseCut(rule, cuts, positives, negatives));
  });
}

/**
 * Indices of the labels that tuneThresholds leaves at 0.5, for lack of positives or negatives. Throws ERR_CONFIG for
 * another rule, ERR_DATA_SHAPE for the truth.
 */
export function untunedLabels(rule: ThresholdRule, input: Pick<Predictions, 'truth' | 'labelCount'>): number[] {
  parseThresholdRule(rule);
  checkInput(input);
  const { truth, labelCount } = input;
  checkTruth(truth, truth, 'truth', labelCount);
  checkRows(truth, labelCount, 'truth');
  const positives = new Float64Array(labelCount);
  for (let i = 0; i < truth.length; i++) positives[i % labelCount] += truth[i];
  const count = truth.length / labelCount;
  return [...positives.keys()].filter((label) => !isTunable(rule, positives[label], count - positives[label]));
}

/**
 * The decisions score > threshold (strict), [N, L] of 0 or 1; of a task with exclusive labels, 1 for the most probable class.
 * Throws ERR_CONFIG for wrong thresholds, ERR_DATA_SHAPE for scores that are no [N, L], ERR_DATA_CORRUPT for scores that are
 * not finite.
 */
export function decide(
  scores: Float64Array | Float32Array,
  labelCount: number,
  threshold: number | ArrayLike<number> = DEFAULT_THRESHOLD,
  task?: Task,
): Uint8Array {
  checkNumbers('scores', scores);
  checkRows(scores, labelCount, 'scores');
  checkFinite(scores, 'scores', labelCount);
  return decisionsOf({ scores, labelCount }, thresholdsFor({ task, labelCount }, threshold));
}

/** The same for checked predictions; without thresholds, for the most probable class. */
export function decisionsOf(
  { scores, labelCount }: Pick<Predictions, 'scores' | 'labelCount'>,
  thresholds: Float64Array | undefined,
): Uint8Array {
  const decisions = new Uint8Array(scores.length);
  if (thresholds) {
    for (let i = 0; i < scores.length; i++) decisions[i] = scores[i] > thresholds[i % labelCount] ? 1 : 0;
  } else highest(scores, labelCount).forEach((label, image) => (decisions[image * labelCount + label] = 1));
  return decisions;
}
