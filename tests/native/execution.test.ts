/**
 * The fast CPU execution against the plain one (LibTorch's operators): the same function for every stem, size, batch
 * size, label count and weight decay.
 *
 * Two properties of the function itself shape these tests. ReLU has no derivative at zero: a rounding difference there
 * switches an element on or off, so gradients are compared strictly where every pre-activation is far from zero. And
 * Adam's first updates follow the sign of a gradient, so trajectories are compared from a state with warm moments.
 */
import { expandView } from '../../src/data/expand';
import { synthesize } from '../../src/data';
import { native, type StateDict, type Stem, type Trainer, type TrainerConfig } from '../../src/native';

interface Case {
  stem: Stem;
  size: number;
  batch: number;
  labels: number;
  weightDecay: number;
  optimizer: TrainerConfig['optimizer'];
}

const COUNT = 160;

async function makeTrainer(config: Case, exact: boolean): Promise<Trainer> {
  const { stem, size, labels, weightDecay, optimizer } = config;
  const trainer = new (native().Trainer)({
    stem,
    labelCount: labels,
    imageSize: size,
    inputSize: size,
    device: 'cpu',
    precision: 'fp32',
    threads: 1,
    seed: 11,
    optimizer,
    learningRate: 1e-3,
    weightDecay,
    exact,
  });
  const { images, labels: all } = synthesize({ seed: 1, size, counts: { train: COUNT, val: 2, test: 2 } }).splits.train;
  const yTrue = Uint8Array.from({ length: COUNT * labels }, (_, k) => all[Math.floor(k / labels) * 14 + (k % labels)]);
  await trainer.loadSplit('train', expandView(images, COUNT, size), yTrue);
  return trainer;
}

const order = (batch: number, step: number) => Int32Array.from({ length: batch }, (_, i) => (step * 37 + i * 7) % COUNT);

/** sqrt(sum (a-b)^2 / sum b^2): 0 when equal, NaN when one holds NaN. */
function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return norm === 0 ? difference : Math.sqrt(difference / norm);
}

/** Running statistics and step counts aside, the float entries of two states that differ by more than `tolerance`. */
function differing(a: StateDict, b: StateDict, tolerance: number): string[] {
  expect(a.map((entry) => entry.name)).toEqual(b.map((entry) => entry.name));
  return a.flatMap(({ name, dtype, data }, i) => {
    if (dtype === 'I64') return String(data) === String(b[i].data) ? [] : [name];
    const difference = relativeDifference(data as Float32Array, b[i].data as Float32Array);
    return difference <= tolerance ? [] : [`${name}: ${difference}`];
  });
}

/**
 * The state with every ReLU far from its corner: the biases of the last norm before it are moved to +30 in two of
 * three channels and to -300 in the third, more than normalised values and an identity path can make up for.
 */
function awayFromCorners(state: StateDict): StateDict {
  return state.map((entry) => {
    if (!/(^|\.)bn\d\.bias$/.test(entry.name)) return entry;
    const block = /\.bn2\.bias$/.test(entry.name);
    return { ...entry, data: Float32Array.from(entry.data as Float32Array, (_, c) => (c % 3 ? 30 : block ? -300 : -60)) };
  });
}

const base: Case = { stem: 'torchvision', size: 28, batch: 32, labels: 14, weightDecay: 0, optimizer: 'adam' };
const cases: Case[] = [
  base,
  { ...base, batch: 129, labels: 1 },
  { ...base, batch: 2, labels: 5 },
  { ...base, batch: 17, weightDecay: 0.05 },
  { ...base, batch: 17, weightDecay: 0.05, optimizer: 'adamw' },
  { ...base, size: 32, batch: 7, labels: 3 },
  { ...base, size: 64, batch: 12 },
  { ...base, size: 64, batch: 1 },
  { ...base, stem: 'cifar', batch: 5, labels: 14 },
  { ...base, stem: 'cifar', size: 32, batch: 1, labels: 2, weightDecay: 0.01 },
];

describe.each(cases)('fast = plain: $stem stem, $size px, batch $batch, $labels labels, decay $weightDecay $optimizer', (config) => {
  let fast: Trainer;
  let plain: Trainer;
  beforeAll(async () => {
    [fast, plain] = await Promise.all([makeTrainer(config, false), makeTrainer(config, true)]);
  });
  afterAll(() => Promise.all([fast.dispose(), plain.dispose()]));

  const both = async <T>(f: (trainer: Trainer) => Promise<T>) => [await f(fast), await f(plain)] as const;
  const evaluate = (trainer: Trainer) => trainer.predict({ split: 'train', batchSize: 48 });

  test('logits, and the gradients of a batch away from the corners of ReLU, within 1e-5', async () => {
    const [ours, reference] = await both(evaluate);
    expect(relativeDifference(ours.logits, reference.logits)).toBeLessThan(1e-5);

    const initial = await plain.stateDict();
    const smooth = awayFromCorners(initial);
    await both((trainer) => trainer.loadStateDict(smooth));
    const [a, b] = await both((trainer) => trainer.gradients({ order: order(config.batch, 0) }));
    expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-5 * Math.abs(b.loss));
    expect(differing(a.gradients, b.gradients, 1e-5)).toEqual([]);
    await both((trainer) => trainer.loadStateDict(initial));
  });

  test('50 steps from warm moments: the first 20 losses within 1e-4, state and logits close at the end', async () => {
    for (let step = 0; step < 10; step++) {
      await plain.trainEpoch({ order: order(config.batch, step), batchSize: config.batch });
    }
    await fast.loadStateDict(await plain.stateDict());
    await fast.loadOptimizerState(await plain.optimizerState());
    await both((trainer) => Promise.resolve(trainer.setLearningRate(1e-5)));
    for (let step = 10; step < 60; step++) {
      const [a, b] = await both((trainer) => trainer.trainEpoch({ order: order(config.batch, step), batchSize: config.batch }));
      if (step < 30) expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-4);
    }
    const [a, b] = await both((trainer) => trainer.stateDict());
    expect(differing(a, b, 1e-3)).toEqual([]);
    const [c, d] = await both(evaluate);
    expect(relativeDifference(c.logits, d.logits)).toBeLessThan(1e-2);
  });
});
