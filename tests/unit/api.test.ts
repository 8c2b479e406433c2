/**
 * The API against callers without TypeScript: every exported function, with every argument and every field of it replaced
 * by what does not belong there. It works or ends with a ChestMnistError, never with an error of its own or in silence.
 * What the functions compute is tested where they live; what training does, in tests/cli/api.test.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import * as api from '../../src';
import { ChestMnistError } from '../../src/base/errors';
import * as metrics from '../../src/metrics';

const folder = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-api-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => path.join(folder, name);

const truth = Uint8Array.of(0, 1, 1, 0);
const scores = Float64Array.of(0.1, 0.9, 0.8, 0.2);
const predictions = { truth, scores, labelCount: 2 };
const confidence = { resamples: 5, seed: 1, level: 0.9 };
const threshold = [0.5, 0.4];
const entry = { name: 'a', dtype: 'F32', shape: [2, 1], data: Float32Array.of(1, 2) };
const signal = new AbortController().signal;
const onProgress = (): void => {};

/** A call of each function that is in order, except that no data, run or weights are there. */
const CALLS: Record<string, unknown[]> = {
  train: [
    { data: at('none.npz'), out: at('runs'), device: 'cpu', milestones: ['50%', 3], labelNames: ['a'], threads: 1 },
    { signal },
  ],
  evaluate: [
    at('none'),
    {
      ...{
        split: 'val',
        data: 'synthetic',
        size: 28,
        thresholds: [0.5],
        limit: 3,
        device: 'cpu',
        threads: 1,
        precision: 'bf16',
      },
      ...{ batchSize: 4, resamples: 5, onProgress, signal, resize: 28, labelNames: ['a'], weightsKey: 'ema' },
    },
  ],
  predict: [
    at('none'),
    [at('a.png')],
    {
      ...{ thresholds: 'val-f1', device: 'cpu', threads: 1, precision: 'bf16', batchSize: 4, signal, size: 28 },
      ...{ resize: 56, strict: true },
    },
  ],
  explain: [
    at('none'),
    [at('a.png')],
    { output: at('maps'), method: 'occlusion', data: at('none.npz'), device: 'cpu', signal, resize: 28 },
  ],
  compareRuns: [
    [at('none'), at('none.npz')],
    {
      ...{ split: 'val', thresholds: 'val-f1', labels: at('none.npz'), task: 'multi-label', labelNames: ['a'] },
      ...{ resamples: 5, seed: 1, output: at('none.html') },
    },
  ],
  listRuns: [at('none'), { sort: 'name' }],
  loadDataset: ['synthetic', { size: 28, seed: 1, counts: { train: 1, val: 1, test: 1 }, onProgress, signal }],
  tune: [
    { data: at('none.npz'), out: at('runs'), device: 'cpu', space: { lr: [1e-3, 1e-4] }, trials: 2, threads: 1 },
    { signal, onEvent: () => {} },
  ],
  importImages: [
    {
      ...{ folder: at('none'), output: at('none.npz'), table: at('none.csv'), size: 64, labels: ['a'], image: 'b' },
      ...{ group: 'c', split: '70/10/20', uncertain: 'one', fit: 'pad', window: [100, 50], seed: 1, strict: true },
      ...{ force: true, license: 'CC0', onNote: onProgress, onProgress, signal },
    },
  ],
  loadWeights: [at('none.pth'), { key: 'ema' }],
  saveWeights: [at('a.pth'), [entry, { ...entry, name: 'b' }], { a: 'b' }],
  expandToRgb: [new Uint8Array(8), 2, 2, 2],
  bceWithLogits: [scores, truth],
  bceWithScores: [scores, truth],
  crossEntropyWithLogits: [scores, truth, 2],
  crossEntropyWithScores: [scores, truth, 2],
  calibrationCurve: [truth, scores, { bins: 5, strategy: 'quantile' }],
  comparePredictions: [{ truth, a: scores, b: scores, labelCount: 2, threshold, confidence }],
  computeMetrics: [{ ...predictions, threshold, confidence, loss: 0.3 }],
  decide: [scores, 2, threshold],
  macroAuc: [predictions],
  macroAveragePrecision: [predictions],
  meanAccuracy: [predictions, threshold],
  parseThresholdRule: ['val-f1'],
  parseThresholds: ['0.5'],
  precisionRecallCurve: [truth, scores, { dropIntermediate: true }],
  predictionsOfLabel: [predictions, 1],
  rocCurve: [truth, scores, { dropIntermediate: false }],
  sigmoid: [scores],
  softmax: [scores, 2],
  tuneThresholds: ['val-f1', predictions],
  untunedLabels: ['val-f1', predictions],
};

