/**
 * bfloat16 on the CPU: AMX against its emulation bit for bit, whatever the threads and whatever disturbs them, and its
 * error against float64, which may be as large as that of LibTorch's bfloat16 autocast on the same input, and no larger.
 * Without AMX the emulation takes its place, and without AVX-512 nothing here can run.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { synthesize } from '../../src/data';
import { viewOf } from '../../src/data/expand';
import { makeTrainer } from '../../src/engine/trainer';
import type { StateDict, Trainer, TrainerConfig } from '../../src/engine/contract';
import { PACKAGE } from '../support/chestmnist';
import { distance, middle } from '../support/rounding';

const COUNT = 40;

async function trainerFor(changes: Partial<TrainerConfig>): Promise<Trainer> {
  const size = changes.imageSize ?? 28;
  const { images, truth } = synthesize({ seed: 3, size, counts: { train: COUNT, val: 2, test: 2 } }).splits.train;
  // Weights of labels are those of positives.
  const trainer = makeTrainer({ labelCount: 14, imageSize: size, threads: 1, seed: 5, ...changes });
  await trainer.loadSplit(
    'train',
    viewOf({ images, count: COUNT, size, channels: 1 }),
    changes.labelWeights ? truth.fill(1) : truth,
  );
  return trainer;
}

const orderOf = (count: number, from = 0) => Int32Array.from({ length: count }, (_, i) => (from * 11 + i * 7) % COUNT);

/** Everything that two steps and a prediction leave, hashed, by name. */
async function outcome(changes: Partial<TrainerConfig>, batch: number) {
  const trainer = await trainerFor(changes);
  const { loss } = await trainer.trainEpoch({ order: orderOf(2 * batch), batchSize: batch });
  const { logits } = await trainer.predict({ split: 'train', batchSize: 33 });
  const all = [...(await trainer.stateDict()), ...(await trainer.optimizerState())];
  const { execution } = trainer;
  await trainer.dispose();
  const hash = ({ buffer }: StateDict[number]['data']) => createHash('sha1').update(Buffer.from(buffer)).digest('hex');
  return { execution, loss, logits: hash(logits), ...Object.fromEntries(all.map((e) => [e.name, hash(e.data)])) };
}

const executionOf = (precision: TrainerConfig['precision']) => {
  const trainer = makeTrainer({ labelCount: 1, imageSize: 28, precision });
  const { execution } = trainer;
  void trainer.dispose();
  return execution;
};
const hasAvx512 = executionOf('bf16-emulated') === 'fast-bf16';
const hasAmx = executionOf('bf16') === 'fast-bf16';
const precision = hasAmx ? 'bf16' : 'bf16-emulated';
const onAvx512 = hasAvx512 ? test : test.skip;
const onAmx = hasAmx ? test : test.skip;

const cases: [string, Partial<TrainerConfig>, number][] = [
  ['28 px, a last block of 3 rows', {}, 35],
  ['64 px', { imageSize: 64 }, 2],
  ['CIFAR stem', { stem: 'cifar' }, 2],
  // Gradients below the smallest normal float32: AMX takes them for zero.
  ['denormal gradients', { labelWeights: new Float32Array(14).fill(1e-36) }, 8],
  ['infinite weights', { learningRate: 1e38 }, 8],
];

onAvx512.each(cases)('the threads change nothing, not a bit, nor does AMX: %s', async (_, changes, batch) => {
  const emulated = await outcome({ ...changes, precision: 'bf16-emulated' }, batch);
  expect(emulated.execution).toBe('fast-bf16');
  for (const threads of [2, 3]) {
    expect({ threads, ...(await outcome({ ...changes, precision, threads }, batch)) }).toEqual({
      threads,
      ...emulated,
    });
  }
});

