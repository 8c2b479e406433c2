/**
 * The API against callers without TypeScript: every exported function, with every argument and every field of it replaced
 * by what does not belong there. It works or ends with a ChestMnistError, never with an error of its own or in silence.
 * What the functions compute is tested where they live; what training does, in tests/cli/api.test.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as api from '../../src';
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
      ...{ split: 'val', data: 'synthetic', size: 28, thresholds: [0.5], limit: 3, device: 'cpu', threads: 1 },
      ...{ batchSize: 4, resamples: 5, onProgress, signal },
    },
  ],
  predict: [
    at('none'),
    [at('a.png')],
    { thresholds: 'val-f1', device: 'cpu', threads: 1, batchSize: 4, signal, size: 28 },
  ],
  loadDataset: ['synthetic', { size: 28, seed: 1, counts: { train: 1, val: 1, test: 1 }, onProgress, signal }],
  loadWeights: [at('none.pth')],
  saveWeights: [at('a.pth'), [entry, { ...entry, name: 'b' }], { a: 'b' }],
  expandToRgb: [new Uint8Array(8), 2, 2, 2],
  bceWithLogits: [scores, truth],
  bceWithScores: [scores, truth],
  calibrationCurve: [truth, scores, { bins: 5, strategy: 'quantile' }],
  comparePredictions: [{ truth, a: scores, b: scores, labelCount: 2, threshold, confidence }],
  computeMetrics: [{ ...predictions, threshold, confidence, loss: 0.3 }],
  decide: [scores, 2, threshold],
  macroAuc: [predictions],
  meanAccuracy: [predictions, threshold],
  parseThresholdRule: ['val-f1'],
  parseThresholds: ['0.5'],
  precisionRecallCurve: [truth, scores, { dropIntermediate: true }],
  predictionsOfLabel: [predictions, 1],
  rocCurve: [truth, scores, { dropIntermediate: false }],
  sigmoid: [scores],
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
      raw.push(`${place.join('.')} = ${typeof by} ${String(by?.toString?.())}: ${String(error)}`);
  }
  expect(raw).toEqual([]);
  // What is in order is not refused for its arguments.
  const error = (await outcome(act, whole)) as api.ChestMnistError | undefined;
  expect(error?.found ?? 'none').toMatch(/^none$|none/);
});
