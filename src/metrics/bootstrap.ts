/**
 * Percentile bootstrap over images: intervals of one model's figures, and the paired comparison of two models on the
 * same resamples. A resample is a count per image, shared by all labels. Scores are sorted once per label, into bins
 * between the scores of the positives; a resample then costs one counting pass over the images, and AUC, average
 * precision and decisions are sums over the bins.
 */
import { Random } from '../base/random';
import { firstAbove, quantile } from './calibration';
import { isExclusive } from '../base/task';
import type { Task } from '../base/task';
import { checkConfidence, checkInput, checkName, checkProbabilities, DEFAULT_THRESHOLD, thresholdsFor } from './check';
import type { ConfidenceOptions } from './check';
import { balancedAccuracy, definedMean, f1, figure, mcc, precision, recall, specificity } from './figures';
import { cellsOf, matrixOf, quadraticKappa, tablesOf, topOne } from './classes';
import { rankedBy, sortColumn } from './ranking';
import type { ComparedFigure, Comparison, Confidence, Interval, Predictions, SummaryFigure } from './types';

/** Order of the summary figures in a row of results; each label's AUC and then average precision follow. */
const SUMMARY = [
  'auc_macro',
  'average_precision_macro',
  'accuracy_mean',
  'balanced_accuracy_macro',
  'specificity_macro',
  'mcc_macro',
  'precision_macro',
  'recall_macro',
  'f1_macro',
  'precision_micro',
  'recall_micro',
  'f1_micro',
  'brier_macro',
] as const satisfies readonly SummaryFigure[];

/**
 * One label's images in bins by descending rank (score, or logit). The cuts are the distinct ranks of the positives, and
 * the highest rank whose score is not above the threshold; cut c has three bins: 3c for images above it (and below cut c - 1), 3c + 1 for negatives at it, 3c + 2 for positives
 * at it. Images below every cut (negatives only) are in no bin.
 */
interface BinnedLabel {
  /** Indices of the images, bin after bin, and where each bin ends. */
  images: Uint32Array;
  ends: Uint32Array;
  /** Index of the cut that decides: images above it are above the threshold. */
  threshold: number;
}

function binLabel(
  { truth, scores, labelCount }: Predictions,
  ranks: Float64Array | Float32Array,
  label: number,
  threshold: number,
): BinnedLabel {
  const { positives } = sortColumn(truth, ranks, labelCount, label);
  let decision = -Infinity;
  for (let i = label; i < ranks.length; i += labelCount) {
    if (ranks[i] > decision && scores[i] <= threshold) decision = ranks[i];
  }
  const cuts = Float64Array.from(new Set([...positives, decision])).sort();
  const bins = new Uint32Array(truth.length / labelCount).map((_, image) => {
    const value = ranks[image * labelCount + label];
    const ascending = firstAbove(cuts, value, true);
    const atCut = cuts[ascending] === value;
    // The first cut, in descending order, that is at or below the rank.
    const cut = cuts.length - ascending - (atCut ? 1 : 0);
    return 3 * cut + (atCut ? 1 + truth[image * labelCount + label] : 0);
  });
  // Counting sort: first the size of each bin, then where the next one starts, then the images to their places.
  const ends = new Uint32Array(3 * cuts.length + 1);
  for (const bin of bins) ends[bin]++;
  for (let bin = 1; bin < ends.length; bin++) ends[bin] += ends[bin - 1];
  const images = new Uint32Array(bins.length);
  const free = ends.slice();
  for (let image = bins.length - 1; image >= 0; image--) images[--free[bins[image]]] = image;
  return { images, ends: ends.subarray(0, -1), threshold: cuts.length - 1 - cuts.indexOf(decision) };
}

/** A model's predictions, ready to be scored on any resample. */
interface BinnedModel {
  labels: BinnedLabel[];
  /** Squared error of each image, averaged over labels. */
  squaredError: Float64Array;
  /** Of exclusive labels, which decide without thresholds: the cell of the confusion matrix of each image. */
  cells?: Uint32Array;
  /** Whether the classes are in order. */
  ordinal: boolean;
  /** Buffer for the bin sizes of any label. */
  sizes: Int32Array;
}

function binModel(input: Predictions, thresholds: Float64Array | undefined): BinnedModel {
  const { task, truth, scores, labelCount } = input;
  const squaredError = new Float64Array(truth.length / labelCount);
  for (let i = 0; i < truth.length; i++) {
    squaredError[Math.floor(i / labelCount)] += (scores[i] - truth[i]) ** 2 / labelCount;
  }
  const ranks = rankedBy(input);
  // No score is above 1: without thresholds the bins decide nothing.
  const binned = Array.from({ length: labelCount }, (_, label) =>
    binLabel(input, ranks, label, thresholds ? thresholds[label] : 1),
  );
  const most = binned.reduce((length, { ends }) => Math.max(length, ends.length), 0);
  const cells = isExclusive(task) ? cellsOf(input) : undefined;
  const ordinal = task === 'ordinal-regression';
  return { labels: binned, squaredError, cells, ordinal, sizes: new Int32Array(most) };
}

