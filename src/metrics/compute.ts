/**
 * All figures of one set of predictions at one set of thresholds. Pure: the same input gives the same Metrics.
 * Definitions follow scikit-learn with zero_division=0; the table in types.ts lists when a figure is undefined.
 */
import { confidence } from './bootstrap';
import { equalMassError, equalWidthError } from './calibration';
import { checkName, checkPredictions, checkProbabilities, checkThresholds, DEFAULT_THRESHOLD } from './check';
import type { ConfidenceOptions } from './check';
import {
  balancedAccuracy,
  definedMean,
  f1,
  figure,
  mcc,
  precision,
  ratio,
  recall,
  specificity,
  weightedMean,
} from './figures';
import { mergePositives, rank, rankedBy, sortColumn } from './ranking';
import type { SortedColumn } from './ranking';
import type { AveragedFigures, ConfusionMatrix, Figure, LabelFigures, Metrics, Predictions } from './types';

export interface MetricsInput extends Predictions {
  /** One for all labels (default 0.5) or one per label, each from 0 to 1; the decision is score > threshold. */
  threshold?: number | ArrayLike<number>;
  /** Adds bootstrap intervals. */
  confidence?: ConfidenceOptions;
}

/** Counts from one pass over the rows. */
interface Counts {
  /** tn, fp, fn and tp of each label, from 4 * label. */
  cells: Float64Array;
  squaredError: Float64Array;
  correctRows: number;
  /** Images without a positive label. */
  emptyRows: number;
  /** Figures of single images, summed over images. */
  samples: { precision: number; recall: number; f1: number };
}

function countRows({ truth, scores, labelCount }: Predictions, thresholds: Float64Array): Counts {
  const cells = new Float64Array(4 * labelCount);
  const squaredError = new Float64Array(labelCount);
  const samples = { precision: 0, recall: 0, f1: 0 };
  let correctRows = 0;
  let emptyRows = 0;
  for (let start = 0; start < truth.length; start += labelCount) {
    let positives = 0;
    let decided = 0;
    let hits = 0;
    for (let label = 0; label < labelCount; label++) {
      const value = truth[start + label];
      const score = scores[start + label];
      const decision = score > thresholds[label] ? 1 : 0;
      cells[4 * label + 2 * value + decision]++;
      squaredError[label] += (score - value) ** 2;
      positives += value;
      decided += decision;
      hits += value & decision;
    }
    if (hits === positives && hits === decided) correctRows++;
    if (positives === 0) emptyRows++;
    samples.precision += ratio(hits, decided);
    samples.recall += ratio(hits, positives);
    samples.f1 += ratio(2 * hits, positives + decided);
  }
  return { cells, squaredError, correctRows, emptyRows, samples };
}

const labelFigures = (values: number[]): LabelFigures => ({
  macro: figure(definedMean(values)),
  per_label: values.map(figure),
});

/**
 * The metrics of N images and L labels, at one threshold or one per label. Where the logits are given as well, AUC and
 * average precision rank by them. With `confidence`, percentile bootstrap
 * intervals as well (2,000 resamples of 22,433 x 14 take seconds; the rest milliseconds).
 * Throws ERR_DATA_SHAPE (lengths disagree, no image, truth not 0/1), ERR_DATA_CORRUPT (scores not finite or outside
 * 0..1, or not those of the logits) or ERR_CONFIG (thresholds, bootstrap settings).
 */
