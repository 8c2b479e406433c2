/**
 * Calibration of probabilities: expected calibration error over bins, and the reliability curve.
 * Sources: torchmetrics' binary_calibration_error (l1) for equal-width bins; scikit-learn's calibration_curve for the
 * curve and for the quantile edges of equal-mass bins. Edges equal theirs bit for bit.
 */
import { checkFields, integer, rule } from '../base/arguments';
import { checkProbabilities } from './check';
import type { SortedColumn } from './ranking';

/** Number of bins of `ece` and `ece_equal_mass`. */
const ECE_BINS = 15;
const CURVE = {
  bins: integer(1, 100_000),
  strategy: rule('uniform or quantile', (value) => value === 'uniform' || value === 'quantile'),
};

/** First index in ascending `values` whose value is above `limit` (or equal to it, with `including`). */
export function firstAbove(values: Float64Array, limit: number, including: boolean): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] > limit || (including && values[middle] === limit)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Mean over scores of |observed - predicted| of their bin; `isEdgeAbove`: a score equal to an edge is in the bin above it. */
function binnedError({ all, positives }: SortedColumn, edges: readonly number[], isEdgeAbove: boolean): number {
  let error = 0;
  let start = 0;
  let positiveStart = 0;
  for (let b = 0; b <= edges.length; b++) {
    const end = b < edges.length ? firstAbove(all, edges[b], isEdgeAbove) : all.length;
    const positiveEnd = b < edges.length ? firstAbove(positives, edges[b], isEdgeAbove) : positives.length;
    let predicted = 0;
    for (let i = start; i < end; i++) predicted += all[i];
    error += Math.abs(positiveEnd - positiveStart - predicted);
    start = end;
    positiveStart = positiveEnd;
  }
  return error / all.length;
}

/** 15 bins [i/15, (i+1)/15) and, as in torchmetrics, one more for scores of exactly 1. */
export function equalWidthError(column: SortedColumn): number {
  // torch.linspace counts from the nearer end and rounds once (a fused multiply-add): splitting the step into two parts
  // with exact products gives the same values.
  const step = 1 / ECE_BINS;
  const coarse = Math.round(step * 2 ** 30) / 2 ** 30;
  const edges = Array.from({ length: ECE_BINS }, (_, b) => {
    const fromEnd = ECE_BINS - (b + 1);
    return b + 1 < (ECE_BINS + 1) / 2 ? (b + 1) * step : 1 - coarse * fromEnd - (step - coarse) * fromEnd;
  });
  return binnedError(column, edges, true);
}

/** 15 bins between the quantiles of the scores; fewer when scores repeat, as equal scores share a bin. */
export function equalMassError(column: SortedColumn): number {
  return binnedError(column, quantileEdges(column.all, ECE_BINS), false);
}

/** Inner edges of `bins` quantile bins of ascending `values`: numpy.percentile with linear interpolation. */
function quantileEdges(values: Float64Array, bins: number): number[] {
  return Array.from({ length: bins - 1 }, (_, b) => quantile(values, ((b + 1) * (1 / bins) * 100) / 100));
}

/** Quantile `q` (0 to 1) of ascending `values`, interpolated linearly, rounded as NumPy rounds it. NaN when empty. */
export function quantile(values: Float64Array, q: number): number {
  const position = q * (values.length - 1);
  const index = Math.floor(position);
  const t = position - index;
  const low = values[index] ?? NaN;
  const high = values[Math.min(index + 1, values.length - 1)] ?? NaN;
  return t >= 0.5 ? high - (high - low) * (1 - t) : low + (high - low) * t;
}

/** One point per non-empty bin, in order of score. */
export interface CalibrationCurve {
  /** Share of positives in the bin. */
  probTrue: Float64Array;
  /** Mean score in the bin. */
  probPred: Float64Array;
  /** Images in the bin. */
  count: Float64Array;
}

export interface CalibrationOptions {
  /** Number of bins, 1 to 100,000; default 15. */
  bins?: number;
  /** Bins of equal width (default), or of equally many scores. */
  strategy?: 'uniform' | 'quantile';
}

/**
 * The reliability curve of one label: `truth` [N] of 0/1, `scores` [N] probabilities. Equal to scikit-learn's
 * calibration_curve with n_bins = bins; empty bins are left out. Throws ERR_DATA_SHAPE, ERR_DATA_CORRUPT or, for the
 * options, ERR_CONFIG.
 */
export function calibrationCurve(
  truth: Uint8Array,
  scores: Float64Array | Float32Array,
  options: CalibrationOptions = {},
): CalibrationCurve {
  checkFields('options', options, CURVE);
  const { bins = ECE_BINS, strategy = 'uniform' } = options;
  checkProbabilities({ truth, scores, labelCount: 1 });
  const edges = Float64Array.from(
    strategy === 'quantile'
      ? quantileEdges(Float64Array.from(scores).sort(), bins)
      : Array.from({ length: bins - 1 }, (_, b) => (b + 1) * (1 / bins)),
  );
  const positives = new Float64Array(bins);
  const sums = new Float64Array(bins);
  const count = new Float64Array(bins);
  for (let i = 0; i < truth.length; i++) {
    const bin = firstAbove(edges, scores[i], true);
    positives[bin] += truth[i];
    sums[bin] += scores[i];
    count[bin]++;
  }
  const isFilled = (_: number, b: number): boolean => count[b] > 0;
  return {
    probTrue: positives.map((value, b) => value / count[b]).filter(isFilled),
    probPred: sums.map((value, b) => value / count[b]).filter(isFilled),
    count: count.filter(isFilled),
  };
}
