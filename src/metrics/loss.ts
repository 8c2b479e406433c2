/**
 * Converts logits to probabilities and to the loss, in double precision for any input type, so that neither overflows.
 * The losses are PyTorch's BCEWithLogitsLoss with its default mean over all images and labels, and CrossEntropyLoss with its
 * mean over all images.
 */
import { isExclusive, type Task } from '../base/task';
import { checkExclusive, checkLabelCount, checkNumbers, checkRange, checkRows, checkTruth } from './check';
import { logOdds } from './log-odds';
import type { Figure, Predictions } from './types';

/** The probabilities of logits [N, L]: by a softmax over exclusive labels, else by a sigmoid. Errors as those. */
export const scoresOf = (
  task: Task | undefined,
  logits: Float32Array | Float64Array,
  labelCount: number,
): Float64Array => (isExclusive(task) ? softmax(logits, labelCount) : sigmoid(logits));

/** The predictions that logits are, with their loss. `truth` [N, L] is 0 or 1. Throws ERR_DATA_SHAPE. */
export function predictionsOf<Logits extends Float32Array | Float64Array>(
  task: Task | undefined,
  { truth, logits, labelCount }: { truth: Uint8Array; logits: Logits; labelCount: number },
): Predictions & { logits: Logits; loss: number } {
  const loss = isExclusive(task) ? crossEntropyWithLogits(logits, truth, labelCount) : bceWithLogits(logits, truth);
  return { ...(task && { task }), labelCount, truth, logits, scores: scoresOf(task, logits, labelCount), loss };
}

/** 1 / (1 + exp(-x)) for each logit, any shape; values from 0 to 1. NaN stays NaN. Throws ERR_DATA_SHAPE for no numbers. */
export function sigmoid(logits: Float32Array | Float64Array): Float64Array {
  checkNumbers('logits', logits);
  const scores = new Float64Array(logits.length);
  for (let i = 0; i < logits.length; i++) {
    // exp of a negative number only, so that it cannot overflow and small scores keep their digits.
    const small = Math.exp(-Math.abs(logits[i]));
    scores[i] = (logits[i] >= 0 ? 1 : small) / (1 + small);
  }
  return scores;
}

/**
 * exp(x) over the sum of exp of its row, [N, L] row-major; values from 0 to 1. NaN where a logit of the row is NaN. Throws
 * ERR_DATA_SHAPE.
 */
export function softmax(logits: Float32Array | Float64Array, labelCount: number): Float64Array {
  checkNumbers('logits', logits);
  checkRows(logits, labelCount, 'logits');
  const scores = new Float64Array(logits.length);
  for (let start = 0; start < logits.length; start += labelCount) {
    let most = -Infinity;
    for (let i = start; i < start + labelCount; i++) most = Math.max(most, logits[i]);
    let sum = 0;
    for (let i = start; i < start + labelCount; i++) sum += scores[i] = Math.exp(logits[i] - most);
    for (let i = start; i < start + labelCount; i++) scores[i] /= sum;
  }
  return scores;
}

/**
 * Mean binary cross-entropy of logits against 0/1 labels of the same length, in nats. NaN for empty input, and where a
 * logit is NaN. Throws ERR_DATA_SHAPE.
 */
export function bceWithLogits(logits: Float32Array | Float64Array, truth: Uint8Array): number {
  checkNumbers('logits', logits);
  checkTruth(truth, logits, 'logits');
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const x = logits[i];
    sum += Math.max(x, 0) - (truth[i] === 1 ? x : 0) + Math.log1p(Math.exp(-Math.abs(x)));
  }
  return sum / logits.length;
}

/**
 * The same from probabilities; null when a true value has probability 0 (an infinite loss) or the input is empty. Throws
 * ERR_DATA_SHAPE, or ERR_DATA_CORRUPT for scores outside 0..1.
 */
export function bceWithScores(scores: Float32Array | Float64Array, truth: Uint8Array): Figure {
  checkNumbers('scores', scores);
  checkTruth(truth, scores, 'scores');
  checkRange(scores, 'scores', 1);
  let sum = 0;
  for (let i = 0; i < scores.length; i++) sum -= truth[i] === 1 ? Math.log(scores[i]) : Math.log1p(-scores[i]);
  return Number.isFinite(sum) && scores.length > 0 ? sum / scores.length : null;
}

/** Numbers and a truth of whole rows, or none at all, each row of the truth with one 1. */
function checkClasses(values: ArrayLike<number>, truth: Uint8Array, labelCount: number, name: string): void {
  checkNumbers(name, values);
  checkLabelCount(labelCount);
  checkTruth(truth, values, name, labelCount);
  if (values.length > 0) checkRows(values, labelCount, name);
  checkExclusive(truth, labelCount);
}

/**
 * Mean cross-entropy of the softmax of logits [N, L] against the one 1 in each row of `truth`, in nats. NaN for empty input,
 * and where a logit is NaN. Throws ERR_DATA_SHAPE, also for other rows.
 */
export function crossEntropyWithLogits(
  logits: Float32Array | Float64Array,
  truth: Uint8Array,
  labelCount: number,
): number {
  checkClasses(logits, truth, labelCount, 'logits');
  const odds = logOdds(logits, labelCount);
  let sum = 0;
  for (let i = 0; i < odds.length; i++) {
    // -log(p) of p = 1 / (1 + exp(-x)).
    if (truth[i] === 1) sum += Math.max(-odds[i], 0) + Math.log1p(Math.exp(-Math.abs(odds[i])));
  }
  return (sum / logits.length) * labelCount;
}

/** The same from probabilities; null when a true class has probability 0, or the input is empty. Errors as bceWithScores. */
export function crossEntropyWithScores(
  scores: Float32Array | Float64Array,
  truth: Uint8Array,
  labelCount: number,
): Figure {
  checkClasses(scores, truth, labelCount, 'scores');
  checkRange(scores, 'scores', labelCount);
  let sum = 0;
  for (let i = 0; i < scores.length; i++) if (truth[i] === 1) sum -= Math.log(scores[i]);
  return Number.isFinite(sum) && scores.length > 0 ? (sum / scores.length) * labelCount : null;
}
