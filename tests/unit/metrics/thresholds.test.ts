/** Threshold tuning: against trying every threshold, its tie rules, and labels that cannot be tuned. */
import fc from 'fast-check';
import {
  computeMetrics,
  decide,
  parseThresholdRule,
  parseThresholds,
  tuneThresholds,
  untunedLabels,
} from '../../../src/metrics';
import type { ThresholdRule } from '../../../src/metrics/types';

const one = (labels: number[], scores: number[]) => ({
  truth: Uint8Array.from(labels),
  scores: Float64Array.from(scores),
  labelCount: 1,
});

const predictions = fc
  .array(
    fc.tuple(
      fc.integer({ min: 0, max: 1 }),
      fc.oneof(
        fc.integer({ min: 0, max: 8 }).map((k) => k / 8),
        fc.double({ min: 0, max: 1, noNaN: true }),
      ),
    ),
    {
      minLength: 2,
      maxLength: 40,
    },
  )
  .filter((rows) => rows.some(([label]) => label === 1) && rows.some(([label]) => label === 0))
  .map((rows) =>
    one(
      rows.map(([label]) => label),
      rows.map(([, score]) => score),
    ),
  );

/** Every decision a threshold from 0 to 1 can lead to: one threshold at each distinct score, and 0. */
const allThresholds = (scores: Float64Array): number[] => [...new Set([0, ...scores])].sort((a, b) => b - a);
const at = (input: ReturnType<typeof one>, threshold: number) => computeMetrics({ ...input, threshold });

const QUALITY: [ThresholdRule, (metrics: ReturnType<typeof computeMetrics>) => number][] = [
  ['val-f1', ({ f1 }) => f1.macro!],
  ['val-youden', ({ recall, specificity }) => recall.macro! + specificity.macro! - 1],
];

test.each(QUALITY)('%s reaches the best of all thresholds, with the fewest decisions', (rule, quality) => {
  fc.assert(
    fc.property(predictions, (input) => {
      const [threshold] = tuneThresholds(rule, input);
      const reached = quality(at(input, threshold));
      const options = allThresholds(input.scores).map((value) => [quality(at(input, value)), value]);
      const best = Math.max(...options.map(([value]) => value));
      expect(reached).toBeCloseTo(best, 12);
      const highest = options.find(([value]) => best - value < 1e-12)![1];
      expect([...decide(input.scores, 1, threshold)]).toEqual([...decide(input.scores, 1, highest)]);
    }),
    { seed: 1, numRuns: 300 },
  );
});

test('val-sensitivity=S is the highest threshold that reaches S', () => {
  fc.assert(
    fc.property(predictions, fc.constantFrom(0.1, 0.5, 0.7, 0.9, 1), (input, wanted) => {
      const [threshold] = tuneThresholds(`val-sensitivity=${wanted}`, input);
      const highest = allThresholds(input.scores).find((value) => at(input, value).recall.macro! >= wanted) ?? 0;
      expect([...decide(input.scores, 1, threshold)]).toEqual([...decide(input.scores, 1, highest)]);
    }),
    { seed: 2, numRuns: 300 },
  );
});

test('the threshold is the midpoint between the scores it separates', () => {
  expect(tuneThresholds('val-f1', one([0, 0, 1, 1], [0.1, 0.3, 0.7, 0.9]))).toEqual([0.5]);
  expect(tuneThresholds('val-sensitivity=0.5', one([0, 0, 1, 1], [0.125, 0.25, 0.5, 1]))).toEqual([0.75]);
  // Below the lowest score lies 0, above the highest 1.
  expect(tuneThresholds('val-f1', one([1, 1], [0.5, 0.75]))).toEqual([0.25]);
  expect(tuneThresholds('val-youden', one([1, 0], [0.25, 0.5]))).toEqual([0.75]);
});

test.each([0, 1, 2, 3])('neighbouring doubles are still separated by the strict decision (%i)', (k) => {
  const ulp = 2 ** -54; // of doubles from 0.25 to 0.5; the midpoint of two rounds up for every other k
  const input = one([0, 1], [0.3 + k * ulp, 0.3 + (k + 1) * ulp]);
  expect(input.scores[1]).toBeGreaterThan(input.scores[0]);
  expect([...decide(input.scores, 1, tuneThresholds('val-f1', input))]).toEqual([0, 1]);
});

describe('labels that cannot be tuned keep 0.5 and are listed', () => {
  // Columns: no positive, all positive, both.
  const input = {
    truth: Uint8Array.of(0, 1, 1, 0, 1, 0),
    scores: Float64Array.of(0.2, 0.3, 0.8, 0.1, 0.4, 0.2),
    labelCount: 3,
  };
  test.each<[ThresholdRule, number[]]>([
    ['val-f1', [0]],
    ['val-sensitivity=0.9', [0]],
    ['val-youden', [0, 1]],
  ])('%s', (rule, untuned) => {
    expect(untunedLabels(rule, input)).toEqual(untuned);
    const thresholds = tuneThresholds(rule, input);
    expect(thresholds).toEqual([0.5, untuned.includes(1) ? 0.5 : 0.15, 0.5]);
  });
});

describe('reading rules and thresholds', () => {
  test.each(['val-f1', 'val-youden', 'val-sensitivity=0.9', 'val-sensitivity=1', 'val-sensitivity=0.5'])(
    '%s',
    (rule) => {
      expect(parseThresholdRule(rule)).toBe(rule);
    },
  );
  test.each(['.5', '0.50', '5e-1', '+0.5', '00.5', '0.05E1'])(
    'val-sensitivity=%s is the same rule as 0.5',
    (number) => {
      const rule = `val-sensitivity=${number}` as ThresholdRule;
      expect(parseThresholdRule(rule)).toBe('val-sensitivity=0.5');
      const input = one([0, 1, 1], [0.2, 0.4, 0.6]);
      expect(tuneThresholds(rule, input)).toEqual(tuneThresholds('val-sensitivity=0.5', input));
    },
  );
  test.each([
    'val-sensitivity=0x1',
    'val-sensitivity=',
    'val-sensitivity= ',
    'val-sensitivity=1,0',
    'val-sensitivity=-0.5',
    'f1',
    'val-sensitivity',
    'val-sensitivity=0',
    'val-sensitivity=1.1',
    'val-sensitivity=x',
    '',
  ])('not %p', (rule) => {
    expect(() => parseThresholdRule(rule)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
    expect(() => tuneThresholds(rule as ThresholdRule, one([0, 1], [0, 1]))).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG' }),
    );
  });
  test('a number, a list, or an object that holds them', () => {
    expect(parseThresholds('0.25')).toBe(0.25);
    expect(parseThresholds('[0.1, 0.2]')).toEqual([0.1, 0.2]);
    expect(parseThresholds('{"thresholds": [0.1, 0.2], "rule": "val-f1"}')).toEqual([0.1, 0.2]);
  });
  test.each(['', '{}', '"0.5"', '[0.1, null]', 'null', '{"thresholds": "x"}'])('not %p', (text) => {
    expect(() => parseThresholds(text)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
  });
});
