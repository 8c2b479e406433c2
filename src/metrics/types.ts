/**
 * The shape of metrics.json and of `metrics --json`. Names follow scikit-learn. `null` is an undefined value: it is
 * left out of means and its label is listed in `undefined`. When a figure is undefined (otherwise it is a number equal
 * to scikit-learn's with zero_division=0):
 *
 * | figure of a label       | null when the label has      | other conventions                                        |
 * |-------------------------|------------------------------|----------------------------------------------------------|
 * | auc                     | no positive, or no negative  | a tied pair counts one half                              |
 * | average_precision       | no positive                  | step-wise, no interpolation; 1 without a negative        |
 * | balanced_accuracy       | no positive, or no negative  | mean of recall and specificity                           |
 * | specificity             | no negative                  | tn / (tn + fp)                                           |
 * | precision, recall, f1   | never                        | 0 when the denominator is 0 (zero_division)              |
 * | mcc                     | never                        | 0 when the truth or the decision is constant             |
 * | accuracy, brier, ece    | never                        |                                                          |
 *
 * Where each image has exactly one of the labels (`task` is multi-class or ordinal-regression), each label is a class against
 * the rest, and the decision is the most probable class. Then `accuracy.mean` is the share of right decisions (top-1, and
 * MedMNIST's ACC), and `balanced_accuracy` is the recall of each class, null without a positive, and its mean.
 *
 * Means: `macro` over the labels where the figure is defined (null when none is); `micro` over all image-label pairs at
 * once (null by the same rules applied to the pairs); `weighted` over labels by support; `samples` over images, where
 * an image with an empty denominator counts as 0.
 */

import type { Task } from '../base/task';

/** Truth and probabilities of N images for L labels. Every matrix is [N, L] row-major. */
export interface Predictions {
  /**
   * What is asked; multi-label where it is left out. With `multi-class` and `ordinal-regression` each row of `truth` has one
   * 1, and `scores` are the softmax of the logits.
   */
  task?: Task;
  /** L: number of labels (columns), at least 1. */
  labelCount: number;
  /** 0 or 1. */
  truth: Uint8Array;
  /** Probabilities from 0 to 1; where only ranks matter, any finite number. */
  scores: Float64Array | Float32Array;
  /**
   * The logits of the probabilities, where they are known, [N, L]. They decide ranks: above a logit of 37 every
   * probability is 1.
   */
  logits?: Float64Array | Float32Array;
  /**
   * Where it is known: mean binary cross-entropy over images and labels, or, of exclusive labels, cross-entropy over images;
   * null when it is infinite.
   */
  loss?: Figure;
}

/** A figure, or null where it is undefined. */
export type Figure = number | null;

export interface RankFigures {
  macro: Figure;
  micro: Figure;
  per_label: Figure[];
}
export interface LabelFigures {
  macro: Figure;
  per_label: Figure[];
}
export interface AveragedFigures {
  micro: Figure;
  macro: Figure;
  weighted: Figure;
  samples: Figure;
  per_label: Figure[];
}

/** [[tn, fp], [fn, tp]] of one label: rows are the truth, columns the decision. */
export type ConfusionMatrix = [[tn: number, fp: number], [fn: number, tp: number]];

/** [low, high]; [null, null] when the figure is defined in no resample. */
export type Interval = [low: Figure, high: Figure];

/** Figures that have an interval and a line in a paired comparison. `_mean`, `_macro`, `_micro` as in Metrics. */
export type SummaryFigure =
  | 'auc_macro'
  | 'average_precision_macro'
  | 'accuracy_mean'
  | 'balanced_accuracy_macro'
  | 'specificity_macro'
  | 'mcc_macro'
  | 'precision_macro'
  | 'recall_macro'
  | 'f1_macro'
  | 'precision_micro'
  | 'recall_micro'
  | 'f1_micro'
  | 'brier_macro';

/**
 * Percentile bootstrap over images. A label whose figure is undefined in a resample is left out of that resample's
 * mean. ECE has no interval: resampling adds to a sum of absolute deviations, so its percentile interval would lie
 * above the figure.
 */
export interface Confidence extends Record<SummaryFigure, Interval> {
  /** Share of resamples inside each interval, e.g. 0.95. */
  level: number;
  resamples: number;
  seed: number;
  auc_per_label: Interval[];
  average_precision_per_label: Interval[];
  /** Of ordinal-regression. */
  quadratic_weighted_kappa?: Interval;
}

/** One figure of two models on the same images. */
export interface ComparedFigure {
  a: Figure;
  b: Figure;
  /** a - b. */
  difference: Figure;
  /** Bootstrap interval of the difference, both models scored on the same resamples. */
  interval: Interval;
  /** Share of resamples, among those where both are defined, in which a is strictly better. */
  a_better: Figure;
}

