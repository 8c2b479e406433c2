/**
 * The fast CPU execution against the plain one (LibTorch's operators): the same function for every stem, size, batch
 * size, label count and weight decay.
 *
 * Three properties of the function itself shape these tests. ReLU has no derivative at zero: a rounding difference there
 * may switch an element on or off, so of a few batches one has to agree. Adam's first updates follow the sign of a
 * gradient, so trajectories are compared from a state with warm moments. And norms over a few values amplify rounding
 * from step to step, so the fast trajectory has to agree with one of a few plain ones whose weights start a rounding apart.
 */
import { expandView } from '../../src/data/expand';
import { synthesize } from '../../src/data';
import { makeTrainer } from '../../src/engine/trainer';
import type { StateDict, Stem, Trainer, TrainerConfig } from '../../src/engine/contract';

interface Case {
  stem: Stem;
  size: number;
  batch: number;
  labels: number;
  weightDecay: number;
  optimizer: TrainerConfig['optimizer'];
  /** Steps compared, after WARM_UP of the plain execution. */
  steps: number;
}

const WARM_UP = 5;
/**
 * Images in a batch whose gradients are compared: enough for the norms of the last map to be well conditioned, few
 * enough that not every batch has a flip (about one in a million activations).
 */
const gradientBatch = ({ stem, size }: Case) => (stem === 'cifar' ? 2 : size > 32 ? 6 : 32);
/** Of the largest gradient of a parameter. float32 keeps about this much through 18 layers of BatchNorm. */
const GRADIENT_TOLERANCE = 3e-5;
const countOf = ({ batch }: Case) => Math.max(40, batch + 3);

async function trainerFor(config: Case, exact: boolean, threads = 1): Promise<Trainer> {
  const { stem, size, labels, weightDecay, optimizer } = config;
  const count = countOf(config);
  const fields = { labelCount: labels, imageSize: size, threads, seed: 11, optimizer, weightDecay };
  const trainer = makeTrainer({ ...fields, stem, exact });
  const { images, truth: all } = synthesize({ seed: 1, size, counts: { train: count, val: 2, test: 2 } }).splits.train;
  const truth = Uint8Array.from({ length: count * labels }, (_, k) => all[Math.floor(k / labels) * 14 + (k % labels)]);
  await trainer.loadSplit('train', expandView(images, count, size), truth);
  return trainer;
}

/** The samples of a step; 7 and the count have no common factor, so they are distinct. */
const order = (config: Case, step: number) =>
  Int32Array.from({ length: config.batch }, (_, i) => (step * 37 + i * 7) % countOf(config));

type Values = Float32Array | BigInt64Array;

/** sqrt(sum (a-b)^2 / sum b^2): 0 when equal, NaN when one holds NaN. No call in the loop: it runs over millions. */
function relativeDifference(a: Values, b: Values): number {
  if (typeof a[0] === 'bigint' || typeof b[0] === 'bigint') return String(a) === String(b) ? 0 : Infinity;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    const x = a[i] as number;
    const y = b[i] as number;
    difference += (x - y) * (x - y);
    norm += y * y;
  }
  return norm === 0 ? difference : Math.sqrt(difference / norm);
}

/** max |a-b| / max |b|. */
function largestDifference(a: Values, b: Values): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < b.length; i++) {
    const d = (a[i] as number) - (b[i] as number);
    if (!(d <= difference && -d <= difference)) difference = d < 0 ? -d : d;
    if (!(b[i] <= largest && -b[i] <= largest)) largest = (b[i] < 0 ? -b[i] : b[i]) as number;
  }
  return largest === 0 ? difference : difference / largest;
}

/** Weights moved by about one rounding, up and down in turn. */
function nudged(state: StateDict, by: number): StateDict {
  if (by === 0) return state;
  return state.map((entry) => {
    if (!(entry.data instanceof Float32Array)) return entry;
    const data = entry.data.slice();
    for (let i = 0; i < data.length; i++) data[i] *= 1 + (i % 2 ? by : -by) * 2 ** -23;
    return { ...entry, data };
  });
}

/** The entry that differs most, by `measure`. */
function worst(
  a: StateDict,
  b: StateDict,
  measure: (a: Values, b: Values) => number,
): { name: string; difference: number } {
  expect(a.map((entry) => entry.name)).toEqual(b.map((entry) => entry.name));
  const all = a.map(({ name, data }, i) => ({ name, difference: measure(data, b[i].data) }));
  return all.reduce((most, one) => (one.difference <= most.difference ? most : one));
}