/** One label on one resample. */
interface LabelResult {
  auc: number;
  averagePrecision: number;
  table: [tn: number, fp: number, fn: number, tp: number];
}

/** Counts the images of a resample in each bin. Nearly all the time is spent in this loop. */
function fillBins({ images, ends }: BinnedLabel, counts: Uint8Array, sizes: Int32Array): void {
  let next = 0;
  for (let bin = 0; bin < ends.length; bin++) {
    let size = 0;
    for (const end = ends[bin]; next < end; next++) size = (size + counts[images[next]]) | 0;
    sizes[bin] = size;
  }
}

function scoreLabel(label: BinnedLabel, counts: Uint8Array, sizes: Int32Array): LabelResult {
  fillBins(label, counts, sizes);
  let truePositives = 0;
  let falsePositives = 0;
  let pairsLost = 0;
  let precisionSum = 0;
  let tp = 0;
  let fp = 0;
  for (let bin = 0; bin < label.ends.length; bin += 3) {
    falsePositives += sizes[bin];
    if (bin === 3 * label.threshold) {
      tp = truePositives;
      fp = falsePositives;
    }
    const tied = sizes[bin + 1];
    const hits = sizes[bin + 2];
    pairsLost += hits * (falsePositives + tied / 2);
    falsePositives += tied;
    truePositives += hits;
    // Needs no branch: as long as the denominator would be 0, hits is 0.
    precisionSum += (hits * truePositives) / Math.max(1, truePositives + falsePositives);
  }
  const positives = truePositives;
  const negatives = counts.length - positives;
  return {
    auc: 1 - pairsLost / (positives * negatives),
    averagePrecision: precisionSum / positives,
    table: [negatives - fp, fp, positives - tp, tp],
  };
}

/**
 * All figures of a model on one resample: SUMMARY, then each label's AUC, then each label's average precision, then the kappa
 * of classes in order.
 */
function scoreResample(model: BinnedModel, counts: Uint8Array): number[] {
  const n = counts.length;
  const results = model.labels.map((label) => scoreLabel(label, counts, model.sizes));
  const aucs = results.map(({ auc }) => auc);
  const averagePrecisions = results.map(({ averagePrecision }) => averagePrecision);
  const matrix = model.cells && matrixOf(model.cells, model.labels.length, counts);
  const tables = matrix ? tablesOf(matrix) : results.map(({ table }) => table);
  const total = (cell: 1 | 2 | 3): number => tables.reduce((sum, table) => sum + table[cell], 0);
  const [fp, fn, tp] = [total(1), total(2), total(3)];
  let brier = 0;
  for (let image = 0; image < n; image++) brier += counts[image] * model.squaredError[image];
  const macro = (of: (tn: number, fp: number, fn: number, tp: number) => number): number =>
    definedMean(tables.map((table) => of(...table)));
  const summary: Record<SummaryFigure, number> = {
    auc_macro: definedMean(aucs),
    average_precision_macro: definedMean(averagePrecisions),
    accuracy_mean: matrix ? topOne(matrix) : macro((tn, _fp, _fn, hits) => (tn + hits) / n),
    balanced_accuracy_macro: macro(matrix ? (_tn, _fp, misses, hits) => hits / (hits + misses) : balancedAccuracy),
    specificity_macro: macro(specificity),
    mcc_macro: macro(mcc),
    precision_macro: macro((_tn, falseAlarms, _fn, hits) => precision(hits, falseAlarms)),
    recall_macro: macro((_tn, _fp, misses, hits) => recall(hits, misses)),
    f1_macro: macro((_tn, falseAlarms, misses, hits) => f1(hits, falseAlarms, misses)),
    precision_micro: precision(tp, fp),
    recall_micro: recall(tp, fn),
    f1_micro: f1(tp, fp, fn),
    brier_macro: brier / n,
  };
  const kappa = model.ordinal && matrix ? [quadraticKappa(matrix)] : [];
  return [...SUMMARY.map((name) => summary[name]), ...aucs, ...averagePrecisions, ...kappa];
}

/**
 * Draws N of N images with replacement and counts how often each occurs. A count fits in 8 bits: with up to 255 images
 * it cannot exceed 255, and with more, 256 draws of one image have a probability below 1/256!.
 */
function draw(random: Random, counts: Uint8Array): void {
  counts.fill(0);
  for (let i = 0; i < counts.length; i++) counts[random.below(counts.length)]++;
}

/** Figures of each model on each resample, as [model][figure][resample]; all models see the same resamples. */
function resample(models: BinnedModel[], { resamples, seed }: Required<ConfidenceOptions>): Float64Array[][] {
  const figureCount = SUMMARY.length + 2 * models[0].labels.length + Number(models[0].ordinal);
  const results = models.map(() => Array.from({ length: figureCount }, () => new Float64Array(resamples)));
  const counts = new Uint8Array(models[0].squaredError.length);
  const random = new Random(seed | 0, Math.floor(seed / 2 ** 32), 0);
  for (let r = 0; r < resamples; r++) {
    draw(random, counts);
    models.forEach((model, m) => scoreResample(model, counts).forEach((value, f) => (results[m][f][r] = value)));
  }
  return results;
}