/** Paired bootstrap comparison of models a and b. Lower is better for brier_macro, higher for all others. */
export interface Comparison extends Record<SummaryFigure, ComparedFigure> {
  level: number;
  resamples: number;
  seed: number;
  auc_per_label: ComparedFigure[];
  average_precision_per_label: ComparedFigure[];
  /** Of ordinal-regression. */
  quadratic_weighted_kappa?: ComparedFigure;
}

/** What is known without looking at an image: figures of one decision and of the same scores for every image. */
export interface Baseline {
  accuracy: number;
  f1_macro: number;
  recall_macro: number;
  /** 0.5, as every pair is tied; null when no label has both values. */
  auc_macro: Figure;
  /** Mean prevalence of the labels that have a positive. */
  average_precision_macro: Figure;
}

/** All figures of one split at one set of thresholds. Decision: score > threshold (strict). */
export interface Metrics {
  /** Absent for multi-label. */
  task?: Task;
  n: number;
  /** See Predictions. */
  loss?: Figure;
  /** null where the decision is the most probable class. */
  threshold: number | number[] | null;
  zero_division: 0;
  auc: RankFigures;
  average_precision: RankFigures;
  accuracy: { mean: number; subset: number; per_label: number[] };
  balanced_accuracy: LabelFigures;
  specificity: LabelFigures;
  mcc: LabelFigures;
  precision: AveragedFigures;
  recall: AveragedFigures;
  f1: AveragedFigures;
  /** `multiclass`, of exclusive labels: summed over the classes. */
  brier: LabelFigures & { multiclass?: number };
  /** Expected calibration error, 15 equal-width bins, as torchmetrics' binary l1. */
  /** `top_label`, of exclusive labels: of the probability of the decided class. */
  ece: LabelFigures & { top_label?: number };
  /** The same with 15 equal-mass bins, cut at the quantiles of the scores; equal scores share a bin. */
  ece_equal_mass: LabelFigures;
  confusion: ConfusionMatrix[];
  /** Of exclusive labels, L x L: rows are the truth, columns the decision. */
  confusion_matrix?: number[][];
  /** Of ordinal-regression: agreement beyond chance; null where truth and decisions are one class. */
  quadratic_weighted_kappa?: Figure;
  support: number[];
  prevalence: number[];
  /** The figures of predicting nothing: the same lowest score for every image. */
  all_negative: Baseline & { subset: number };
  /**
   * The figures of predicting for every image what most have: the class of this number; of binary-class, 1 for the label and
   * 0 for none. Absent for multi-label.
   */
  majority?: Baseline & { class: number; balanced_accuracy: Figure };
  /** Figure name -> indices of the labels for which it is undefined; empty when all are defined. */
  undefined: Record<string, number[]>;
  confidence?: Confidence;
  /** Only from `metrics A.npz --compare B.npz`. */
  comparison?: Comparison;
}

/** Rules by which thresholds are tuned, on validation scores only. */
export type ThresholdRule = 'val-f1' | 'val-youden' | `val-sensitivity=${number}`;

/** The ranks of one model, or of several: mean and standard deviation (n - 1), null where one is undefined. */
export type RankSummary<T> = Record<'auc_macro' | 'average_precision_macro', T>;

/** The members of an ensemble, and the ensemble (a) beside the best of them (b). */
export interface EnsembleFigures {
  members: { seed: number; best_epoch: number; val: RankSummary<Figure>; test: RankSummary<Figure> }[];
  mean: Record<'val' | 'test', RankSummary<{ mean: Figure; sd: Figure }>>;
  /** Seed of the member that is the best on validation, by the figure that chose its epoch. */
  best: number;
  /** On the test split; absent where no intervals were asked for. */
  comparison?: Comparison;
}

/** Figures of a split that calibration changes. */
export interface CalibrationFigures {
  loss: Figure;
  ece: LabelFigures & { top_label?: number };
  brier_macro: Figure;
}

/** With `--calibrate`: what the logits were divided by, and the figures of those that were not. */
export interface Calibration {
  /** [L]; null of an ensemble, whose members each have their own. */
  temperatures: number[] | null;
  /** Indices of the labels that keep 1, since validation has one value of them only. */
  kept: number[];
  before: Record<'val' | 'test', CalibrationFigures>;
}

/** metrics.json of a run directory or of an ensemble's, whose figures are those of its members' mean probabilities. */
export interface MetricsFile {
  dataset: string;
  /** Absent for multi-label. */
  task?: Task;
  labels: string[];
  /** null of an ensemble: each of its members has its own. */
  best_epoch: number | null;
  splits: { val: Metrics; test: Metrics };
  ensemble?: EnsembleFigures;
  /** Absent without `--calibrate`. */
  calibration?: Calibration;
  /** The same splits at thresholds tuned on validation, by rule. */
  tuned?: Record<
    string,
    {
      thresholds: number[];
      /** Indices of labels the rule cannot tune on these validation labels; they keep 0.5. */
      untuned?: number[];
      val: Metrics;
      test: Metrics;
    }
  >;
}