const base: Case = {
  stem: 'torchvision',
  size: 28,
  batch: 16,
  labels: 14,
  weightDecay: 0,
  optimizer: 'adam',
  steps: 50,
};
test('the threads change nothing, not a bit; and who executes is told', async () => {
  const config: Case = { ...base, batch: 24 };
  const results = await Promise.all(
    [1, 2, 5].map(async (threads) => {
      const trainer = await trainerFor(config, false, threads);
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
    expect(worst(state, results[0].state, relativeDifference).difference).toBe(0);
  }
  const plain = await trainerFor(config, true);
  expect(plain.execution).toBe('plain');
  await plain.dispose();
});

const cases: Case[] = [
  { ...base, batch: 8 },
  { ...base, batch: 129, labels: 1, steps: 20 },
  { ...base, batch: 4, labels: 5, steps: 20 },
  { ...base, weightDecay: 0.05 },
  { ...base, weightDecay: 0.05, optimizer: 'adamw' },
  { ...base, size: 32, batch: 7, labels: 3 },
  { ...base, size: 64, batch: 6 },
  { ...base, size: 64, batch: 1 },
  { ...base, stem: 'cifar', batch: 3 },
  { ...base, stem: 'cifar', size: 32, batch: 1, labels: 2, weightDecay: 0.01 },
];

describe.each(cases)(
  'fast = plain: $stem stem, $size px, batch $batch, $labels labels, decay $weightDecay $optimizer, $steps steps',
  (config) => {
    let fast: Trainer;
    let plain: Trainer;
    beforeAll(async () => {
      [fast, plain] = await Promise.all([trainerFor(config, false), trainerFor(config, true)]);
    });
    afterAll(() => Promise.all([fast.dispose(), plain.dispose()]));

    const both = async <T>(f: (trainer: Trainer) => Promise<T>) => [await f(fast), await f(plain)] as const;
    const evaluate = (trainer: Trainer) => trainer.predict({ split: 'train', batchSize: 48 });

    test('logits within 1e-5, and the gradients of a batch in which no ReLU flips', async () => {
      const [ours, reference] = await both(evaluate);
      expect(relativeDifference(ours.logits, reference.logits)).toBeLessThan(1e-5);

      const differences: number[] = [];
      for (let step = 0; step < 5 && !(Math.min(...differences) < GRADIENT_TOLERANCE); step++) {
        const batch = { ...config, batch: gradientBatch(config) };
        const [a, b] = await both((trainer) => trainer.gradients({ order: order(batch, step) }));
        expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-6 * Math.abs(b.loss));
        differences.push(worst(a.gradients, b.gradients, largestDifference).difference);
      }
      expect(Math.min(...differences)).toBeLessThan(GRADIENT_TOLERANCE);
    });

    test('steps from warm moments: the first 20 losses within 1e-4, state and logits close at the end', async () => {
      for (let step = 0; step < WARM_UP; step++) {
        await plain.trainEpoch({ order: order(config, step), batchSize: config.batch });
      }
      const [state, moments] = [await plain.stateDict(), await plain.optimizerState()];
      const follow = async (trainer: Trainer, start: StateDict) => {
        await trainer.loadStateDict(start);
        await trainer.loadOptimizerState(moments);
        trainer.setLearningRate(1e-5);
        const losses: number[] = [];
        for (let step = WARM_UP; step < WARM_UP + config.steps; step++) {
          const { loss } = await trainer.trainEpoch({ order: order(config, step), batchSize: config.batch });
          losses.push(loss);
        }
        return { losses, state: await trainer.stateDict(), logits: (await evaluate(trainer)).logits };
      };
      const ours = await follow(fast, state);
      const apart: { loss: number; state: number; logits: number }[] = [];
      for (const nudge of [0, 1, -1]) {
        const reference = await follow(plain, nudged(state, nudge));
        apart.push({
          loss: Math.max(...ours.losses.slice(0, 20).map((loss, i) => Math.abs(loss - reference.losses[i]))),
          state: worst(ours.state, reference.state, relativeDifference).difference,
          logits: relativeDifference(ours.logits, reference.logits),
        });
        if (apart.at(-1)!.loss < 1e-4) break;
      }
      const nearest = apart.reduce((best, one) => (one.loss < best.loss ? one : best));
      expect(nearest.loss).toBeLessThan(1e-4);
      expect(nearest.state).toBeLessThan(1e-2);
      expect(nearest.logits).toBeLessThan(1e-2);
    });
  },
);
