/**
 * The native network against torchvision's, live on this machine (design.md's proofs a, b, c and the gradients).
 * PyTorch runs channels_last with fused Adam, as a tuned script does: its own memory formats differ from one another
 * by more than 1e-4 after a few Adam steps, since Adam's first updates follow the sign of a gradient.
 */
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expandView } from '../../src/data/expand';
import { synthesize } from '../../src/data';
import { native } from '../../src/engine/addon';
import type { StateDict, Trainer } from '../../src/engine/contract';
import { loadWeights } from '../../src/weights';
import { describeWithPython, referencePython } from '../support/reference';

interface Case {
  stem: 'torchvision' | 'cifar';
  labels: number;
  size: number;
  inputSize: number;
  batch: number;
  seed: number;
  optimizer: 'Adam' | 'AdamW';
  weightDecay: number;
}

const STEPS = 20;
/**
 * Batches whose gradients are compared with float64's, and their size: few enough images that not every batch has a ReLU
 * that rounding switches (about one in a million), enough that the norms of the last map are well conditioned.
 */
const EXACT_BATCHES = 5;
const exactBatch = ({ stem, inputSize }: Case) => (stem === 'cifar' ? 2 : inputSize > 32 ? 6 : 32);
const THREADS = 1;
const cases: Case[] = [
  { stem: 'torchvision', labels: 14, size: 28, inputSize: 28, batch: 32, seed: 0, optimizer: 'Adam', weightDecay: 0 },
  { stem: 'torchvision', labels: 3, size: 64, inputSize: 64, batch: 8, seed: 7, optimizer: 'Adam', weightDecay: 0.01 },
  { stem: 'torchvision', labels: 1, size: 28, inputSize: 70, batch: 8, seed: 1, optimizer: 'AdamW', weightDecay: 0.05 },
  { stem: 'cifar', labels: 14, size: 28, inputSize: 28, batch: 8, seed: 2, optimizer: 'Adam', weightDecay: 0 },
];

/** Largest absolute difference; NaN counts as infinite. No call in the loop: it runs over millions of values. */
function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = a[i] < b[i] ? b[i] - a[i] : a[i] - b[i];
    if (!(difference <= most)) most = difference === difference ? difference : Infinity;
  }
  return most;
}

const sha256 = (data: ArrayBufferView) =>
  createHash('sha256')
    .update(Buffer.from(data.buffer, data.byteOffset, data.byteLength))
    .digest('hex');

