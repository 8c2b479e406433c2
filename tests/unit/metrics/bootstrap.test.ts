/** The bootstrap: against a slow version written from its definition, for coverage, and the paired comparison. */
import { Random } from '../../../src/base/random';
import {
  comparePredictions,
  computeMetrics,
  macroAuc,
  predictionsOfLabel,
  sigmoid,
  type Predictions,
} from '../../../src/metrics';
import type { Confidence, Figure, Interval, Metrics, SummaryFigure } from '../../../src/metrics/types';
import { draw, expectFigures } from '../../support/metrics-cases';

/** Images drawn with replacement, as the same generator draws them. */
function resampled({ truth, scores, labelCount }: Predictions, random: Random): Predictions {
  const n = truth.length / labelCount;
  const images = Array.from({ length: n }, () => random.below(n));
  const rows = <T extends Uint8Array | Float64Array>(values: T): number[] =>
    images.flatMap((image) => [...values.subarray(image * labelCount, (image + 1) * labelCount)]);
  return { truth: Uint8Array.from(rows(truth)), scores: Float64Array.from(rows(scores as Float64Array)), labelCount };
}

function percentile(values: Figure[], q: number): number | null {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const at = q * (sorted.length - 1);
  const low = sorted[Math.floor(at)];
  return low + (sorted[Math.ceil(at)] - low) * (at - Math.floor(at));
}

const SUMMARY: Record<SummaryFigure, (metrics: Metrics) => Figure> = {
  auc_macro: ({ auc }) => auc.macro,
  average_precision_macro: ({ average_precision }) => average_precision.macro,
  accuracy_mean: ({ accuracy }) => accuracy.mean,
  balanced_accuracy_macro: ({ balanced_accuracy }) => balanced_accuracy.macro,
  specificity_macro: ({ specificity }) => specificity.macro,
  mcc_macro: ({ mcc }) => mcc.macro,
  precision_macro: ({ precision }) => precision.macro,
  recall_macro: ({ recall }) => recall.macro,
  f1_macro: ({ f1 }) => f1.macro,
  precision_micro: ({ precision }) => precision.micro,
  recall_micro: ({ recall }) => recall.micro,
  f1_micro: ({ f1 }) => f1.micro,
  brier_macro: ({ brier }) => brier.macro,
};

function slowConfidence(
  input: Predictions & { threshold?: number | number[] },
  options: { resamples: number; seed: number; level: number },
) {
  const random = new Random(options.seed, 0, 0);
  const runs = Array.from({ length: options.resamples }, () =>
    computeMetrics({ ...resampled(input, random), threshold: input.threshold }),
  );
  const interval = (of: (metrics: Metrics) => Figure): Interval => [
    percentile(runs.map(of), (1 - options.level) / 2),
    percentile(runs.map(of), (1 + options.level) / 2),
  ];
  const each = (of: (metrics: Metrics) => Figure[]): Interval[] =>
    Array.from({ length: input.labelCount }, (_, label) => interval((metrics) => of(metrics)[label]));
  return {
    ...options,
    ...Object.fromEntries(Object.entries(SUMMARY).map(([name, of]) => [name, interval(of)])),
    auc_per_label: each(({ auc }) => auc.per_label),
    average_precision_per_label: each(({ average_precision }) => average_precision.per_label),
  };
}

describe('intervals equal those of scoring every resample anew', () => {
  const options = { resamples: 60, seed: 7, level: 0.9 };
  test.each([
    ['many distinct scores', draw(1, 120, 3)],
    ['many ties', draw(2, 90, 3, { steps: 5 })],
    ['constant scores', draw(3, 40, 2, { steps: 0.5 })],
    ['rare labels, undefined in some resamples', draw(4, 30, 4, { prevalence: 0.05 })],
    ['a label in every image', { ...draw(5, 25, 1), truth: new Uint8Array(25).fill(1) }],
    ['no positive at all', { ...draw(6, 25, 2), truth: new Uint8Array(50) }],
    ['more than 255 images', draw(7, 400, 2)],
  ])('%s', (_name, input) => {
    expectFigures(computeMetrics({ ...input, confidence: options }).confidence, slowConfidence(input, options), 1e-12);
  });
  test('with thresholds, one of them the score of a positive', () => {
    const input = { ...draw(8, 100, 2, { steps: 10 }), threshold: [0.3, 0.75] };
    expectFigures(computeMetrics({ ...input, confidence: options }).confidence, slowConfidence(input, options), 1e-12);
  });
});

describe('logits whose probabilities are all 1', () => {
  const confidence = { resamples: 60, seed: 7, level: 0.9 };
  const ranks = draw(12, 120, 3, { steps: 50 });
  const logits = ranks.scores.map((score) => 98 + score);
  const input = { ...ranks, logits, scores: sigmoid(logits) };
  const names = ['auc_macro', 'average_precision_macro', 'auc_per_label', 'average_precision_per_label'] as const;
  const decided = ['f1_macro', 'accuracy_mean', 'brier_macro'] as const;

  test('intervals are those of the ranks, and of the decisions by probability', () => {
    const of = computeMetrics({ ...input, confidence }).confidence!;
    const byRank = computeMetrics({ ...ranks, confidence }).confidence!;
    const byScore = computeMetrics({ ...input, logits: undefined, confidence }).confidence!;
    for (const name of names) expect(of[name]).toEqual(byRank[name]);
    for (const name of decided) expect(of[name]).toEqual(byScore[name]);
    expect(byScore.auc_macro).toEqual([0.5, 0.5]);
  });
  test('two models are compared by their ranks', () => {
    const of = { truth: ranks.truth, labelCount: 3, confidence };
    const { auc_macro } = comparePredictions({ ...of, a: input.scores, aLogits: logits, b: input.scores });
    expect([auc_macro.a, auc_macro.b]).toEqual([computeMetrics(ranks).auc.macro, 0.5]);
  });
  test('and so is one label', () => {
    const label = predictionsOfLabel(input, 1);
    expect(macroAuc(label)).toBe(computeMetrics(ranks).auc.per_label[1]);
  });
});

