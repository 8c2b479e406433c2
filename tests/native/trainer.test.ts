/** The native contract of src/native.ts: one call at a time, cancel, dispose, strict state, bad arguments, worker threads. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { expandView } from '../../src/data/expand';
import { synthesize } from '../../src/data';
import { native } from '../../src/engine/addon';
import { makeTrainer } from '../../src/engine/trainer';
import type { EpochProgress, StateDict, Trainer, TrainerConfig } from '../../src/engine/contract';
import { nativeFields, resolveOptions } from '../../src/recipe/resolve';
import { findAddon } from '../../src/setup/addon';
import { PACKAGE_ROOT } from '../../src/setup/versions';
import { restore } from '../../src/train/plan';
import { countTurns } from '../support/turns';

const SIZE = 28;
const COUNT = 65;
const { images, truth } = synthesize({ seed: 1, size: SIZE, counts: { train: COUNT, val: 2, test: 2 } }).splits.train;
const view = expandView(images, COUNT, SIZE);
const all = Int32Array.from({ length: COUNT }, (_, i) => i);
/** More than is trained before a test cancels. */
const many = Int32Array.from({ length: 2000 * COUNT }, (_, i) => i % COUNT);

/** What a worker hands to the addon itself. */
const CONFIG: TrainerConfig = {
  ...nativeFields(resolveOptions({ threads: 1 })),
  ...{ labelCount: 14, criterion: 'binary-cross-entropy', labelWeights: new Float32Array(0), channels: 1 },
  ...{ positiveFocus: 0, negativeFocus: 0, margin: 0, clipNorm: 0 },
  ...{ imageSize: SIZE, inputSize: SIZE, device: 'cpu' },
};

const open: Trainer[] = [];
function make(changes: Partial<TrainerConfig> = {}): Trainer {
  const trainer = makeTrainer({ labelCount: 14, imageSize: SIZE, threads: 1, ...changes });
  open.push(trainer);
  return trainer;
}
async function loaded(changes: Partial<TrainerConfig> = {}): Promise<Trainer> {
  const trainer = make(changes);
  await trainer.loadSplit('train', view, truth);
  return trainer;
}
/** A state as short text: comparing millions of values one by one is slow. */
const digest = (state: StateDict) =>
  state.map(({ name, dtype, shape, data }) => {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    return `${name} ${dtype} [${shape.join()}] ${createHash('sha256').update(bytes).digest('hex')}`;
  });
afterEach(async () => {
  await Promise.all(open.splice(0).map((trainer) => trainer.dispose()));
});

test('a call while another runs is ERR_BUSY; cancel() ends the first at a batch boundary', async () => {
  const trainer = await loaded();
  const running = trainer.trainEpoch({ order: many, batchSize: 13 }, () => trainer.cancel());
  await expect(async () => trainer.stateDict()).rejects.toMatchObject({ code: 'ERR_BUSY' });
  const result = await running;
  expect(result.cancelled).toBe(true);
  expect(result.samples).toBeGreaterThan(0);
  expect(result.samples).toBe(result.steps * 13);
  expect(result.samples).toBeLessThan(many.length);
});

test('the event loop stays free and progress comes at most ten times a second', async () => {
  const trainer = await loaded();
  const reports: EpochProgress[] = [];
  const turns = countTurns();
  await trainer.trainEpoch({ order: many, batchSize: 16 }, (progress) => {
    if (reports.push(progress) === 5) trainer.cancel();
  });
  // Training on it, the loop would turn once for each report at most.
  expect(turns()).toBeGreaterThan(100);
  expect(reports.length).toBeGreaterThanOrEqual(5);
  // By the trainer's own clock.
  for (let i = 1; i < reports.length; i++) {
    expect(reports[i].seconds - reports[i - 1].seconds).toBeGreaterThan(0.1 - 1e-6);
    expect(reports[i].samples).toBeGreaterThan(reports[i - 1].samples);
  }
});

