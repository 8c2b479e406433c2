/**
 * ROC and precision-recall curves of one label, equal point for point to scikit-learn's roc_curve and
 * precision_recall_curve. The areas under them are in ranking.ts, which needs no curve.
 */
import { checkFields, SWITCH } from '../base/arguments';
import { checkPredictions } from './check';
import { sortColumn } from './ranking';

/** Counts for the decision "score >= threshold" at each distinct score, in descending order. */
export interface CutPoints {
  thresholds: Float64Array;
  truePositives: Float64Array;
  falsePositives: Float64Array;
}

/** Cumulative counts at the distinct scores of label `label`; scores are any finite numbers. */
export function cutPoints(
  truth: Uint8Array,
  scores: Float64Array | Float32Array,
  labelCount = 1,
  label = 0,
): CutPoints {
  const { all, positives } = sortColumn(truth, scores, labelCount, label);
  const thresholds = new Float64Array(all.length);
  const truePositives = new Float64Array(all.length);
  const falsePositives = new Float64Array(all.length);
  let points = 0;
  let positive = positives.length;
  for (let i = all.length - 1; i >= 0; i--) {
    if (i > 0 && all[i - 1] === all[i]) continue;
    while (positive > 0 && positives[positive - 1] >= all[i]) positive--;
    thresholds[points] = all[i]!;
    truePositives[points] = positives.length - positive;
    falsePositives[points] = all.length - i - (positives.length - positive);
    points++;
  }
  return {
    thresholds: thresholds.slice(0, points),
    truePositives: truePositives.slice(0, points),
    falsePositives: falsePositives.slice(0, points),
  };
}

function keep(cuts: CutPoints, isKept: (i: number) => boolean): CutPoints {
  const filter = (values: Float64Array): Float64Array => values.filter((_, i) => isKept(i));
  return {
    thresholds: filter(cuts.thresholds),
    truePositives: filter(cuts.truePositives),
    falsePositives: filter(cuts.falsePositives),
  };
}

/** `start` followed by `values`. */
function prepend(start: number, values: Float64Array): Float64Array {
  const result = new Float64Array(values.length + 1);
  result[0] = start;
  result.set(values, 1);
  return result;
}

export interface CurveOptions {
  /** Leave out points that the drawn curve does not need; each function says which, and its default. */
  dropIntermediate?: boolean;
}

/** The field's value, or `usual`. ERR_CONFIG for other options. */
function dropped(options: CurveOptions, usual: boolean): boolean {
  checkFields('options', options, { dropIntermediate: SWITCH });
  return options.dropIntermediate ?? usual;
}

export interface RocCurve {
  /** False positive rate, ascending from 0 to 1; NaN throughout without a negative. */
  fpr: Float64Array;
  /** True positive rate (recall), ascending from 0 to 1; NaN throughout without a positive. */
  tpr: Float64Array;
  /** Descending; the first is Infinity (nothing predicted). A point is the decision score >= threshold. */
  thresholds: Float64Array;
}

/**
 * ROC curve of one label: `truth` [N] of 0/1, `scores` [N] finite. `dropIntermediate` (default true) drops points on a
 * straight line between their neighbours. Throws ERR_DATA_SHAPE, ERR_DATA_CORRUPT or, for the options, ERR_CONFIG.
 */
export function rocCurve(truth: Uint8Array, scores: Float64Array | Float32Array, options: CurveOptions = {}): RocCurve {
  const dropIntermediate = dropped(options, true);
  checkPredictions({ truth, scores, labelCount: 1 });
  let cuts = cutPoints(truth, scores);
  const positives = cuts.truePositives.at(-1)!;
  const negatives = cuts.falsePositives.at(-1)!;
  if (dropIntermediate) {
    const all = cuts;
    const bends = (values: Float64Array, i: number): boolean => values[i + 1] - 2 * values[i] + values[i - 1] !== 0;
    const last = all.thresholds.length - 1;
    cuts = keep(all, (i) => i === 0 || i === last || bends(all.falsePositives, i) || bends(all.truePositives, i));
  }
  return {
    fpr: prepend(0, cuts.falsePositives).map((value) => value / negatives),
    tpr: prepend(0, cuts.truePositives).map((value) => value / positives),
    thresholds: prepend(Infinity, cuts.thresholds),
  };
}

export interface PrecisionRecallCurve {
  /** One longer than `thresholds`; the last is 1, at recall 0. */
  precision: Float64Array;
  /** Descending to 0. NaN, except for the last, without a positive; scikit-learn warns and returns 1. */
  recall: Float64Array;
  /** Ascending. A point is the decision score >= threshold. */
  thresholds: Float64Array;
}

/**
 * Precision-recall curve of one label: `truth` [N] of 0/1, `scores` [N] finite. `dropIntermediate` (default false)
 * keeps only the ends of each stretch of equal recall. Throws ERR_DATA_SHAPE, ERR_DATA_CORRUPT or, for the options,
 * ERR_CONFIG.
 */
export function precisionRecallCurve(
  truth: Uint8Array,
  scores: Float64Array | Float32Array,
  options: CurveOptions = {},
): PrecisionRecallCurve {
  const dropIntermediate = dropped(options, false);
  checkPredictions({ truth, scores, labelCount: 1 });
  let cuts = cutPoints(truth, scores);
  const positives = cuts.truePositives.at(-1)!;
  if (dropIntermediate) {
    const tp = cuts.truePositives;
    const last = tp.length - 1;
    cuts = keep(cuts, (i) => i === 0 || i === last || tp[i] !== tp[i - 1] || tp[i] !== tp[i + 1]);
  }
  const { truePositives, falsePositives } = cuts;
  return {
    precision: prepend(
      1,
      truePositives.map((tp, i) => tp / (tp + falsePositives[i])),
    ).reverse(),
    recall: prepend(
      0,
      truePositives.map((tp) => tp / positives),
    ).reverse(),
    thresholds: cuts.thresholds.reverse(),
  };
}
