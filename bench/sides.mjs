/**
 * The two sides of a comparison of rates on the same synthetic images: ours through the trainer, and PyTorch's through
 * pytorch_resnet18.py in its own process. Batch 128 throughout; warm-up is not timed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expandView } from '../dist/data/expand.js';
import { synthesize } from '../dist/data/index.js';
import { writeNpz } from '../dist/base/npz.js';
import { makeTrainer } from '../dist/engine/trainer.js';

export const BATCH = 128;
const WARM_UP = 5;
const COUNT = 1024;

const root = path.resolve(import.meta.dirname, '..');
export const python = process.env.CHESTMNIST_PYTHON ?? path.join(root, '.venv-reference', 'bin', 'python');
export const hasPython = existsSync(python);

const order = (steps) => Int32Array.from({ length: steps * BATCH }, (_, i) => (i * 397) % COUNT);

/** 1,024 synthetic images and their labels. */
export function images(size) {
  const { images, truth } = synthesize({ seed: 0, size, counts: { train: COUNT, val: 2, test: 2 } }).splits.train;
  return { images, truth, size };
}

/** A trainer on the images with this configuration; the caller disposes of it. */
export async function trainerOn({ images, truth, size }, config) {
  const trainer = makeTrainer({ labelCount: 14, imageSize: size, ...config });
  await trainer.loadSplit('train', expandView(images, COUNT, size), truth);
  return trainer;
}

/** Images/s of training and of prediction. */
export async function ours(data, config, steps) {
  const trainer = await trainerOn(data, config);
  await trainer.trainEpoch({ order: order(WARM_UP), batchSize: BATCH });
  const training = await trainer.trainEpoch({ order: order(steps), batchSize: BATCH });
  await trainer.predict({ split: 'train', batchSize: BATCH });
  const prediction = await trainer.predict({ split: 'train', batchSize: BATCH });
  await trainer.dispose();
  return { train: training.samples / training.seconds, predict: prediction.samples / prediction.seconds };
}

/** A function that measures the same for PyTorch in `mode`; its data file is written once. */
export async function peersOn({ images, truth, size }) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-bench-'));
  const file = path.join(folder, 'data.npz');
  await writeNpz(file, {
    train_images: { shape: [COUNT, size, size], data: images },
    train_labels: { shape: [COUNT, 14], data: truth },
  });
  const run = (mode, { steps, threads, stem, device }) => {
    const args = [path.join(import.meta.dirname, 'pytorch_resnet18.py'), file, '--mode', mode];
    args.push('--steps', String(steps), '--warmup', String(WARM_UP), '--stem', stem, '--device', device);
    args.push('--threads', String(threads));
    const { stdout, status, stderr } = spawnSync(python, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${mode}: ${stderr}`);
    const { images_per_s: train, predict_images_per_s: predict } = JSON.parse(stdout);
    return { train, predict };
  };
  return { run, remove: () => rmSync(folder, { recursive: true }) };
}

export const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** Runs every side `repeats` times, in turns, and prints a Markdown table of medians with the ratios of the first. */
export async function compare(sides, repeats) {
  const rates = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
  for (let i = 0; i < repeats; i++) {
    for (const [name, run] of Object.entries(sides)) rates[name].push(await run());
  }
  const first = Object.keys(sides)[0];
  const of = (name, what) => median(rates[name].map((rate) => rate[what]));
  console.log(`| | train images/s | ${first} is | predict images/s | ${first} is |`);
  console.log('|---|---|---|---|---|');
  for (const name of Object.keys(sides)) {
    const ratio = (what) => `${(of(first, what) / of(name, what)).toFixed(2)}x`;
    console.log(
      `| ${name} | ${of(name, 'train').toFixed(0)} | ${ratio('train')} | ${of(name, 'predict').toFixed(0)} | ${ratio('predict')} |`,
    );
  }
}
