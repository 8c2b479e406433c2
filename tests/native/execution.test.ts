/**
 * The fast CPU execution against the plain one (LibTorch's operators): the same function for every stem, size, batch
 * size, label count and weight decay.
 *
 * Two properties of the function itself shape these tests. ReLU has no derivative at zero: a rounding difference there
 * may switch an element on or off, so of a few batches one has to agree strictly and all loosely. And Adam's first updates follow the sign of a gradient, so trajectories are compared from a state with warm moments.
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
  /** Steps compared, after WARM_UP of the plain execution. */
  steps: number;
}

const WARM_UP = 5;
/** Gradients are compared on this many images: at 1x1 the norms need some values to be well conditioned. */
const GRADIENT_BATCH = 32;
const countOf = ({ batch }: Case) => Math.max(40, batch + 3);

async function makeTrainer(config: Case, exact: boolean): Promise<Trainer> {
  const { stem, size, labels, weightDecay, optimizer } = config;
  const count = countOf(config);
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
  const { images, labels: all } = synthesize({ seed: 1, size, counts: { train: count, val: 2, test: 2 } }).splits.train;
  const yTrue = Uint8Array.from({ length: count * labels }, (_, k) => all[Math.floor(k / labels) * 14 + (k % labels)]);
  await trainer.loadSplit('train', expandView(images, count, size), yTrue);
  return trainer;
}

/** The samples of a step; 7 and the count have no common factor, so they are distinct. */
const order = (config: Case, step: number) =>
  Int32Array.from({ length: config.batch }, (_, i) => (step * 37 + i * 7) % countOf(config));

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

/** The entry that differs most, by `measure`. */
function worst(a: StateDict, b: StateDict, measure: typeof relativeDifference): { name: string; difference: number } {
  expect(a.map((entry) => entry.name)).toEqual(b.map((entry) => entry.name));
  const all = a.map(({ name, data }, i) => ({ name, difference: measure(Array.from(data, Number), Array.from(b[i].data, Number)) }));
  return all.reduce((most, one) => (one.difference <= most.difference ? most : one));
}

/** max |a-b| / max |b|. */
function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i] - b[i]));
    largest = Math.max(largest, Math.abs(b[i]));
  }
  return largest === 0 ? difference : difference / largest;
}

const base: Case = { stem: 'torchvision', size: 28, batch: 16, labels: 14, weightDecay: 0, optimizer: 'adam', steps: 20 };
const cases: Case[] = [
  { ...base, batch: 8, steps: 50 },
  { ...base, batch: 129, labels: 1, steps: 4 },
  { ...base, batch: 2, labels: 5, steps: 50 },
  { ...base, weightDecay: 0.05 },
  { ...base, weightDecay: 0.05, optimizer: 'adamw' },
  { ...base, size: 32, batch: 7, labels: 3 },
  { ...base, size: 64, batch: 6 },
  { ...base, size: 64, batch: 1 },
  { ...base, stem: 'cifar', batch: 3, steps: 5 },
  { ...base, stem: 'cifar', size: 32, batch: 1, labels: 2, weightDecay: 0.01, steps: 5 },
];

describe.each(cases)('fast = plain: $stem stem, $size px, batch $batch, $labels labels, decay $weightDecay $optimizer, $steps steps', (config) => {
  let fast: Trainer;
  let plain: Trainer;
  beforeAll(async () => {
    [fast, plain] = await Promise.all([makeTrainer(config, false), makeTrainer(config, true)]);
  });
  afterAll(() => Promise.all([fast.dispose(), plain.dispose()]));

  const both = async <T>(f: (trainer: Trainer) => Promise<T>) => [await f(fast), await f(plain)] as const;
  const evaluate = (trainer: Trainer) => trainer.predict({ split: 'train', batchSize: 48 });

  test('logits, and the gradients of a batch in which no ReLU flips, within 1e-5', async () => {
    const [ours, reference] = await both(evaluate);
    expect(relativeDifference(ours.logits, reference.logits)).toBeLessThan(1e-5);

    const differences: number[] = [];
    for (let step = 0; step < 5 && !(Math.min(...differences) < 1e-5); step++) {
      const batch = { ...config, batch: GRADIENT_BATCH };
      const [a, b] = await both((trainer) => trainer.gradients({ order: order(batch, step) }));
      expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-6 * Math.abs(b.loss));
      differences.push(worst(a.gradients, b.gradients, largestDifference).difference);
    }
    console.log(differences);
    expect(Math.min(...differences)).toBeLessThan(1e-5);
    expect(Math.max(...differences)).toBeLessThan(0.1);
  });

  test('steps from warm moments: losses within 1e-4, state and logits close at the end', async () => {
    for (let step = 0; step < WARM_UP; step++) {
      await plain.trainEpoch({ order: order(config, step), batchSize: config.batch });
    }
    await fast.loadStateDict(await plain.stateDict());
    await fast.loadOptimizerState(await plain.optimizerState());
    await both((trainer) => Promise.resolve(trainer.setLearningRate(1e-5)));
    for (let step = WARM_UP; step < WARM_UP + config.steps; step++) {
      const args = { order: order(config, step), batchSize: config.batch };
      const [a, b] = await both((trainer) => trainer.trainEpoch(args));
      expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-4);
    }
    const [a, b] = await both((trainer) => trainer.stateDict());
    expect(worst(a, b, relativeDifference).difference).toBeLessThan(1e-3);
    const [c, d] = await both(evaluate);
    expect(relativeDifference(c.logits, d.logits)).toBeLessThan(1e-2);
  });
});