export function computeMetrics(input: MetricsInput): Metrics {
  const n = checkProbabilities(input);
  checkName(input);
  const { truth, scores, labelCount, threshold = DEFAULT_THRESHOLD } = input;
  const thresholds = checkThresholds(threshold, labelCount);
  const { cells, squaredError, correctRows, emptyRows, samples } = countRows(input, thresholds);
  const sorted = (values: Float64Array | Float32Array): SortedColumn[] =>
    Array.from({ length: labelCount }, (_, label) => sortColumn(truth, values, labelCount, label));
  const columns = sorted(scores);
  const ranked = input.logits === undefined ? columns : sorted(input.logits);
  const ranks = ranked.map((column) => rank(column.positives, [column]));
  const microRank = rank(mergePositives(ranked), ranked);

  const eachLabel = (of: (tn: number, fp: number, fn: number, tp: number) => number): number[] =>
    columns.map((_, label) => of(...cellsOf(cells, label)));
  const support = eachLabel((_tn, _fp, fn, tp) => fn + tp);
  const prevalence = support.map((positives) => positives / n);
  const total = (cell: number): number => columns.reduce((sum, _, label) => sum + cells[4 * label + cell], 0);
  const averaged = (perLabel: number[], micro: number, samplesSum: number): AveragedFigures => ({
    micro,
    macro: figure(definedMean(perLabel)),
    weighted: weightedMean(perLabel, support),
    samples: samplesSum / n,
    per_label: perLabel,
  });
  const [fp, fn, tp] = [total(1), total(2), total(3)];
  const accuracy = eachLabel((tn, _fp, _fn, hits) => (tn + hits) / n);

  const metrics: Metrics = {
    n,
    ...(input.loss === undefined ? {} : { loss: input.loss }),
    threshold: typeof threshold === 'number' ? threshold : [...thresholds],
    zero_division: 0,
    auc: { ...labelFigures(ranks.map(({ auc }) => auc)), micro: figure(microRank.auc) },
    average_precision: {
      ...labelFigures(ranks.map(({ averagePrecision }) => averagePrecision)),
      micro: figure(microRank.averagePrecision),
    },
    accuracy: { mean: definedMean(accuracy), subset: correctRows / n, per_label: accuracy },
    balanced_accuracy: labelFigures(eachLabel(balancedAccuracy)),
    specificity: labelFigures(eachLabel(specificity)),
    mcc: labelFigures(eachLabel(mcc)),
    precision: averaged(
      eachLabel((_tn, falseAlarms, _fn, hits) => precision(hits, falseAlarms)),
      precision(tp, fp),
      samples.precision,
    ),
    recall: averaged(
      eachLabel((_tn, _fp, misses, hits) => recall(hits, misses)),
      recall(tp, fn),
      samples.recall,
    ),
    f1: averaged(
      eachLabel((_tn, falseAlarms, misses, hits) => f1(hits, falseAlarms, misses)),
      f1(tp, fp, fn),
      samples.f1,
    ),
    brier: labelFigures([...squaredError].map((sum) => sum / n)),
    ece: labelFigures(columns.map(equalWidthError)),
    ece_equal_mass: labelFigures(columns.map(equalMassError)),
    confusion: columns.map((_, label): ConfusionMatrix => {
      const [tn, falseAlarms, misses, hits] = cellsOf(cells, label);
      return [
        [tn, falseAlarms],
        [misses, hits],
      ];
    }),
    support,
    prevalence,
    all_negative: allNegative(emptyRows / n, prevalence),
    undefined: {},
  };
  for (const name of ['auc', 'average_precision', 'balanced_accuracy', 'specificity'] as const) {
    const missing = metrics[name].per_label.flatMap((value, label) => (value === null ? [label] : []));
    if (missing.length > 0) metrics.undefined[name] = missing;
  }
  if (input.confidence !== undefined) metrics.confidence = confidence(input, thresholds, input.confidence);
  return metrics;
}

function cellsOf(cells: Float64Array, label: number): [tn: number, fp: number, fn: number, tp: number] {
  return [cells[4 * label], cells[4 * label + 1], cells[4 * label + 2], cells[4 * label + 3]];
}

/** The figures of predicting nothing; `subset` is the share of images without a positive label. */
function allNegative(subset: number, prevalence: number[]): Metrics['all_negative'] {
  return {
    accuracy: definedMean(prevalence.map((share) => 1 - share)),
    subset,
    f1_macro: 0,
    recall_macro: 0,
    auc_macro: prevalence.some((share) => share > 0 && share < 1) ? 0.5 : null,
    average_precision_macro: figure(definedMean(prevalence.filter((share) => share > 0))),
  };
}

/**
 * Mean ROC AUC over the labels that have both values; null when none has. Scores may be any finite numbers; images are
 * ranked by the logits where they are given. Throws ERR_DATA_SHAPE or ERR_DATA_CORRUPT.
 */
export function macroAuc(predictions: Predictions): Figure {
  checkPredictions(predictions);
  const { truth, labelCount } = predictions;
  const aucs = Array.from({ length: labelCount }, (_, label) => {
    const column = sortColumn(truth, rankedBy(predictions), labelCount, label);
    return rank(column.positives, [column]).auc;
  });
  return figure(definedMean(aucs));
}

/** Mean over labels of accuracy at score > threshold, on probabilities: MedMNIST's ACC. Errors as computeMetrics. */
export function meanAccuracy(
  predictions: Predictions,
  threshold: number | ArrayLike<number> = DEFAULT_THRESHOLD,
): number {
  checkProbabilities(predictions);
  const { truth, scores, labelCount } = predictions;
  const thresholds = checkThresholds(threshold, labelCount);
  let correct = 0;
  for (let i = 0; i < truth.length; i++) {
    if (scores[i] > thresholds[i % labelCount] === (truth[i] === 1)) correct++;
  }
  return correct / truth.length;
}
