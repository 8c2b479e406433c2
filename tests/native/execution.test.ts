/**
 * The fast CPU execution against the plain one (LibTorch's operators), for every stem, size, batch size, label count and
 * optimizer: both take one step from the same weights and moments, and so does the plain one in float64. The fast one may
 * be FACTOR times as far from float64 as plain float32 is (tests/support/rounding.ts).
 *
 * Trajectories are not compared, since training is chaotic: each step starts from one state, and the first when moments are
 * warm, since Adam's first updates follow the sign of a gradient, however small. A step in which rounding switches a ReLU or
 * the maximum of a pooling window on one side alone is a thousand times further off and shows nothing about the kernels.
 * About one in ten is, so each case is judged by its middle step; batches are small, which keeps them rare.
 */
import { appendFileSync } from 'node:fs';
import { viewOf } from '../../src/data/expand';
import { synthesize } from '../../src/data';
import { native } from '../../src/engine/addon';
import { makeTrainer } from '../../src/engine/trainer';
import type { Criterion, Head, Stem, Trainer, TrainerConfig } from '../../src/engine/contract';
import { distance, FACTOR, furthest, middle } from '../support/rounding';

interface Case {
  stem: Stem;
  head: Head;
  size: number;
  batch: number;
  labels: number;
  channels: 1 | 3;
  criterion: Criterion;
  weightDecay: number;
  optimizer: TrainerConfig['optimizer'];
  /** Steps compared, after WARM_UP: each moves the whole state of three networks, which takes longer than the step. */
  steps: number;
}

const base: Case = {
  stem: 'torchvision',
  head: 'average',
  size: 28,
  batch: 8,
  labels: 14,
  channels: 1,
  criterion: 'binary-cross-entropy',
  weightDecay: 0,
  optimizer: 'adam',
  steps: 5,
};
const WARM_UP = 5;
/** Seeds of the random states of each case, first and last, and where margins are written: set by bench/margins.mjs. */
const [FIRST, LAST] = (process.env.CHESTMNIST_STATES ?? '1-1').split('-').map(Number);
const RECORD = process.env.CHESTMNIST_MARGINS;
const MINUTES = 60_000;

const countOf = ({ batch }: Case) => Math.max(40, batch + 3);

async function trainerFor(config: Case, changes: Partial<TrainerConfig>, seed = 11): Promise<Trainer> {
  const { stem, head, size, labels, channels, criterion, weightDecay, optimizer } = config;
  const count = countOf(config);
  // Synthetic images are not smaller than 28 px; the network sees them at `size`.
  const imageSize = Math.max(28, size);
  const fields = { labelCount: labels, imageSize, inputSize: size, threads: 1, seed, optimizer, weightDecay };
  const trainer = makeTrainer({ ...fields, stem, head, channels, criterion, ...changes });
  const counts = { train: count * channels, val: 2, test: 2 };
  const { images, truth: all } = synthesize({ seed, size: imageSize, counts }).splits.train;
  const truth = Uint8Array.from({ length: count * labels }, (_, k) =>
    criterion === 'cross-entropy'
      ? Number(Math.floor(k / labels) % labels === k % labels)
      : all[Math.floor(k / labels) * 14 + (k % labels)],
  );
  // Three neighbouring values are the channels of a pixel.
  await trainer.loadSplit('train', viewOf({ images, count, size: imageSize, channels }), truth);
  return trainer;
}

/** The samples of a step; 7 and the count have no common factor, so they are distinct. */
const order = (config: Case, step: number) =>
  Int32Array.from({ length: config.batch }, (_, i) => (step * 37 + i * 7) % countOf(config));

test('the threads change nothing, not a bit; and who executes is told', async () => {
  const config: Case = { ...base, batch: 24 };
  const results = await Promise.all(
    [1, 2, 5].map(async (threads) => {
      const trainer = await trainerFor(config, { threads });
      const all = Int32Array.from({ length: 3 * config.batch }, (_, i) => (i * 7) % countOf(config));
      const { loss } = await trainer.trainEpoch({ order: all, batchSize: config.batch });
      const state = await trainer.stateDict();
      const { execution } = trainer;
      await trainer.dispose();
      return { loss, state, execution };
    }),
  );
  for (const { loss, state, execution } of results) {
    expect(execution).toBe('fast');
    expect(loss).toBe(results[0].loss);
    state.forEach(({ name, data }, i) => {
      const same = Buffer.from(data.buffer).equals(Buffer.from(results[0].state[i].data.buffer));
      expect({ name, same }).toEqual({ name, same: true });
    });
  }
  for (const changes of [{ exact: true }, { precision: 'fp64' }] as const) {
    const plain = await trainerFor(config, changes);
    expect(plain.execution).toBe('plain');
    await plain.dispose();
  }
});

/** A quantity of a step or of the steps: how far float32 is from float64, by plain operators and by the fast kernels. */
type Distances = Map<string, { plain: number; fast: number }>;