const WRONG = [
  ...[null, true, 'x', '', NaN, Infinity, -1, 0, 0.5, 2, 1e15, 1e300, 5n, Symbol('s'), () => {}, [], {}, new Date(0)],
  ...[[null], ['x'], [NaN], [[]], Uint8Array.of(7), BigInt64Array.of(1n), { length: 1e15 }, Object.create(null)],
];

/** The places in a value that can be replaced: itself, and the fields and elements of objects and arrays. */
function* places(value: unknown, here: (string | number)[]): Generator<(string | number)[]> {
  yield here;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof AbortSignal) return;
  for (const [name, field] of Object.entries(value)) yield* places(field, [...here, name]);
}

function replaced(value: unknown, [first, ...rest]: (string | number)[], by: unknown): unknown {
  if (first === undefined) return by;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  copy[first] = replaced(copy[first], rest, by);
  return copy;
}

const functions = Object.entries({ ...api, ...metrics }).filter(
  ([name, value]) => typeof value === 'function' && name !== 'ChestMnistError',
) as unknown as [string, (...args: unknown[]) => unknown][];

test('every function of the API is called below', () => {
  expect(functions.map(([name]) => name).sort()).toEqual(Object.keys(CALLS).sort());
});

/** What became of a call: undefined, or an error. */
async function outcome(act: (...args: unknown[]) => unknown, args: unknown[]): Promise<unknown> {
  try {
    await act(...args);
    return undefined;
  } catch (error) {
    return error;
  }
}

test.each(functions)('%s: a wrong argument or field is a ChestMnistError', async (name, act) => {
  const raw: string[] = [];
  const whole = CALLS[name];
  const none = Array.from(whole.keys(), (count) => whole.slice(0, count));
  // Without its options, training starts on real data where there are some, and the synthetic data set is large.
  const mayLack = name === 'train' || name === 'loadDataset' ? none.slice(0, 0) : none;
  const wrong = [...places(whole, [])].slice(1).flatMap((place) => {
    const values =
      name === 'train' && place.length === 1 && place[0] === '0'
        ? WRONG.filter((value) => typeof value !== 'object')
        : WRONG;
    const counts = name === 'loadDataset' && (place.length === 1 || place.at(-1) === 'counts');
    const plain = counts ? values.filter((value) => typeof value !== 'object') : values;
    return plain.map((by) => ({ place, by, args: replaced(whole, place, by) as unknown[] }));
  });
  for (const { place, by, args } of [...wrong, ...mayLack.map((args) => ({ place: [], by: 'nothing', args }))]) {
    const error = await outcome(act, args);
    if (error !== undefined && !(error instanceof api.ChestMnistError))
      raw.push(`${place.join('.')} = ${inspect(by)}: ${inspect(error)}`);
  }
  expect(raw).toEqual([]);
  // What is in order is not refused for its arguments.
  const error = (await outcome(act, whole)) as api.ChestMnistError | undefined;
  expect(error?.found ?? 'none').toMatch(/^none$|none/);
});

const call = (name: string, ...args: unknown[]): unknown =>
  ({ ...api, ...metrics })[name as 'sigmoid'](...(args as [Float64Array]));
const with2 = (change: object): unknown[] => [{ ...predictions, ...change }];

