/**
 * All figures of one set of predictions at one set of thresholds. Pure: the same input gives the same Metrics.
 * Definitions follow scikit-learn with zero_division=0; the table in types.ts lists when a figure is undefined.
 */
import { isExclusive } from '../base/task';
import { baselines } from './baselines';
import { confidence } from './bootstrap';
import { equalMassError, equalWidthError } from './calibration';
import { checkName, checkPredictions, checkProbabilities, DEFAULT_THRESHOLD, thresholdsFor } from './check';
import type { ConfidenceOptions } from './check';
import { cellsOf, matrixOf, quadraticKappa, topLabelError } from './classes';
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
import { decisionsOf } from './thresholds';
import type { AveragedFigures, ConfusionMatrix, Figure, LabelFigures, Metrics, Predictions } from './types';

export interface MetricsInput extends Predictions {
  /**
   * One for all labels (default 0.5) or one per label, each from 0 to 1; the decision is score > threshold. Exclusive labels
   * have none: the decision is the most probable class.
   */
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

function countRows({ truth, scores, labelCount }: Predictions, decisions: Uint8Array): Counts {
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
      const decision = decisions[start + label];
      cells[4 * label + 2 * value + decision]++;
      squaredError[label] += (scores[start + label] - value) ** 2;
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
  const { task, truth, scores, labelCount, threshold = DEFAULT_THRESHOLD } = input;
  const thresholds = thresholdsFor(input, threshold);
  const exclusive = isExclusive(task);
  const decisions = decisionsOf(input, thresholds);
  const { cells, squaredError, correctRows, emptyRows, samples } = countRows(input, decisions);
  const sorted = (values: Float64Array | Float32Array): SortedColumn[] =>
    Array.from({ length: labelCount }, (_, label) => sortColumn(truth, values, labelCount, label));
  const columns = sorted(scores);
  const ranked = input.logits === undefined ? columns : sorted(rankedBy(input));
  const ranks = ranked.map((column) => rank(column.positives, [column]));
  const microRank = rank(mergePositives(ranked), ranked);

  const eachLabel = (of: (tn: number, fp: number, fn: number, tp: number) => number): number[] =>
    columns.map((_, label) => of(...tableOf(cells, label)));
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
  const subset = correctRows / n;

  const metrics: Metrics = {
    ...(task !== undefined && task !== 'multi-label' && { task }),
    n,
    ...(input.loss === undefined ? {} : { loss: input.loss }),
    threshold: !thresholds ? null : typeof threshold === 'number' ? threshold : [...thresholds],
    zero_division: 0,
    auc: { ...labelFigures(ranks.map(({ auc }) => auc)), micro: figure(microRank.auc) },
    average_precision: {
      ...labelFigures(ranks.map(({ averagePrecision }) => averagePrecision)),
      micro: figure(microRank.averagePrecision),
    },
    accuracy: { mean: exclusive ? subset : definedMean(accuracy), subset, per_label: accuracy },
    balanced_accuracy: labelFigures(
      eachLabel(exclusive ? (_tn, _fp, misses, hits) => hits / (hits + misses) : balancedAccuracy),
    ),
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
      const [tn, falseAlarms, misses, hits] = tableOf(cells, label);
      return [
        [tn, falseAlarms],
        [misses, hits],
      ];
    }),
    support,
    prevalence,
    ...baselines(task, prevalence, emptyRows / n),
    undefined: {},
  };
  if (exclusive) {
    metrics.brier.multiclass = squaredError.reduce((sum, of) => sum + of, 0) / n;
    metrics.ece.top_label = topLabelError(input);
    metrics.confusion_matrix = matrixOf(cellsOf(input), labelCount);
    if (task === 'ordinal-regression')
      metrics.quadratic_weighted_kappa = figure(quadraticKappa(metrics.confusion_matrix));
  }
  for (const name of ['auc', 'average_precision', 'balanced_accuracy', 'specificity'] as const) {
    const missing = metrics[name].per_label.flatMap((value, label) => (value === null ? [label] : []));
    if (missing.length > 0) metrics.undefined[name] = missing;
  }
  if (input.confidence !== undefined) metrics.confidence = confidence(input, thresholds, input.confidence);
  return metrics;
}

function tableOf(cells: Float64Array, label: number): [tn: number, fp: number, fn: number, tp: number] {
  return [cells[4 * label], cells[4 * label + 1], cells[4 * label + 2], cells[4 * label + 3]];
}

/**
 * Mean ROC AUC over the labels that have both values; null when none has. Scores may be any finite numbers; images are
 * ranked by the logits where they are given. Throws ERR_DATA_SHAPE or ERR_DATA_CORRUPT.
 */
export const macroAuc = (predictions: Predictions): Figure => macroRank(predictions, 'auc');

/** Mean average precision over the labels that have both values, otherwise as macroAuc. */
export const macroAveragePrecision = (predictions: Predictions): Figure => macroRank(predictions, 'averagePrecision');

function macroRank(predictions: Predictions, name: 'auc' | 'averagePrecision'): Figure {
  checkPredictions(predictions);
  const { truth, labelCount } = predictions;
  const ranks = rankedBy(predictions);
  const figures = Array.from({ length: labelCount }, (_, label) => {
    const column = sortColumn(truth, ranks, labelCount, label);
    return rank(column.positives, [column])[name];
  });
  return figure(definedMean(figures));
}

/**
 * MedMNIST's ACC, on probabilities: mean over labels of accuracy at score > threshold, or, of exclusive labels, the share of
 * images whose most probable class is right. Errors as computeMetrics.
 */
export function meanAccuracy(
  predictions: Predictions,
  threshold: number | ArrayLike<number> = DEFAULT_THRESHOLD,
): number {
  checkProbabilities(predictions);
  const { task, truth, labelCount } = predictions;
  const decisions = decisionsOf(predictions, thresholdsFor(predictions, threshold));
  let correct = 0;
  if (isExclusive(task)) {
    for (let i = 0; i < truth.length; i++) correct += truth[i] & decisions[i];
    return (correct / truth.length) * labelCount;
  }
  for (let i = 0; i < truth.length; i++) if (decisions[i] === truth[i]) correct++;
  return correct / truth.length;
}