/** The interval that holds the central share `level` of the defined values; quantiles are interpolated linearly. */
function interval(values: Float64Array, level: number): Interval {
  const defined = values.filter((value) => !Number.isNaN(value)).sort();
  return [figure(quantile(defined, (1 - level) / 2)), figure(quantile(defined, (1 + level) / 2))];
}

/** Names a row of values, one per figure: SUMMARY by name, then the two lists by label, then the kappa where there is one. */
function named<T>(
  values: T[],
  labelCount: number,
): Record<SummaryFigure, T> &
  Record<'auc_per_label' | 'average_precision_per_label', T[]> & { quadratic_weighted_kappa?: T } {
  const lists = values.slice(SUMMARY.length);
  return {
    ...(Object.fromEntries(SUMMARY.map((name, f) => [name, values[f]])) as Record<SummaryFigure, T>),
    auc_per_label: lists.slice(0, labelCount),
    average_precision_per_label: lists.slice(labelCount, 2 * labelCount),
    ...(lists.length > 2 * labelCount && { quadratic_weighted_kappa: lists[2 * labelCount] }),
  };
}

/** Intervals of checked predictions. */
export const confidence = (
  input: Predictions,
  thresholds: Float64Array | undefined,
  options: ConfidenceOptions,
): Confidence => scoreTogether([input], [thresholds], options).confidence[0];

export interface ComparisonInput {
  /** As in Predictions, for both models. */
  task?: Task;
  /** 0 or 1, [N, L] row-major; the truth of both models. */
  truth: Uint8Array;
  /** Probabilities of model a, [N, L] row-major. */
  a: Float64Array | Float32Array;
  /** Probabilities of model b for the same images, [N, L] row-major. */
  b: Float64Array | Float32Array;
  /** The logits of `a`, where they are known, [N, L] row-major; images are then ranked by them. */
  aLogits?: Float64Array | Float32Array;
  /** Those of `b`. */
  bLogits?: Float64Array | Float32Array;
  /** L: number of labels (columns), at least 1. */
  labelCount: number;
  /** As in computeMetrics, for both models. */
  threshold?: number | ArrayLike<number>;
  /** Bootstrap settings. */
  confidence?: ConfidenceOptions;
}

/**
 * Paired bootstrap comparison of two models on the same images: the difference of each figure, its interval, and the
 * share of resamples in which a is better. Errors as computeMetrics.
 */
export function comparePredictions(input: ComparisonInput): Comparison {
  checkInput(input);
  checkName(input);
  const { task, truth, labelCount, threshold = DEFAULT_THRESHOLD, confidence = {} } = input;
  const settings = checkConfidence(confidence);
  const predictionsA = { task, truth, scores: input.a, logits: input.aLogits, labelCount };
  const predictionsB = { task, truth, scores: input.b, logits: input.bLogits, labelCount };
  checkProbabilities(predictionsA, 'a', 'aLogits');
  checkProbabilities(predictionsB, 'b', 'bLogits');
  const thresholds = thresholdsFor({ task, labelCount }, threshold);
  const [comparison] = scoreTogether([predictionsA, predictionsB], [thresholds, thresholds], settings).comparisons;
  return comparison;
}

/**
 * Checked predictions of several models for the same images, all scored on the same resamples: the intervals of each, and
 * the first (a) beside each of the others (b). Each model has thresholds of its own.
 */
export function scoreTogether(
  inputs: readonly Predictions[],
  thresholds: readonly (Float64Array | undefined)[],
  options: ConfidenceOptions,
): { confidence: Confidence[]; comparisons: Comparison[] } {
  const settings = checkConfidence(options);
  const { labelCount } = inputs[0];
  const models = inputs.map((input, m) => binModel(input, thresholds[m]));
  // Counting each image once gives the figures themselves.
  const everyImage = new Uint8Array(models[0].squaredError.length).fill(1);
  const figures = models.map((model) => scoreResample(model, everyImage));
  const results = resample(models, settings);
  const compared = (b: number): ComparedFigure[] =>
    figures[0].map((value, f) => compare([value, results[0][f]], [figures[b][f], results[b][f]], f, settings.level));
  return {
    confidence: results.map((of) => {
      const intervals = of.map((values) => interval(values, settings.level));
      return { ...settings, ...named(intervals, labelCount) };
    }),
    comparisons: models.slice(1).map((_, b) => ({ ...settings, ...named(compared(b + 1), labelCount) })),
  };
}

/** A figure of two models, each with its value and that of every resample. */
function compare(
  [a, inA]: [number, Float64Array],
  [b, inB]: [number, Float64Array],
  f: number,
  level: number,
): ComparedFigure {
  const differences = inA.map((resampled, r) => resampled - inB[r]);
  const sign = SUMMARY[f] === 'brier_macro' ? -1 : 1;
  const defined = differences.filter((difference) => !Number.isNaN(difference));
  return {
    a: figure(a),
    b: figure(b),
    difference: figure(a - b),
    interval: interval(differences, level),
    a_better: figure(defined.filter((difference) => sign * difference > 0).length / defined.length),
  };
}