/** What docs/api.md promises of arguments that are refused: the code, and the argument that the message names. */
test.each<readonly [promise: string, name: string, args: readonly unknown[], code: string, named: string]>([
  ['labels of 0.5', 'computeMetrics', with2({ truth: [0, 0.5, 1, 1] }), 'ERR_DATA_SHAPE', 'truth holds 0.5 (image 0'],
  ['labels of booleans', 'computeMetrics', with2({ truth: [true, false, true, false] }), 'ERR_DATA_SHAPE', 'truth'],
  ['labels of text', 'macroAuc', with2({ truth: ['1', '0', '1', '0'] }), 'ERR_DATA_SHAPE', 'truth holds "1"'],
  ['64-bit labels', 'meanAccuracy', with2({ truth: BigInt64Array.of(0n, 1n, 1n, 0n) }), 'ERR_DATA_SHAPE', 'truth'],
  ['no predictions', 'computeMetrics', [null], 'ERR_DATA_SHAPE', 'input is null'],
  ['scores of text', 'macroAuc', with2({ scores: ['1', '2', '3', '4'] }), 'ERR_DATA_CORRUPT', 'scores holds "1"'],
  ['text for scores', 'computeMetrics', with2({ scores: '1234' }), 'ERR_DATA_SHAPE', 'scores is "1234"'],
  ['text for a threshold', 'computeMetrics', with2({ threshold: '01' }), 'ERR_CONFIG', 'threshold is "01"'],
  ['thresholds of text', 'decide', [scores, 2, ['0.5', '0.5']], 'ERR_CONFIG', 'threshold "0.5" (label 0)'],
  ['an unknown setting', 'computeMetrics', with2({ confidence: { resample: 5 } }), 'ERR_CONFIG', 'resample'],
  ['true for settings', 'computeMetrics', with2({ confidence: true }), 'ERR_CONFIG', 'confidence is true'],
  ['a loss of NaN', 'computeMetrics', with2({ loss: NaN }), 'ERR_DATA_CORRUPT', 'loss is NaN'],
  ['scores of b', 'comparePredictions', [{ truth, a: scores, b: [1], labelCount: 2 }], 'ERR_DATA_SHAPE', 'b has 1'],
  ['a NaN to decide on', 'decide', [Float64Array.of(NaN), 1], 'ERR_DATA_CORRUPT', 'scores holds NaN'],
  ['half a row to decide on', 'decide', [scores, 3], 'ERR_DATA_SHAPE', 'scores has 4 values'],
  ['too many bins', 'calibrationCurve', [truth, scores, { bins: 1e9 }], 'ERR_CONFIG', 'bins is 1000000000'],
  ['half a bin', 'calibrationCurve', [truth, scores, { bins: 1.5 }], 'ERR_CONFIG', 'bins is 1.5'],
  ['another strategy', 'calibrationCurve', [truth, scores, { strategy: 'x' }], 'ERR_CONFIG', 'strategy is "x"'],
  ['scores above 1', 'calibrationCurve', [truth, scores.map((s) => 2 * s)], 'ERR_DATA_CORRUPT', 'scores holds 1.8'],
  ['text for a switch', 'rocCurve', [truth, scores, { dropIntermediate: 'no' }], 'ERR_CONFIG', 'dropIntermediate'],
  ['a slip', 'precisionRecallCurve', [truth, scores, { dropIntermediates: true }], 'ERR_CONFIG', 'dropIntermediates'],
  ['a label too far', 'predictionsOfLabel', [predictions, 2], 'ERR_CONFIG', 'label is 2'],
  ['lengths that differ', 'bceWithLogits', [scores, truth.subarray(1)], 'ERR_DATA_SHAPE', 'truth has 3 values, logits'],
  ['a score of 1.5', 'bceWithScores', [[1.5], [1]], 'ERR_DATA_CORRUPT', 'scores holds 1.5'],
  ['text to squash', 'sigmoid', ['123'], 'ERR_DATA_SHAPE', 'logits is "123"'],
  ['another rule', 'untunedLabels', ['f1', predictions], 'ERR_CONFIG', 'rule "f1"'],
  ['another rule to tune by', 'tuneThresholds', ['val-f2', predictions], 'ERR_CONFIG', 'rule "val-f2"'],
  ['no target', 'evaluate', [], 'ERR_CONFIG', 'target is undefined'],
  ['an unknown option', 'evaluate', [at('none'), { batchsize: 3 }], 'ERR_CONFIG', '"batchsize"'],
  ['resamples of NaN', 'evaluate', [at('none'), { resamples: NaN }], 'ERR_CONFIG', 'resamples is NaN'],
  ['another split', 'evaluate', [at('none'), { split: 'train' }], 'ERR_CONFIG', 'split is "train"'],
  ['a path for paths', 'predict', [at('none'), 'x.png'], 'ERR_CONFIG', 'inputs is "x.png"'],
  ['no paths', 'predict', [at('none'), []], 'ERR_CONFIG', 'no input'],
  ['no signal', 'train', [{}, { signal: 'x' }], 'ERR_CONFIG', 'signal is "x"'],
  ['null for a signal object', 'train', [{}, null], 'ERR_CONFIG', 'the second argument is null'],
  ['no state', 'saveWeights', [at('x.pth'), null], 'ERR_WEIGHTS', 'state is null'],
  ['metadata of numbers', 'saveWeights', [at('x.safetensors'), [entry], { a: 1 }], 'ERR_CONFIG', 'metadata is {"a":1}'],
  ['another extension', 'saveWeights', [at('x.npz'), [entry]], 'ERR_CONFIG', 'x.npz'],
  ['no shape', 'saveWeights', [at('x.pth'), [{ ...entry, shape: 2 }]], 'ERR_WEIGHTS', 'shape 2'],
  ['a place that is a file', 'saveWeights', ['/dev/null/x.pth', [entry]], 'ERR_OUTPUT', '/dev/null/x.pth'],
  ['no file of weights', 'loadWeights', [at('none.pth')], 'ERR_CONFIG', 'none.pth'],
  ['other bytes', 'expandToRgb', [[1, 2, 3, 4], 1, 2, 2], 'ERR_DATA_SHAPE', 'images is [1,2,3,4]'],
  ['sides below 0', 'expandToRgb', [new Uint8Array(8), -2, -2, 2], 'ERR_DATA_SHAPE', 'count is -2'],
  ['a size that is none', 'loadDataset', ['chestmnist', { size: 29 }], 'ERR_CONFIG', '29 pixels'],
  ['an unknown name', 'loadDataset', ['chestmist'], 'ERR_DATA_MISSING', '"chestmist"'],
])('%s: %s throws what is documented', async (_, name, args, code, named) => {
  const error = (await outcome((...all) => call(name, ...all), [...args])) as api.ChestMnistError;
  expect(error).toBeInstanceOf(api.ChestMnistError);
  expect({ code: error.code, found: error.found }).toEqual({ code, found: expect.stringContaining(named) });
});