describeWithPython.each(cases)(
  'ResNet-18 equals torchvision: $stem stem, $labels labels, $size px seen at $inputSize, $optimizer',
  (config) => {
    let folder: string;
    let trainer: Trainer;
    let initial: StateDict;
    const { size, labels, batch } = config;
    const count = 2 * batch;
    const full = synthesize({ seed: 5, size, counts: { train: count, val: 2, test: 2 } }).splits.train;
    const images = full.images;
    const yTrue = Uint8Array.from(
      { length: count * labels },
      (_, k) => full.truth[Math.floor(k / labels) * 14 + (k % labels)],
    );
    const order = Int32Array.from({ length: STEPS * batch }, (_, k) => (k * 7 + Math.floor(k / count)) % count);
    const file = (name: string) => path.join(folder, name);
    const floats = (name: string) => {
      const bytes = readFileSync(file(name));
      return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    };

    beforeAll(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'chestmnist-parity-'));
      writeFileSync(
        file('config.json'),
        JSON.stringify({ ...config, threads: THREADS, exactBatch: exactBatch(config), exactBatches: EXACT_BATCHES }),
      );
      writeFileSync(file('images.bin'), images);
      writeFileSync(file('labels.bin'), yTrue);
      writeFileSync(file('order.bin'), order);
      execFileSync(referencePython!, [path.join(__dirname, 'resnet_reference.py'), folder], { stdio: 'inherit' });
      trainer = makeTrainer(true);
      await trainer.loadSplit('train', expandView(images, count, size), yTrue);
      initial = await trainer.stateDict();
    });

    const makeTrainer = (exact: boolean) =>
      new (native().Trainer)({
        stem: config.stem,
        labelCount: labels,
        imageSize: size,
        inputSize: config.inputSize,
        device: 'cpu',
        precision: 'fp32',
        threads: THREADS,
        seed: config.seed,
        optimizer: config.optimizer === 'Adam' ? 'adam' : 'adamw',
        learningRate: 1e-3,
        weightDecay: config.weightDecay,
        exact,
      });

    afterAll(async () => {
      await trainer.dispose();
      rmSync(folder, { recursive: true });
    });

    const evaluate = async () => (await trainer.predict({ split: 'train', batchSize: batch })).logits;

    test('(a) the seed gives the same initial state dict, bit for bit', () => {
      const ours = Object.fromEntries(initial.map((entry) => [entry.name, sha256(entry.data)]));
      const theirs = JSON.parse(readFileSync(file('initial.json'), 'utf8')) as Record<string, string>;
      expect(ours).toEqual(theirs);
      expect(Object.keys(ours)).toEqual(Object.keys(theirs));
      expect(initial).toHaveLength(122);
    });

    test('(b) evaluation logits within 1e-5', async () => {
      expect(maxDifference(await evaluate(), floats('logits.bin'))).toBeLessThan(1e-5);
    });

    test('gradients of one batch within 1e-5 of the largest of each parameter, and nothing is updated', async () => {
      const { gradients } = await trainer.gradients({ order: order.subarray(0, batch) });
      expect(gradients).toHaveLength(62);
      const reference = floats('gradients.bin');
      let offset = 0;
      for (const { name, data } of gradients) {
        const expected = reference.subarray(offset, (offset += data.length));
        const largest = maxDifference(expected, new Float32Array(expected.length));
        const difference = maxDifference(data as Float32Array, expected);
        if (difference > 1e-5 * largest) throw new Error(`${name}: ${difference} of ${largest}`);
      }
      expect(offset).toBe(reference.length);
      expect((await trainer.stateDict()).map((e) => sha256(e.data))).toEqual(initial.map((e) => sha256(e.data)));
    });

    test('gradients of the fast execution within 1e-5 of those computed in float64, where no ReLU flips', async () => {
      const fast = makeTrainer(false);
      await fast.loadSplit('train', expandView(images, count, size), yTrue);
      const reference = floats('exact.bin');
      const each = reference.length / EXACT_BATCHES;
      const worst: number[] = [];
      for (let i = 0; i < EXACT_BATCHES && !(Math.min(...worst) < 1e-5); i++) {
        const part = order.subarray(i * batch, i * batch + exactBatch(config));
        const { gradients } = await fast.gradients({ order: part });
        let offset = i * each;
        const differences = gradients.map(({ data }) => {
          const expected = reference.subarray(offset, (offset += data.length));
          return maxDifference(data as Float32Array, expected) / maxDifference(expected, new Float32Array(data.length));
        });
        expect(offset).toBe((i + 1) * each);
        worst.push(Math.max(...differences));
      }
      await fast.dispose();
      expect(Math.min(...worst)).toBeLessThan(1e-5);
    });

    test('(c) losses of 20 steps within 1e-4, and the logits after them', async () => {
      const losses: number[] = [];
      for (let step = 0; step < STEPS; step++) {
        const part = order.subarray(step * batch, (step + 1) * batch);
        losses.push((await trainer.trainEpoch({ order: part, batchSize: batch })).loss);
      }
      const expected = JSON.parse(readFileSync(file('losses.json'), 'utf8')) as number[];
      expect(expected).toHaveLength(STEPS);
      expect(maxDifference(losses, expected)).toBeLessThan(1e-4);
      expect(maxDifference(await evaluate(), floats('logits_trained.bin'))).toBeLessThan(1e-3);
    });

    test('(b) a state dict trained and saved by Python gives its logits here within 1e-5', async () => {
      await trainer.loadStateDict(await loadWeights(file('state.pth')));
      expect(maxDifference(await evaluate(), floats('logits_trained.bin'))).toBeLessThan(1e-5);
    });
  },
);