/** Trains and predicts in a process of its own, alone and then disturbed, and prints what was received and what differs. */
const DISTURBED = `
  const { readdirSync } = require('node:fs');
  const { Worker, isMainThread, parentPort } = require('node:worker_threads');
  const dist = (name) => require(process.env.CHESTMNIST_DIST + '/' + name);
  const { makeTrainer } = dist('engine/trainer.js');
  const { expandView } = dist('data/expand.js');

  const images = expandView(Uint8Array.from({ length: 40 * 784 }, (_, i) => (i * 37) >> 3), 40, 28);
  const truth = Uint8Array.from({ length: 80 }, (_, i) => i % 3 === 0);
  async function result(threads) {
    const trainer = makeTrainer({ labelCount: 2, imageSize: 28, precision: 'bf16', threads });
    await trainer.loadSplit('train', images, truth);
    await trainer.trainEpoch({ order: Int32Array.from({ length: 70 }, (_, i) => i % 40), batchSize: 35 });
    const { logits } = await trainer.predict({ split: 'train', batchSize: 7 });
    await trainer.dispose();
    return logits.join();
  }
  const inWorker = (stackSizeMb) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(process.env.CHESTMNIST_CODE, { eval: true, resourceLimits: { stackSizeMb } });
      worker.once('message', resolve).once('error', reject);
    });
  (async () => {
    if (!isMainThread) return parentPort.postMessage(await result(2));
    const alone = await result(1);
    let received = 0;
    process.on('SIGUSR2', () => received++);
    const interval = setInterval(() => {
      // To each thread: the kernel takes the one that is named, if it does not block the signal.
      for (const thread of readdirSync('/proc/self/task')) {
        try {
          process.kill(Number(thread), 'SIGUSR2');
        } catch {} // it has ended
      }
    }, 1);
    const all = await Promise.all([inWorker(0.5), inWorker(4), result(1), result(2), result(3)]);
    clearInterval(interval);
    console.log(JSON.stringify({ received: received > 0, same: all.map((one) => one === alone) }));
    process.exit();
  })();`;

onAmx('worker threads, small stacks, many trainers and signals on every thread change nothing', () => {
  const env = { ...process.env, CHESTMNIST_DIST: path.dirname(PACKAGE), CHESTMNIST_CODE: DISTURBED };
  const printed = execFileSync(process.execPath, ['-e', DISTURBED], { env, encoding: 'utf8' });
  expect(JSON.parse(printed)).toEqual({ received: true, same: [true, true, true, true, true] });
});

type Errors = Record<string, number[]>;

onAvx512.each([
  ['torchvision', 16],
  ['cifar', 3],
] as const)('%s stem: no further from float64 than autocast', async (stem, batch) => {
  const exact = await trainerFor({ stem, precision: 'fp64' });
  const autocast = await trainerFor({ stem, precision: 'bf16', exact: true });
  const fast = await trainerFor({ stem, precision });
  expect([autocast.execution, fast.execution]).toEqual(['plain', 'fast-bf16']);
  // A few steps on: the running statistics and weights are no longer those of the start.
  await fast.trainEpoch({ order: orderOf(5 * batch), batchSize: batch });
  const state = await fast.stateDict();
  await exact.loadStateDict(state);
  await autocast.loadStateDict(state);
  const sides = { autocast, fast };
  const errors: Record<keyof typeof sides, Errors> = { autocast: {}, fast: {} };
  const kindOf = (rank: number) => (rank === 4 ? 'convolutions' : rank === 2 ? 'fc' : 'norms');
  const predicted = await exact.predict({ split: 'train', batchSize: COUNT });
  for (let step = 0; step < 5; step++) {
    const order = orderOf(batch, step);
    const { gradients } = await exact.gradients({ order });
    for (const [side, trainer] of Object.entries(sides)) {
      const found: Errors = {};
      (await trainer.gradients({ order })).gradients.forEach(({ data, shape }, i) => {
        const error = distance(data as Float32Array, gradients[i].data as Float32Array);
        (found[kindOf(shape.length)] ??= []).push(error);
      });
      const of = errors[side as keyof typeof sides];
      for (const [kind, all] of Object.entries(found)) (of[kind] ??= []).push(middle(all));
    }
  }
  for (const [side, trainer] of Object.entries(sides)) {
    const { logits } = await trainer.predict({ split: 'train', batchSize: COUNT });
    errors[side as keyof typeof sides].logits = [distance(logits, predicted.logits)];
    await trainer.dispose();
  }
  await exact.dispose();
  const ratios = Object.entries(errors.fast).map(([kind, all]) => ({
    kind,
    ratio: middle(all) / middle(errors.autocast[kind]),
  }));
  expect(ratios.map(({ kind }) => kind)).toEqual(['convolutions', 'norms', 'fc', 'logits']);
  expect(ratios.filter(({ ratio }) => !(ratio <= 1))).toEqual([]);
});