test('dispose() during a call ends it, then every call is ERR_DISPOSED, and dispose() again is fine', async () => {
  const trainer = await loaded();
  const running = trainer.trainEpoch({ order: many, batchSize: 8 });
  await trainer.dispose();
  expect((await running).cancelled).toBe(true);
  await trainer.dispose();
  await expect(async () => trainer.trainEpoch({ order: all, batchSize: 8 })).rejects.toMatchObject({
    code: 'ERR_DISPOSED',
  });
});

test('a last batch of one sample joins the batch before it', async () => {
  const trainer = await loaded();
  const result = await trainer.trainEpoch({ order: all, batchSize: 16 });
  expect(result).toMatchObject({ samples: 65, steps: 4, cancelled: false });
  expect(Number.isFinite(result.loss)).toBe(true);
});

test('two trainers run at once and one seed and thread count give one result, bit for bit', async () => {
  const run = async () => {
    const trainer = await loaded({ threads: 2 });
    await trainer.trainEpoch({ order: all, batchSize: 16 });
    return { state: await trainer.stateDict(), optimizer: await trainer.optimizerState() };
  };
  const [a, b] = await Promise.all([run(), run()]);
  expect(digest(a.state)).toEqual(digest(b.state));
  expect(digest(a.optimizer)).toEqual(digest(b.optimizer));
  expect(a.optimizer[0]).toMatchObject({ name: 'step', dtype: 'F32', shape: [] });
  expect(a.optimizer[0].data[0]).toBe(4);
  expect(a.optimizer).toHaveLength(1 + 2 * 62);
});

test('state and optimizer state carried to another trainer go on to the same result, bit for bit', async () => {
  const [first, second] = [await loaded(), await loaded({ seed: 9 })];
  await first.trainEpoch({ order: all, batchSize: 16 });
  await second.loadStateDict(await first.stateDict());
  await second.loadOptimizerState(await first.optimizerState());
  const order = all.slice().reverse();
  const [a, b] = [await first.trainEpoch({ order, batchSize: 16 }), await second.trainEpoch({ order, batchSize: 16 })];
  expect(a.loss).toBe(b.loss);
  expect(digest(await first.stateDict())).toEqual(digest(await second.stateDict()));
});

describe('a state dict is refused whole, and nothing is changed', () => {
  const changes: [string, (state: Awaited<ReturnType<Trainer['stateDict']>>) => unknown][] = [
    ['a missing entry', (state) => state.slice(1)],
    ['an unexpected entry', (state) => [...state, { ...state[0], name: 'extra' }]],
    ['two of one name', (state) => [...state, state[0]]],
    ['another shape', (state) => state.map((e) => (e.name === 'fc.bias' ? { ...e, shape: [7, 2] } : e))],
    ['too few values', (state) => state.map((e) => (e.name === 'fc.bias' ? { ...e, data: e.data.slice(1) } : e))],
    [
      'another dtype',
      (state) => state.map((e) => (e.name === 'fc.bias' ? { ...e, dtype: 'I64', data: new BigInt64Array(14) } : e)),
    ],
  ];
  test.each(changes)('%s', async (_, change) => {
    const trainer = make();
    const before = await trainer.stateDict();
    const bad = change(before) as typeof before;
    await expect(async () => trainer.loadStateDict(bad)).rejects.toMatchObject({ code: 'ERR_WEIGHTS' });
    // The same in a checkpoint is a checkpoint that cannot be used, and so is another optimizer state.
    const optimizer = await trainer.optimizerState();
    for (const checkpoint of [
      { model: bad, optimizer },
      { model: before, optimizer: optimizer.slice(1) },
    ])
      await expect(restore(trainer, checkpoint)).rejects.toMatchObject({ code: 'ERR_CHECKPOINT_INCOMPATIBLE' });
    expect(digest(await trainer.stateDict())).toEqual(digest(before));
  });
});