async function compareSteps(config: Case, seed: number): Promise<Distances> {
  // Over many states, few steps each show as much; but a step has a single loss, which may be right by luck.
  const [steps, moreLosses] = LAST > FIRST ? [9, 4] : [config.steps, 0];
  const exact = await trainerFor(config, { precision: 'fp64' }, seed);
  const plain = await trainerFor(config, { exact: true }, seed);
  const fast = await trainerFor(config, {}, seed);
  const all = async <T>(f: (trainer: Trainer) => Promise<T>) => {
    const [ofExact, ofPlain, ofFast] = await Promise.all([exact, plain, fast].map(f));
    return { exact: ofExact, plain: ofPlain, fast: ofFast };
  };
  const whole = async (trainer: Trainer) => [...(await trainer.stateDict()), ...(await trainer.optimizerState())];
  const found: Distances = new Map();

  const firsts = Array.from({ length: WARM_UP }, (_, step) => [...order(config, step)]).flat();
  await plain.trainEpoch({ order: Int32Array.from(firsts), batchSize: config.batch });
  let before = await whole(plain);
  const losses = { exact: [] as number[], plain: [] as number[], fast: [] as number[] };
  const distances: Record<'plain' | 'fast', Record<string, number>[]> = { plain: [], fast: [] };
  for (let step = WARM_UP; step < WARM_UP + steps; step++) {
    const moments = before.findIndex(({ name }) => name === 'step');
    await Promise.all(
      [exact, fast].map(async (trainer) => {
        await trainer.loadStateDict(before.slice(0, moments));
        await trainer.loadOptimizerState(before.slice(moments));
      }),
    );
    if (step === WARM_UP) {
      const results = await all((trainer) => trainer.predict({ split: 'train', batchSize: 48 }));
      const of = (side: 'plain' | 'fast') => distance(results[side].logits, results.exact.logits);
      found.set('logits', { plain: of('plain'), fast: of('fast') });
    }
    for (let k = 1; k <= moreLosses; k++) {
      const batch = { order: order(config, step + k * 100) };
      const { exact, plain, fast } = await all(async (trainer) => (await trainer.gradients(batch)).loss);
      losses.exact.push(exact);
      losses.plain.push(plain);
      losses.fast.push(fast);
    }
    const results = await all((trainer) => trainer.trainEpoch({ order: order(config, step), batchSize: config.batch }));
    const after = await all(whole);
    for (const side of ['exact', 'plain', 'fast'] as const) losses[side].push(results[side].loss);
    for (const side of ['plain', 'fast'] as const) distances[side].push(furthest(after[side], after.exact, before));
    before = after.plain;
  }
  await all((trainer) => trainer.dispose());

  found.set('loss', { plain: distance(losses.plain, losses.exact), fast: distance(losses.fast, losses.exact) });
  for (const kind of Object.keys(distances.plain[0])) {
    const of = (side: 'plain' | 'fast') => middle(distances[side].map((step) => step[kind]));
    found.set(kind, { plain: of('plain'), fast: of('fast') });
  }
  return found;
}

/**
 * An activation closer to zero than rounding passes its ReLU on one side and not on the other, which moves gradients by a
 * thousandth. It happens in about a fifth of the steps of a CIFAR stem, by plain operators too, whose maps are large: so many
 * steps that it does not become the middle one.
 */
const FLIPS = 15;

const cases: Case[] = [
  { ...base, steps: 50 },
  { ...base, size: 16, batch: 65, labels: 1 },
  { ...base, batch: 4, labels: 5 },
  { ...base, weightDecay: 0.05 },
  { ...base, weightDecay: 0.05, optimizer: 'adamw' },
  { ...base, size: 32, batch: 7, labels: 3 },
  { ...base, size: 64, batch: 2 },
  { ...base, size: 64, batch: 1 },
  { ...base, stem: 'cifar', batch: 2, steps: FLIPS },
  { ...base, stem: 'cifar', size: 32, batch: 1, weightDecay: 0.01, steps: FLIPS },
  { ...base, criterion: 'cross-entropy', labels: 11 },
  { ...base, criterion: 'cross-entropy', channels: 3, labels: 5, batch: 7 },
  { ...base, channels: 3, size: 64, batch: 2, labels: 1 },
  { ...base, channels: 3, criterion: 'cross-entropy', stem: 'cifar', batch: 2, labels: 9, steps: FLIPS },
  { ...base, head: 'attention', size: 70, batch: 3, labels: 40, weightDecay: 0.05, optimizer: 'adamw' },
  { ...base, head: 'attention', stem: 'cifar', criterion: 'cross-entropy', batch: 2, labels: 5, steps: FLIPS },
];

test.each(cases)(
  'fast = plain: $stem stem, $head head, $size px, $channels channels, batch $batch, $labels labels, $criterion, decay $weightDecay $optimizer, $steps steps',
  async (config) => {
    const beyond: object[] = [];
    const instructions = native().cpuCapability();
    for (let seed = FIRST; seed <= LAST; seed++) {
      for (const [what, { plain, fast }] of await compareSteps(config, seed)) {
        const margin = (FACTOR * plain) / fast;
        if (!(margin >= 1)) beyond.push({ seed, what, plain, fast });
        if (RECORD) appendFileSync(RECORD, `${JSON.stringify({ ...config, instructions, what, margin })}\n`);
      }
    }
    expect(beyond).toEqual([]);
  },
  (LAST - FIRST + 1) * 10 * MINUTES,
);

test.each([{ exact: true }, { exact: false }])(
  'gradients() gives the gradients that a step uses, %j',
  async (changes) => {
    const trainer = await trainerFor(base, changes);
    const { loss, gradients } = await trainer.gradients({ order: order(base, 0) });
    const step = await trainer.trainEpoch({ order: order(base, 0), batchSize: base.batch });
    expect(step.loss).toBe(Math.fround(loss));
    const moments = new Map((await trainer.optimizerState()).map(({ name, data }) => [name, data]));
    for (const { name, data } of gradients) {
      // Adam's first step makes exp_avg = 0.1 g, rounded three times at most.
      const moment = Float64Array.from(moments.get(`exp_avg.${name}`) as Float32Array, (value) => 10 * value);
      expect(distance(moment, data as Float32Array)).toBeLessThan(3 * 2 ** -23);
    }
    await trainer.dispose();
  },
);
