/**
 * Figures of one decision table (tn, fp, fn, tp) and the means over labels. Inside the metrics NaN stands for an
 * undefined figure; `figure` turns it into the null of the public shapes. Conventions: the table in types.ts.
 */
import type { Figure } from './types';

/** The public form of an internal value: null for NaN. */
export const figure = (value: number): Figure => (Number.isNaN(value) ? null : value);

/** Mean over the defined (not NaN) values; NaN when none is defined. */
export function definedMean(values: ArrayLike<number>): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) continue;
    sum += values[i];
    count++;
  }
  return count > 0 ? sum / count : NaN;
}

/** Mean weighted by `weights`; 0 when they are all 0 (zero_division). */
export function weightedMean(values: ArrayLike<number>, weights: ArrayLike<number>): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i] * weights[i];
    total += weights[i];
  }
  return ratio(sum, total);
}

/** a / b with zero_division = 0. */
export const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b);

export const precision = (tp: number, fp: number): number => ratio(tp, tp + fp);
export const recall = (tp: number, fn: number): number => ratio(tp, tp + fn);
export const f1 = (tp: number, fp: number, fn: number): number => ratio(2 * tp, 2 * tp + fp + fn);
/** NaN without negatives. */
export const specificity = (tn: number, fp: number): number => tn / (tn + fp);
/** NaN unless both values occur. */
export const balancedAccuracy = (tn: number, fp: number, fn: number, tp: number): number =>
  (tp / (tp + fn) + tn / (tn + fp)) / 2;

/** Matthews correlation; 0 when the truth or the decision is constant. */
export function mcc(tn: number, fp: number, fn: number, tp: number): number {
  const spread = Math.sqrt((tp + fp) * (tn + fn)) * Math.sqrt((tp + fn) * (tn + fp));
  return ratio(tp * tn - fp * fn, spread);
}