describe('bad arguments are refused before anything runs', () => {
  test.each([
    ['an order outside the split', { order: Int32Array.of(0, COUNT), batchSize: 2 }, 'ERR_CONFIG'],
    ['a negative index', { order: Int32Array.of(-1, 1), batchSize: 2 }, 'ERR_CONFIG'],
    ['an order of another type', { order: [0, 1], batchSize: 2 }, 'ERR_CONFIG'],
    ['a batch size of zero', { order: all, batchSize: 0 }, 'ERR_CONFIG'],
    ['a batch size of NaN', { order: all, batchSize: NaN }, 'ERR_CONFIG'],
    ['a batch of one at 28 px', { order: all, batchSize: 1 }, 'ERR_CONFIG'],
    ['an unknown split', { order: all, batchSize: 2, split: 'nowhere' }, 'ERR_CONFIG'],
  ])('trainEpoch: %s', async (_, args, code) => {
    const trainer = await loaded();
    await expect(async () => trainer.trainEpoch(args as never)).rejects.toMatchObject({ code });
  });

  test('loadSplit: labels, sizes and views that do not fit', async () => {
    const trainer = make();
    const load = (v: unknown, l: unknown) => async () => trainer.loadSplit('x', v as never, l as never);
    await expect(load(view, truth.subarray(1))).rejects.toMatchObject({ code: 'ERR_DATA_SHAPE' });
    await expect(load({ ...view, strides: [784, 784, 28, 1] }, truth)).rejects.toMatchObject({
      code: 'ERR_DATA_SHAPE',
    });
    await expect(load({ ...view, shape: [COUNT + 1, 3, 28, 28] }, truth)).rejects.toMatchObject({
      code: 'ERR_DATA_SHAPE',
    });
    await expect(load(expandView(new Uint8Array(4 * 32 * 32), 4, 32), new Uint8Array(56))).rejects.toMatchObject({
      code: 'ERR_DATA_SHAPE',
    });
  });

  test('the constructor', () => {
    expect(() => make({ device: 'tpu' })).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
    expect(() => make({ threads: 0 })).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
    expect(() => make({ stem: 'other' as never })).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
  });

  const cuda = native().cudaStatus();
  (cuda.available ? test.skip : test)('the constructor: a CUDA device where there is none', () => {
    expect(() => make({ device: 'cuda' })).toThrow(
      expect.objectContaining({ code: 'ERR_CUDA_UNAVAILABLE', reason: cuda.reason }),
    );
  });
});

test('an asynchronous error carries the stack of its caller', async () => {
  const trainer = make();
  const state = await trainer.stateDict();
  const error = await trainer.loadStateDict(state.slice(1)).catch((e: Error) => e);
  expect((error as Error).stack).toContain(path.basename(__filename));
});

test('NaN weights make the loss NaN, in either execution', async () => {
  for (const exact of [false, true]) {
    const trainer = await loaded({ exact });
    const state = await trainer.stateDict();
    await trainer.loadStateDict(
      state.map((e) => (e.name === 'conv1.weight' ? { ...e, data: new Float32Array(9408).fill(NaN) } : e)),
    );
    expect((await trainer.trainEpoch({ order: all, batchSize: 16 })).loss).toBeNaN();
  }
});

test('worker threads load the addon, and one terminated in the middle of an epoch leaves the process whole', async () => {
  const addon = findAddon(PACKAGE_ROOT);
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const addon = require(workerData.addon);
    const trainer = new addon.Trainer(workerData.config);
    const { view, truth, order } = workerData;
    trainer.loadSplit('train', view, truth).then(() => {
      trainer.trainEpoch({ order, batchSize: 8 }, () => parentPort.postMessage('training'));
    });`;
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(program, {
      eval: true,
      workerData: { addon: addon!.file, config: CONFIG, view, truth, order: many },
    });
    await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    await worker.terminate();
  }
  const trainer = await loaded();
  expect((await trainer.trainEpoch({ order: all, batchSize: 16 })).steps).toBe(4);
});
