/**
 * Synthetic data in ChestMNIST's shape: deterministic in (seed, size, counts), with the real prevalences and
 * co-occurrence (labels.ts) and a mark on the image for every label (image.ts).
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { show } from '../../base/arguments';
import { ChestMnistError } from '../../base/errors';
import { CHESTMNIST, CHESTMNIST_LABELS } from '../catalogue';
import { SPLIT_NAMES, type Dataset, type Split, type SplitName } from '../dataset';
import { Random } from '../../base/random';
import { Canvas, drawRadiograph } from './image';
import { drawLabelMasks } from './labels';

export interface SynthesizeOptions {
  /** An integer from 0 to 2^53 - 1; default 0. */
  seed?: number;
  /** Side of the images in pixels, even, 28 to 224; default 28. Every size shows the same scenes. */
  size?: number;
  /** Images per split, at least 1; default ChestMNIST's 78,468/11,219/22,433. */
  counts?: Readonly<Record<SplitName, number>>;
}

const LABELS = CHESTMNIST_LABELS.length;
/** Work between two returns to the event loop: a few milliseconds. */
const PIXELS_AT_A_TIME = 100_000;

/**
 * Makes a synthetic data set of 14 labels, blocking until it is done (about 30,000 images of 28 pixels per second). In
 * a split of at least 28 images, each label has a positive. Throws ERR_CONFIG when an option is out of range.
 */
export function synthesize(options: SynthesizeOptions = {}): Dataset {
  const steps = generate(options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same without blocking the event loop; the result is equal, byte for byte. */
export async function synthesizeAsync(
  options: SynthesizeOptions & { onProgress?: (done: number, total?: number) => void; signal?: AbortSignal },
): Promise<Dataset> {
  const steps = generate(options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    options.onProgress?.(step.value.done, step.value.total);
    await setImmediate();
    options.signal?.throwIfAborted();
  }
}

function* generate(options: SynthesizeOptions): Generator<{ done: number; total: number }, Dataset> {
  const { seed, size, counts } = checked(options);
  const total = SPLIT_NAMES.reduce((sum, name) => sum + counts[name], 0);
  const canvas = new Canvas(size);
  const batch = Math.max(1, Math.floor(PIXELS_AT_A_TIME / (size * size)));
  const md5 = createHash('md5');
  const splits = {} as Record<SplitName, Split>;
  let done = 0;
  for (const [index, name] of SPLIT_NAMES.entries()) {
    const count = counts[name];
    const images = new Uint8Array(count * size * size);
    const labels = new Uint8Array(count * LABELS);
    const masks = drawLabelMasks(count, CHESTMNIST.splits[name], stream(seed, index, 0));
    for (let start = 0; start < count; start += batch) {
      const end = Math.min(count, start + batch);
      for (let i = start; i < end; i++) {
        for (let label = 0; label < LABELS; label++) labels[i * LABELS + label] = (masks[i] >> label) & 1;
        const image = images.subarray(i * size * size, (i + 1) * size * size);
        drawRadiograph(canvas, masks[i], image, stream(seed, index, i + 1));
      }
      md5.update(images.subarray(start * size * size, end * size * size));
      done += end - start;
      yield { done, total };
    }
    md5.update(labels);
    splits[name] = { images, truth: labels, count, size, channels: 1, labelCount: LABELS };
  }
  const facts = { name: 'synthetic', size, channels: 1, task: CHESTMNIST.task, labels: CHESTMNIST_LABELS } as const;
  return { ...facts, splits, md5: md5.digest('hex') };
}

/** The random stream of one image (from 1), or of a split's labels (0). */
function stream(seed: number, split: number, index: number): Random {
  return new Random(seed | 0, Math.floor(seed / 2 ** 32) + split * 2 ** 24, index);
}

function checked({ seed = 0, size = 28, counts = realCounts() }: SynthesizeOptions): Required<SynthesizeOptions> {
  const refuse = (found: string, needed: string) => {
    throw new ChestMnistError('ERR_CONFIG', { found, needed, next: 'change the option of the synthetic data' });
  };
  if (!Number.isSafeInteger(seed) || seed < 0) refuse(`seed ${show(seed)}`, 'an integer from 0 to 2^53 - 1');
  if (!Number.isInteger(size) || size % 2 !== 0 || size < 28 || size > 224)
    refuse(`size ${show(size)}`, 'an even size, 28 to 224');
  for (const name of SPLIT_NAMES) {
    const [count, most] = [counts[name], CHESTMNIST.splits[name].count];
    if (!Number.isInteger(count) || count < 1 || count > most) {
      refuse(`${show(count)} ${name} images`, `an integer from 1 to ChestMNIST's ${most}`);
    }
  }
  return { seed, size, counts };
}

function realCounts(): Record<SplitName, number> {
  const { train, val, test } = CHESTMNIST.splits;
  return { train: train.count, val: val.count, test: test.count };
}
