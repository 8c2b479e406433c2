/**
 * Training and prediction on the CPU beside PyTorch (pytorch_resnet18.py), in alternated repeats of one run: the fast
 * execution, the plain one (--exact) and the peers. Prints a Markdown table of medians and ratios.
 *
 * Usage: node bench/training.mjs [--steps 20] [--repeats 3] [--modes medmnist,tuned] [--stem torchvision] [--size 28]
 * The peers need .venv-reference (npm test makes it) or CHESTMNIST_PYTHON; without one ours run alone.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const root = path.resolve(import.meta.dirname, '..');
const { synthesize } = require('../dist/data/index.js');
const { writeNpz } = require('../dist/data/npz.js');
const { expandView } = require('../dist/data/expand.js');
const { native } = require('../dist/native.js');

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '20' },
    repeats: { type: 'string', default: '3' },
    modes: { type: 'string', default: 'medmnist,tuned' },
    size: { type: 'string', default: '28' },
    stem: { type: 'string', default: 'torchvision' },
    threads: { type: 'string', default: String(os.availableParallelism()) },
  },
});
const [steps, repeats, size, threads] = ['steps', 'repeats', 'size', 'threads'].map((name) => Number(values[name]));
const BATCH = 128;
const WARM_UP = 3;
const COUNT = 1024;

const { images, labels } = synthesize({ seed: 0, size, counts: { train: COUNT, val: 2, test: 2 } }).splits.train;
const view = expandView(images, COUNT, size);
const order = (n) => Int32Array.from({ length: n * BATCH }, (_, i) => (i * 397) % COUNT);

async function ours(exact) {
  const trainer = new (native().Trainer)({
    stem: values.stem,
    labelCount: 14,
    imageSize: size,
    inputSize: size,
    device: 'cpu',
    precision: 'fp32',
    threads,
    seed: 0,
    optimizer: 'adam',
    learningRate: 1e-3,
    weightDecay: 0,
    exact,
  });
  await trainer.loadSplit('train', view, labels);
  await trainer.trainEpoch({ order: order(WARM_UP), batchSize: BATCH });
  const training = await trainer.trainEpoch({ order: order(steps), batchSize: BATCH });
  await trainer.predict({ split: 'train', batchSize: BATCH });
  const prediction = await trainer.predict({ split: 'train', batchSize: BATCH });
  await trainer.dispose();
  return { train: training.samples / training.seconds, predict: prediction.samples / prediction.seconds };
}

const python = process.env.CHESTMNIST_PYTHON ?? path.join(root, '.venv-reference', 'bin', 'python');
const folder = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-bench-'));
const npz = path.join(folder, 'data.npz');
const arrays = {
  train_images: { shape: [COUNT, size, size], data: images },
  train_labels: { shape: [COUNT, 14], data: labels },
};
await writeNpz(npz, arrays);
function peer(mode) {
  const script = path.join(import.meta.dirname, 'pytorch_resnet18.py');
  const args = [script, npz, '--mode', mode, '--steps', String(steps), '--warmup', String(WARM_UP)];
  const { stdout, status, stderr } = spawnSync(python, [...args, '--threads', String(threads), '--stem', values.stem], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${mode}: ${stderr}`);
  const { images_per_s: train, predict_images_per_s: predict } = JSON.parse(stdout);
  return { train, predict };
}

const sides = { chestmnist: () => ours(false), 'chestmnist --exact': () => ours(true) };
if (existsSync(python)) {
  for (const mode of values.modes.split(',')) sides[`PyTorch ${mode}`] = () => peer(mode);
} else {
  console.error(`no Python with torch at ${python}: ours alone`);
}
const rates = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
for (let i = 0; i < repeats; i++) {
  for (const [name, run] of Object.entries(sides)) rates[name].push(await run());
}
rmSync(folder, { recursive: true });

const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
const of = (name, what) => median(rates[name].map((rate) => rate[what]));
const date = new Date().toISOString().slice(0, 10);
console.log(
  `${date}, ${os.cpus()[0].model} (${native().cpuCapability()}), ${threads} threads, Node ${process.versions.node}, ` +
    `LibTorch ${native().torchVersion()}; ${values.stem} stem, ${size} px, batch ${BATCH}, fp32; median of ${repeats} alternated repeats of ${steps} steps\n`,
);
console.log('| | train images/s | chestmnist is | predict images/s | chestmnist is |');
console.log('|---|---|---|---|---|');
for (const name of Object.keys(sides)) {
  const ratio = (what) => `${(of('chestmnist', what) / of(name, what)).toFixed(2)}x`;
  console.log(
    `| ${name} | ${of(name, 'train').toFixed(0)} | ${ratio('train')} | ${of(name, 'predict').toFixed(0)} | ${ratio('predict')} |`,
  );
}
