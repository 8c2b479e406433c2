/** The figures: against fixtures made by scikit-learn and torchmetrics, against the published matrices, and bad input. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  bceWithLogits,
  bceWithScores,
  calibrationCurve,
  computeMetrics,
  macroAuc,
  meanAccuracy,
  precisionRecallCurve,
  rocCurve,
  sigmoid,
} from '../../../src/metrics';
import { ChestMnistError } from '../../../src/base/errors';
import { expectFigures, inputOf, listed, type Case } from '../../support/metrics-cases';

const FOLDER = path.join(__dirname, '..', '..', 'fixtures', 'metrics');
type Fixture = Case & { expected: { figures: object; curves: Record<string, object> | null } };
const fixtures = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => [name, JSON.parse(readFileSync(path.join(FOLDER, name), 'utf8')) as Fixture] as const);

describe.each(fixtures)('%s', (_name, fixture) => {
  const input = inputOf(fixture);
  test('every figure equals the reference', () => {
    expectFigures(computeMetrics(input), fixture.expected.figures);
  });

  test('the cheap pair equals the full set', () => {
    const { auc, accuracy } = computeMetrics(input);
    expect(macroAuc(input)).toBe(auc.macro);
    expect(meanAccuracy(input, input.threshold)).toBeCloseTo(accuracy.mean, 12);
  });

  test('the curves of the first label equal the reference', () => {
    const { curves } = fixture.expected;
    if (!curves) return expect(new Set(fixture.labels.map((row) => row[0])).size).toBe(1);
    const yTrue = Uint8Array.from(fixture.labels, (row) => row[0]);
    const yScore = Float64Array.from(fixture.scores, (row) => row[0]);
    const actual = {
      roc: rocCurve(yTrue, yScore),
      roc_all: rocCurve(yTrue, yScore, { dropIntermediate: false }),
      pr: precisionRecallCurve(yTrue, yScore),
      pr_dropped: precisionRecallCurve(yTrue, yScore, { dropIntermediate: true }),
      uniform: calibrationCurve(yTrue, yScore),
      quantile: calibrationCurve(yTrue, yScore, { strategy: 'quantile' }),
    };
    for (const [name, curve] of Object.entries(actual)) expectFigures(listed(curve), curves[name], 1e-12, name);
    expect(actual.uniform.count.reduce((sum, count) => sum + count, 0)).toBe(yTrue.length);
  });
});

describe('the published run of anchors: 14 confusion matrices of 22,433 images', () => {
  const n = 22_433;
  const matrices = [
    [19917, 96, 2345, 75],
    [21794, 57, 517, 65],
    [19352, 327, 2287, 467],
    [18199, 296, 3680, 258],
    [21169, 131, 1045, 88],
    [21096, 2, 1334, 1],
    [22191, 0, 242, 0],
    [21269, 75, 1059, 30],
    [21475, 1, 957, 0],
    [21960, 60, 388, 25],
    [21920, 4, 508, 1],
    [22071, 0, 362, 0],
    [21698, 1, 734, 0],
    [22391, 0, 42, 0],
  ];
  const truth = new Uint8Array(n * 14);
  const scores = new Float64Array(n * 14);
  matrices.forEach(([tn, fp, fn, tp], label) => {
    let image = 0;
    for (const [count, value, score] of [
      [tn, 0, 0.1],
      [fp, 0, 0.9],
      [fn, 1, 0.1],
      [tp, 1, 0.9],
    ]) {
      for (let i = 0; i < count; i++, image++) {
        truth[image * 14 + label] = value;
        scores[image * 14 + label] = score;
      }
    }
    if (image !== n) throw new Error(`label ${label} has ${image} images`);
  });
  const metrics = computeMetrics({ truth, scores, labelCount: 14 });

  test('accuracy is below that of predicting nothing', () => {
    expect(metrics.accuracy.mean).toBeCloseTo(0.947303, 6);
    expect(metrics.all_negative.accuracy).toBeCloseTo(0.947431, 6);
    expect(metrics.all_negative.f1_macro).toBe(0);
  });
  test('micro and macro figures', () => {
    expect(metrics.precision.micro).toBeCloseTo(0.49, 3);
    expect(metrics.recall.micro).toBeCloseTo(0.061, 3);
    expect(metrics.f1.micro).toBeCloseTo(0.109, 3);
    expect(metrics.recall.macro).toBeCloseTo(0.039, 3);
    expect(metrics.f1.macro).toBeCloseTo(0.065, 3);
  });
  test('the matrices come back as [[tn, fp], [fn, tp]]', () => {
    expect(metrics.confusion.map((matrix) => matrix.flat())).toEqual(matrices);
  });
  test('five labels have no true positive', () => {
    expect(metrics.recall.per_label.filter((value) => value === 0)).toHaveLength(5);
  });
});

describe('undefined figures', () => {
  test('are null, left out of the mean and listed', () => {
    const none = computeMetrics({
      truth: Uint8Array.of(0, 1, 0, 0),
      scores: Float64Array.of(0.2, 0.8, 0.4, 0.1),
      labelCount: 2,
    });
    expect(none.auc).toEqual({ macro: 1, micro: 1, per_label: [null, 1] });
    expect(none.average_precision.per_label).toEqual([null, 1]);
    expect(none.balanced_accuracy.macro).toBe(1);
    expect(none.undefined).toEqual({ auc: [0], average_precision: [0], balanced_accuracy: [0] });
    expect(none.recall.per_label).toEqual([0, 1]);
    expect(none.mcc.per_label[0]).toBe(0);
  });
  test('without negatives: specificity as well, but not average precision', () => {
    const all = computeMetrics({ truth: Uint8Array.of(1, 1), scores: Float64Array.of(0.2, 0.8), labelCount: 1 });
    expect(all.undefined).toEqual({ auc: [0], balanced_accuracy: [0], specificity: [0] });
    expect(all.auc.macro).toBeNull();
    expect(all.average_precision.macro).toBe(1);
    expect(all.all_negative.auc_macro).toBeNull();
  });
  test('none is undefined: the list is empty', () => {
    const truth = Uint8Array.of(0, 1, 1, 0);
    expect(computeMetrics({ truth, scores: new Float64Array(4), labelCount: 2 }).undefined).toEqual({});
  });
  test('the result is JSON without NaN', () => {
    const metrics = computeMetrics({
      truth: Uint8Array.of(0),
      scores: Float64Array.of(0.3),
      labelCount: 1,
      confidence: { resamples: 5 },
    });
    expect(JSON.parse(JSON.stringify(metrics))).toEqual(metrics);
  });
});

describe('decisions', () => {
  test('a score equal to the threshold is not decided for', () => {
    const { confusion } = computeMetrics({
      truth: Uint8Array.of(1, 1),
      scores: Float64Array.of(0.5, 0.6),
      labelCount: 1,
    });
    expect(confusion).toEqual([
      [
        [0, 0],
        [1, 1],
      ],
    ]);
  });
  test('the threshold is reported as it was given', () => {
    const input = { truth: Uint8Array.of(1, 0), scores: Float64Array.of(0.5, 0.6), labelCount: 2 };
    expect(computeMetrics(input).threshold).toBe(0.5);
    expect(computeMetrics({ ...input, threshold: Float32Array.of(0.25, 0.5) }).threshold).toEqual([0.25, 0.5]);
  });
});

describe('sigmoid and loss', () => {
  test('extreme logits neither overflow nor lose small probabilities', () => {
    const scores = sigmoid(Float64Array.of(-1000, -700, -1, 0, 1, 1000));
    expect([...scores]).toEqual([0, expect.any(Number), expect.any(Number), 0.5, expect.any(Number), 1]);
    expect(scores[1] / Math.exp(-700)).toBeCloseTo(1, 12);
    expect(scores[2] + scores[4]).toBeCloseTo(1, 15);
  });
  test('the loss of logits is exact where probabilities saturate', () => {
    expect(bceWithLogits(Float32Array.of(0, 0), Uint8Array.of(0, 1))).toBeCloseTo(Math.LN2, 15);
    expect(bceWithLogits(Float32Array.of(-200, 200), Uint8Array.of(1, 0))).toBe(200);
    expect(bceWithLogits(Float64Array.of(-40), Uint8Array.of(0)) / Math.exp(-40)).toBeCloseTo(1, 12);
  });
  test('the loss of probabilities is that of their logits; infinite is null', () => {
    const logits = Float64Array.of(-3, 0.2, 5, -0.7);
    const truth = Uint8Array.of(0, 1, 1, 1);
    expect(bceWithScores(sigmoid(logits), truth)).toBeCloseTo(bceWithLogits(logits, truth), 12);
    expect(bceWithScores(Float64Array.of(0), Uint8Array.of(1))).toBeNull();
  });
});

describe('bad input', () => {
  const truth = Uint8Array.of(0, 1, 1, 0);
  const scores = Float64Array.of(0.1, 0.9, 0.8, 0.2);
  const good = { truth, scores, labelCount: 2 };
  const cases: [string, object, string, RegExp][] = [
    ['NaN score', { scores: Float64Array.of(0.1, NaN, 0.8, 0.2) }, 'ERR_DATA_CORRUPT', /NaN \(image 0, label 1\)/],
    [
      'infinite score',
      { scores: Float64Array.of(0.1, 0.9, 0.8, -Infinity) },
      'ERR_DATA_CORRUPT',
      /-Infinity \(image 1, label 1\)/,
    ],
    ['score above 1', { scores: Float64Array.of(0.1, 0.9, 1.5, 0.2) }, 'ERR_DATA_CORRUPT', /1\.5 \(image 1, label 0\)/],
    ['score below 0', { scores: Float64Array.of(-0.1, 0.9, 0.5, 0.2) }, 'ERR_DATA_CORRUPT', /-0\.1/],
    ['other lengths', { scores: Float64Array.of(0.1) }, 'ERR_DATA_SHAPE', /4 values.* 1\./],
    ['label of 2', { truth: Uint8Array.of(0, 2, 1, 0) }, 'ERR_DATA_SHAPE', /2 \(image 0, label 1\)/],
    ['no image', { truth: new Uint8Array(0), scores: new Float64Array(0) }, 'ERR_DATA_SHAPE', /at least one image/],
    ['broken rows', { labelCount: 3 }, 'ERR_DATA_SHAPE', /multiple of 3/],
    ['labelCount 0', { labelCount: 0 }, 'ERR_DATA_SHAPE', /labelCount is 0/],
    ['two thresholds for three labels', { threshold: [0.5] }, 'ERR_CONFIG', /1 thresholds for 2/],
    ['thresholds, which would be ignored', { thresholds: [0.1, 0.2] }, 'ERR_CONFIG', /thresholds.*threshold: one/],
    ['threshold NaN', { threshold: NaN }, 'ERR_CONFIG', /threshold NaN/],
    ['threshold above 1', { threshold: [0.5, 1.1] }, 'ERR_CONFIG', /1\.1 \(label 1\)/],
    ['no resamples', { confidence: { resamples: 0 } }, 'ERR_CONFIG', /resamples is 0/],
    ['endless resamples', { confidence: { resamples: 1e9 } }, 'ERR_CONFIG', /resamples/],
    ['half a seed', { confidence: { seed: 0.5 } }, 'ERR_CONFIG', /seed is 0\.5/],
    ['level 95', { confidence: { level: 95 } }, 'ERR_CONFIG', /level is 95/],
  ];
  test.each(cases)('%s', (_name, change, code, message) => {
    const act = () => computeMetrics({ ...good, ...change });
    expect(act).toThrow(ChestMnistError);
    expect(act).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) as string }));
  });
  test.each([
    ['of rounding, with how to cut it off', Float64Array.of(0.1, 0.9, 1.0000001, 0), /clip/],
    ['of rounding below 0', Float64Array.of(0.1, 0.9, 1, -6e-8), /clip/],
    ['of logits', Float64Array.of(0.1, 0.9, 1.0000001, -4), /sigmoid\(\)/],
  ])('scores beyond 0 to 1 %s', (_name, scores, next) => {
    expect(() => computeMetrics({ ...good, scores })).toThrow(
      expect.objectContaining({ code: 'ERR_DATA_CORRUPT', next: expect.stringMatching(next) as string }),
    );
  });
  test.each([
    ['of another shape', Float32Array.of(1), 'ERR_DATA_SHAPE', /4 values.* 1\./],
    ['not finite', Float32Array.of(1, NaN, 1, 1), 'ERR_DATA_CORRUPT', /logits holds NaN/],
    ['of other scores', Float32Array.of(0, 0, 9, 0), 'ERR_DATA_CORRUPT', /are the sigmoid of logits/],
  ])('logits %s', (_name, logits, code, message) => {
    const given = { ...good, scores: Float64Array.of(0.5, 0.5, 0.5, 0.5), logits };
    expect(() => computeMetrics(given)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) as string }),
    );
  });
  test('ranking takes any finite score, so logits', () => {
    expect(macroAuc({ truth, scores: Float32Array.of(-5, 3, 12, -1), labelCount: 2 })).toBe(1);
    expect(() => macroAuc({ truth, scores: Float32Array.of(-5, NaN, 12, -1), labelCount: 2 })).toThrow(ChestMnistError);
  });
});
