/**
 * Figures that depend only on the order of the scores: ROC AUC and average precision, as scikit-learn defines them
 * (a tied pair counts one half in the AUC; average precision is the step-wise sum). Both come from sorted scores by
 * counting; no curve is built. The curves for drawing are in curves.ts.
 */
import { isExclusive } from '../base/task';
import { logOdds } from './log-odds';
import type { Predictions } from './types';

/**
 * What orders the images: the logits where they are known, or those of each class against the rest, since a sigmoid and a
 * softmax round different ones to one probability.
 */
export function rankedBy({
  task,
  logits,
  scores,
  labelCount,
}: Omit<Predictions, 'truth' | 'loss'>): Float64Array | Float32Array {
  if (logits === undefined) return scores;
  return isExclusive(task) ? logOdds(logits, labelCount) : logits;
}

/** NaN where undefined: the AUC without a positive or a negative, the average precision without a positive. */
export interface RankValues {
  auc: number;
  averagePrecision: number;
}

/** The scores of one label, ascending: all of them, and those of its positives. */
export interface SortedColumn {
  all: Float64Array;
  positives: Float64Array;
}

/**
 * Sorts in place. Non-negative doubles have the order of their bits, and V8 sorts integers much faster than doubles,
 * which need checks for NaN and -0.
 */
function sortAscending(values: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  let isNegative = false;
  for (let i = 0; i < values.length; i++) isNegative ||= values[i] < 0 || (values[i] === 0 && 1 / values[i] < 0);
  if (isNegative) values.sort();
  else new BigUint64Array(values.buffer).sort();
  return values;
}

/** Label `label` of [N, L] row-major predictions, sorted. */
export function sortColumn(
  truth: Uint8Array,
  scores: Float64Array | Float32Array,
  labelCount: number,
  label: number,
): SortedColumn {
  const all = new Float64Array(truth.length / labelCount);
  const positives = new Float64Array(all.length);
  let positiveCount = 0;
  for (let i = 0, at = label; i < all.length; i++, at += labelCount) {
    all[i] = scores[at]!;
    if (truth[at] === 1) positives[positiveCount++] = scores[at]!;
  }
  return { all: sortAscending(all), positives: sortAscending(positives.slice(0, positiveCount)) };
}

/** The positives of several columns together, ascending, for micro averages. */
export function mergePositives(columns: readonly SortedColumn[]): Float64Array {
  const merged = new Float64Array(columns.reduce((total, column) => total + column.positives.length, 0));
  let at = 0;
  for (const { positives } of columns) {
    merged.set(positives, at);
    at += positives.length;
  }
  return sortAscending(merged);
}

/**
 * Ranks `positives` (ascending) among all scores of `columns` (each ascending, positives included). For one label pass
 * its column; for micro averages pass all columns and all positives.
 */
export function rank(positives: Float64Array, columns: readonly SortedColumn[]): RankValues {
  // Distinct positive scores, how many positives have each, and how many scores lie below or at each.
  const distinct = new Float64Array(positives.length);
  const size = new Float64Array(positives.length);
  let groups = 0;
  for (let i = 0; i < positives.length; i++) {
    if (groups === 0 || positives[i] !== distinct[groups - 1]) distinct[groups++] = positives[i]!;
    size[groups - 1]++;
  }
  const below = new Float64Array(groups);
  const atMost = new Float64Array(groups);
  let total = 0;
  for (const { all } of columns) {
    let at = 0;
    for (let g = 0; g < groups; g++) {
      while (at < all.length && all[at] < distinct[g]) at++;
      below[g] += at;
      while (at < all.length && all[at] === distinct[g]) at++;
      atMost[g] += at;
    }
    total += all.length;
  }

  let truePositives = 0;
  let pairsWon = 0;
  let precisionSum = 0;
  for (let g = groups - 1; g >= 0; g--) {
    const tied = atMost[g] - below[g] - size[g];
    truePositives += size[g];
    const positivesBelow = positives.length - truePositives;
    pairsWon += size[g] * (below[g] - positivesBelow + tied / 2);
    precisionSum += (size[g] * truePositives) / (total - below[g]);
  }
  const negatives = total - positives.length;
  return { auc: pairsWon / (positives.length * negatives), averagePrecision: precisionSum / positives.length };
}