test('what is documented of empty, infinite and extreme values', () => {
  expect(metrics.bceWithLogits(new Float64Array(0), new Uint8Array(0))).toBeNaN();
  expect(metrics.bceWithLogits(Float64Array.of(NaN), Uint8Array.of(1))).toBeNaN();
  expect(metrics.bceWithScores(new Float64Array(0), new Uint8Array(0))).toBeNull();
  expect(metrics.bceWithScores(Float64Array.of(0), Uint8Array.of(1))).toBeNull();
  expect([...metrics.sigmoid(Float64Array.of(-1e9, NaN, 1e9))]).toEqual([0, NaN, 1]);
  expect(metrics.calibrationCurve(truth, scores, { bins: 100_000 }).count).toHaveLength(4);
  expect([...metrics.predictionsOfLabel(predictions, 1).scores]).toEqual([0.9, 0.2]);
  // Plain arrays of numbers do as well as typed ones.
  const plain = { truth: [...truth], scores: [...scores], labelCount: 2 } as unknown as metrics.Predictions;
  expect(metrics.computeMetrics(plain)).toEqual(metrics.computeMetrics(predictions));
});

describe('errors name options as the API does, and flags on the command line', () => {
  const flagsOf = (error: unknown) => ChestMnistError.inFlags(error as ChestMnistError);
  test.each<[options: object, found: string, flag: string]>([
    [{ lr: NaN }, 'lr is NaN', '--lr is NaN'],
    [
      { batchSize: 1, checkpointEvery: 0 },
      'batchSize is 1; checkpointEvery is 0',
      '--batch-size is 1; --checkpoint-every is 0',
    ],
    [{ report: 'no' }, 'report is "no"', 'report is "no"'],
    [{ lrate: 1 }, 'unknown option "lrate"', 'unknown option "lrate"'],
  ])('%j', async (options, found, flag) => {
    const error = (await outcome(() => api.train(options), [])) as api.ChestMnistError;
    expect(error.found).toBe(found);
    expect(error.message).not.toMatch(/--|help/);
    expect(flagsOf(error).found).toBe(flag);
  });

  test('commands, what is in quotes, and paths in what was found stay as they are', () => {
    const next = "use a lower --lr; npx chestmnist train --resume 'a --lr b' --epochs 3, or --no-report (--batch-size)";
    const error = new api.ChestMnistError('ERR_CONFIG', {
      found: '--limit-train is 3; "--size" in /a --lr b/c',
      needed: 'more --epochs; esbuild --external:chestmnist; --cuda',
      next,
    });
    expect(error).toMatchObject({
      found: 'limitTrain is 3; "--size" in /a --lr b/c',
      needed: 'more epochs; esbuild --external:chestmnist; --cuda',
      next: "use a lower lr; npx chestmnist train --resume 'a --lr b' --epochs 3, or report: false (batchSize)",
    });
    expect(flagsOf(error).next).toBe(next);
  });
});
