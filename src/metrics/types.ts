/**
 * The shape of metrics.json and of `metrics --json`, as fixed by the contract. `null` is an undefined value (a label
 * with one class only): it is left out of means and its label is listed in `undefined`. Names follow scikit-learn.
 */

/** A figure or null where it is not defined. */
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

/** Percentile bootstrap intervals over images; each is [low, high]. */
export interface Confidence {
  level: number;
  resamples: number;
  seed: number;
  [figure: string]: number | [Figure, Figure] | [Figure, Figure][];
}

/** All figures of one split at one set of thresholds. Decision: score > threshold (strict). */
export interface Metrics {
  n: number;
  /** Mean binary cross-entropy over all images and labels; present when logits or scores were given in float. */
  loss?: Figure;
  threshold: number | number[];
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
  brier: LabelFigures;
  /** Expected calibration error, 15 equal-width bins. */
  ece: LabelFigures;
  /** The same with 15 equal-mass bins. */
  ece_equal_mass: LabelFigures;
  confusion: ConfusionMatrix[];
  support: number[];
  prevalence: number[];
  /** What predicting nothing at all scores. */
  all_negative: { accuracy: number; f1_macro: number };
  /** Figure name -> indices of the labels for which it is undefined; empty when all are defined. */
  undefined: Record<string, number[]>;
  confidence?: Confidence;
}

/** Rules by which thresholds are tuned, on validation scores only. */
export type ThresholdRule = 'val-f1' | 'val-youden' | `val-sensitivity=${number}`;

/** metrics.json of a run directory. */
export interface MetricsFile {
  dataset: string;
  labels: string[];
  best_epoch: number;
  splits: { val: Metrics; test: Metrics };
  /** The same splits at thresholds tuned on validation, by rule. */
  tuned?: Record<string, { thresholds: number[]; val: Metrics; test: Metrics }>;
}
