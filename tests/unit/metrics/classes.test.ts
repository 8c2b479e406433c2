/** Exclusive classes: what rounding must not decide, what is undefined, and what is refused. Parity: tests/parity. */
import {
  comparePredictions,
  computeMetrics,
  crossEntropyWithLogits,
  crossEntropyWithScores,
  macroAuc,
  predictionsOfLabel,
  sigmoid,
  softmax,
  tuneThresholds,
  type Predictions,
} from '../../../src/metrics';
import { logOdds } from '../../../src/metrics/log-odds';
import { predictionsOf } from '../../../src/metrics/loss';

const one = (numbers: number[], count: number) =>
  Uint8Array.from({ length: numbers.length * count }, (_, i) => Number(numbers[Math.floor(i / count)] === i % count));
const of = (truth: number[], logits: number[][], task: Predictions['task'] = 'multi-class') => {
  const labelCount = logits[0].length;
  return predictionsOf(task, { truth: one(truth, labelCount), logits: Float64Array.from(logits.flat()), labelCount });
};

test('images are ranked by log-odds: a softmax of 1 or 0 still says which is more certain', () => {
  // All probabilities round to 0 or 1, and yet class 0 is perfectly ranked against the rest.
  const input = of([1, 1, 0, 0], [[200, 0, 3], [300, 0, -9], [400, 0, 1], [500, 1, 2]]); // prettier-ignore
  expect(new Set(input.scores.filter((_, i) => i % 3 === 0))).toEqual(new Set([1]));
  expect(computeMetrics(input).auc.per_label[0]).toBe(1);
  expect(computeMetrics({ ...input, logits: undefined }).auc.per_label[0]).toBe(0.5);
  expect(macroAuc(input)).toBe(computeMetrics(input).auc.macro);
});

test('log-odds are those of the softmax, at any size, and those of a label are its curve', () => {
  const logits = [0.5, -1, 2, 2, 1000, 998.5, -1000, 0];
  const odds = logOdds(logits, 4);
  const scores = softmax(Float64Array.from(logits), 4);
  sigmoid(odds).forEach((p, i) => expect(p).toBeCloseTo(scores[i], 14));
  expect(odds[7]).toBe(-1000 - Math.log1p(Math.exp(-1.5)));
  const input = of([0, 1], [[1, 2], [3, -1]]); // prettier-ignore
  expect(predictionsOfLabel(input, 1)).toMatchObject({ labelCount: 1, truth: Uint8Array.of(0, 1) });
  expect([...predictionsOfLabel(input, 1).logits!]).toEqual([1, -4]);
});

test('the loss does not overflow, and is infinite only for a probability of 0', () => {
  expect(crossEntropyWithLogits(Float32Array.of(1000, 0, 0, 1000), Uint8Array.of(1, 0, 1, 0), 2)).toBe(500);
  expect(crossEntropyWithScores(Float64Array.of(1, 0, 0.25, 0.75), Uint8Array.of(1, 0, 1, 0), 2)).toBe(Math.log(4) / 2);
  expect(crossEntropyWithScores(Float64Array.of(1, 0), Uint8Array.of(0, 1), 2)).toBeNull();
});

test('a class that does not occur is undefined, not 0; a kappa of one class too', () => {
  const metrics = computeMetrics(of([0, 0, 1], [[3, 1, 0], [2, 1, 0], [1, 4, 0]], 'ordinal-regression')); // prettier-ignore
  expect(metrics.auc.per_label).toEqual([1, 1, null]);
  expect(metrics.balanced_accuracy).toEqual({ macro: 1, per_label: [1, 1, null] });
  expect(metrics.undefined).toEqual({ auc: [2], average_precision: [2], balanced_accuracy: [2] });
  expect(metrics).toMatchObject({ quadratic_weighted_kappa: 1, threshold: null, task: 'ordinal-regression' });
  expect(metrics.confusion_matrix).toEqual([[2, 0, 0], [0, 1, 0], [0, 0, 0]]); // prettier-ignore
  const same = computeMetrics(of([0, 0], [[1, 0], [2, 0]], 'ordinal-regression')); // prettier-ignore
  expect(same.quadratic_weighted_kappa).toBeNull();
});

test('intervals and comparisons hold the figures; the same model twice differs by nothing', () => {
  const truth = Array.from({ length: 60 }, (_, i) => i % 3);
  const logits = truth.map((label, i) => [0, 1, 2].map((k) => Math.sin(7 * i + k) + (k === label ? 1 : 0)));
  const input = of(truth, logits, 'ordinal-regression');
  const metrics = computeMetrics({ ...input, confidence: { resamples: 300 } });
  const { confidence } = metrics;
  for (const [name, value] of [
    ['accuracy_mean', metrics.accuracy.mean],
    ['balanced_accuracy_macro', metrics.balanced_accuracy.macro],
    ['f1_macro', metrics.f1.macro],
    ['auc_macro', metrics.auc.macro],
    ['quadratic_weighted_kappa', metrics.quadratic_weighted_kappa],
  ] as const) {
    const [low, high] = confidence![name]!;
    expect({ name, inside: low! < value! && value! < high! }).toEqual({ name, inside: true });
  }
  const { scores, logits: a, labelCount } = input;
  const compared = comparePredictions({
    ...{ task: 'ordinal-regression', truth: input.truth, labelCount },
    ...{ a: scores, b: scores, aLogits: a, bLogits: a, confidence: { resamples: 20 } },
  });
  expect(compared.accuracy_mean).toMatchObject({ a: metrics.accuracy.mean, difference: 0, interval: [0, 0] });
  expect(compared.quadratic_weighted_kappa).toMatchObject({ a: metrics.quadratic_weighted_kappa, difference: 0 });
});

test.each<[string, Partial<Predictions> & { threshold?: number }, string, string]>([
  ['two classes of one image', { truth: Uint8Array.of(1, 1, 0, 1) }, 'ERR_DATA_SHAPE', '2 classes for image 0'],
  ['no class', { truth: Uint8Array.of(1, 0, 0, 0) }, 'ERR_DATA_SHAPE', '0 classes for image 1'],
  ['sums that are not 1', { scores: Float64Array.of(0.9, 0.9, 0.5, 0.5) }, 'ERR_DATA_CORRUPT', 'add up to 1.8'],
  ['other logits', { logits: Float64Array.of(0, 5, 0, 0) }, 'ERR_DATA_CORRUPT', 'logits 0 (image 0, label 0)'],
  ['a threshold', { threshold: 0.4 }, 'ERR_CONFIG', 'thresholds for multi-class'],
  ['an unknown task', { task: 'regression' as never }, 'ERR_CONFIG', 'regression'],
])('%s: refused', (_case, changes, code, found) => {
  const input = { task: 'multi-class' as const, truth: Uint8Array.of(1, 0, 0, 1), labelCount: 2 };
  const work = () => computeMetrics({ ...input, scores: Float64Array.of(0.9, 0.1, 0.5, 0.5), ...changes });
  expect(work).toThrow(expect.objectContaining({ code, found: expect.stringContaining(found) as string }) as Error);
});

test('thresholds are not tuned for exclusive classes', () => {
  expect(() => tuneThresholds('val-f1', of([0, 1], [[1, 0], [0, 1]]))).toThrow(/thresholds for multi-class/); // prettier-ignore
});