describe('settings', () => {
  const input = draw(9, 60, 2);
  const of = (confidence: object): Confidence => computeMetrics({ ...input, confidence }).confidence!;
  test('defaults: 2,000 resamples, seed 0, level 0.95', () => {
    expect(of({})).toMatchObject({ resamples: 2000, seed: 0, level: 0.95 });
  });
  test('a seed gives the same intervals again, another seed others', () => {
    expect(of({ resamples: 50, seed: 3 })).toEqual(of({ resamples: 50, seed: 3 }));
    expect(of({ resamples: 50, seed: 4 }).auc_macro).not.toEqual(of({ resamples: 50, seed: 3 }).auc_macro);
    expect(of({ resamples: 50, seed: 3 + 2 ** 33 }).auc_macro).not.toEqual(of({ resamples: 50, seed: 3 }).auc_macro);
  });
  test('not asked for, not there', () => {
    expect(computeMetrics(input)).not.toHaveProperty('confidence');
  });
});

test('95 % intervals contain the value of the population in about 95 of 100 samples', () => {
  const population = computeMetrics(draw(10, 100_000, 1));
  const inside = { auc: 0, f1: 0 };
  const trials = 100;
  for (let trial = 0; trial < trials; trial++) {
    const { auc_macro, f1_macro } = computeMetrics({
      ...draw(1000 + trial, 200, 1),
      confidence: { resamples: 120 },
    }).confidence!;
    if (auc_macro[0]! <= population.auc.macro! && population.auc.macro! <= auc_macro[1]!) inside.auc++;
    if (f1_macro[0]! <= population.f1.macro! && population.f1.macro! <= f1_macro[1]!) inside.f1++;
  }
  for (const count of Object.values(inside)) {
    expect(count / trials).toBeGreaterThan(0.87);
    expect(count / trials).toBeLessThan(0.995);
  }
});

describe('paired comparison', () => {
  const strong = draw(11, 300, 3, { gain: 0.6 });
  const weak = Float64Array.from(strong.scores, (score, i) => (score + ((i * 7919) % 1000) / 1000) / 2);
  const compare = (a: Float64Array, b: Float64Array) =>
    comparePredictions({ truth: strong.truth, a, b, labelCount: 3, confidence: { resamples: 200, seed: 1 } });

  test('the figures are those of each model alone', () => {
    const comparison = compare(strong.scores, weak);
    const [a, b] = [strong.scores, weak].map((scores) => computeMetrics({ ...strong, scores }));
    for (const [name, of] of Object.entries(SUMMARY)) {
      const figure = comparison[name as SummaryFigure];
      expectFigures([figure.a, figure.b, figure.difference], [of(a), of(b), of(a)! - of(b)!], 1e-12);
    }
    expectFigures(
      comparison.auc_per_label.map(({ b }) => b),
      b.auc.per_label,
      1e-12,
    );
    expectFigures(
      comparison.average_precision_per_label.map(({ a }) => a),
      a.average_precision.per_label,
      1e-12,
    );
  });
  test('a clearly better model wins nearly always, also where lower is better', () => {
    const comparison = compare(strong.scores, weak);
    expect(comparison.auc_macro.difference).toBeGreaterThan(0.05);
    expect(comparison.auc_macro.interval[0]).toBeGreaterThan(0);
    expect(comparison.auc_macro.a_better).toBe(1);
    const brier = comparison.brier_macro;
    expect(brier.a_better).toBe(brier.difference! < 0 ? 1 : 0);
  });
  test('swapped models give the mirrored answer', () => {
    const [there, back] = [compare(strong.scores, weak).auc_macro, compare(weak, strong.scores).auc_macro];
    expectFigures(back.interval, there.interval.map((value) => -value!).reverse(), 1e-12);
    expect(back.a_better! + there.a_better!).toBe(1);
  });
  test('both are scored on the same resamples: a model against itself differs nowhere', () => {
    const { auc_macro, brier_macro } = compare(weak, weak);
    expect(auc_macro).toMatchObject({ difference: 0, interval: [0, 0], a_better: 0 });
    expect(brier_macro).toMatchObject({ difference: 0, interval: [0, 0], a_better: 0 });
  });
  test('undefined for a label without positives', () => {
    const truth = strong.truth.map((value, i) => (i % 3 === 0 ? 0 : value));
    const { auc_per_label } = comparePredictions({
      truth,
      a: strong.scores,
      b: weak,
      labelCount: 3,
      confidence: { resamples: 20 },
    });
    expect(auc_per_label[0]).toEqual({ a: null, b: null, difference: null, interval: [null, null], a_better: null });
  });
});
