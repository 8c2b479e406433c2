/**
 * Whether the device computes what the CPU computes. Prints Markdown; exit code 1 where it does not.
 * Usage, after `npx chestmnist setup --cuda` and `npm run build`: node bench/gpu/parity.mjs [--device cpu]
 *
 * 1. Steps that start from one state, on both stems, three sizes and with all elements of a recipe: float64 on the device
 *    against float64 on the CPU, and float32 (plain, and as graphs) against it, as multiples of what the CPU's float32 is off.
 * 2. Graphs against no graphs, and the device against itself: the same bits, or how far they are apart.
 * 3. bfloat16 against PyTorch's bfloat16, each by its distance from float64 (reference.py; needs CHESTMNIST_PYTHON).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { saveWeights } from '../../dist/index.mjs';
import { augmentationOf } from '../../dist/recipe/augment.js';
import { resolveOptions } from '../../dist/recipe/resolve.js';
import { hasPython, images, python, trainerOn } from '../sides.mjs';
import { device, heading, rehearsed } from './device.mjs';

/** As in tests/support/rounding.ts: how many times further than the CPU's float32 the device's may be. */
const FACTOR = 10;
/** Of logits, relative to their norm. */
const LOGITS = 1e-4;
const WARM_UP = 5;
const STEPS = 3;

const ALL = {
  ...{ optimizer: 'adamw', weightDecay: 0.05, clip: 0.3, ema: 0.3, labelSmoothing: 0.1 },
  ...{ rotate: 15, scale: 0.2, shift: 0.1, crop: 0.7, flip: 0.5 },
  ...{ brightness: 0.2, contrast: 0.3, erase: 0.5, mixup: 0.4 },
};
const cases = [
  { stem: 'torchvision', size: 28, batch: 16 },
  { stem: 'torchvision', size: 28, batch: 16, options: ALL },
  { stem: 'cifar', size: 28, batch: 8 },
  { stem: 'cifar', size: 28, batch: 8, options: ALL },
  { stem: 'torchvision', size: 64, batch: 8 },
  ...(rehearsed ? [] : [{ stem: 'torchvision', size: 224, batch: 8 }]),
];

let failed = false;
const judge = (holds) => {
  failed ||= !holds;
  return holds ? 'yes' : '**no**';
};

/** Euclidean distance of two lists of values, over the norm of the second. */
function apart(values, exact) {
  let [difference, size] = [0, 0];
  for (let i = 0; i < exact.length; i++) {
    difference += (values[i] - exact[i]) ** 2;
    size += exact[i] ** 2;
  }
  return Math.sqrt(difference / size);
}
const joined = (state) => {
  const floats = state.filter(({ dtype }) => dtype === 'F32').map(({ data }) => data);
  const all = new Float32Array(floats.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const data of floats) {
    all.set(data, offset);
    offset += data.length;
  }
  return all;
};
const sameBits = (a, b) => Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
const orderOf = (batch, step) => Int32Array.from({ length: batch }, (_, i) => (step * 37 + i * 7) % 1024);
const short = (value) => value.toExponential(1);

const data = Object.fromEntries(
  [28, 64, 224].filter((size) => cases.some((one) => one.size === size)).map((size) => [size, images(size)]),
);

/** Configuration and inputs of a case. */
function parts({ stem, size, options = {} }) {
  const resolved = resolveOptions(options);
  const { optimizer, weightDecay, decayNorms, labelSmoothing, ema, clip } = resolved;
  const config = {
    stem,
    optimizer,
    weightDecay,
    decayNorms,
    smoothing: labelSmoothing,
    averageDecay: ema,
    clipNorm: clip ?? 0,
  };
  const augmentation = augmentationOf(resolved, { seed: 5, epoch: 1, count: 1024, side: size });
  return { config, extra: augmentation && { augmentation } };
}
async function stateOf(trainer, averaged) {
  const model = await trainer.stateDict();
  return {
    model,
    average: averaged ? await trainer.stateDict({ averaged }) : undefined,
    moments: await trainer.optimizerState(),
  };
}
async function load(trainer, { model, average, moments }) {
  await trainer.loadStateDict(model);
  if (average) await trainer.loadStateDict(average, { averaged: true });
  await trainer.loadOptimizerState(moments);
}

console.log(`${heading}\n`);
console.log(`## Steps that start from one state\n`);
console.log(
  'Distances from float64 on the CPU, relative: of the logits, and of what a step adds to the weights, the middle one of ' +
    `${STEPS} steps. Float32 may be ${FACTOR} times as far as the CPU's.\n`,
);
console.log('| case | side | execution | logits | update | holds |\n|---|---|---|---|---|---|');
const BITS = [];
for (const one of cases) {
  const { config, extra } = parts(one);
  const averaged = config.averageDecay > 0;
  const name = `${one.stem} ${one.size} px, batch ${one.batch}${one.options ? ', all elements' : ''}`;
  const make = (changes) => trainerOn(data[one.size], { ...config, ...changes });
  const sides = {
    'CPU float64': await make({ precision: 'fp64' }),
    'CPU float32': await make({ exact: true }),
    'device float64': await make({ device, precision: 'fp64' }),
    'device float32': await make({ device, exact: true }),
    'device float32, its fastest': await make({ device }),
  };
  const step = (trainer, number) =>
    trainer.trainEpoch({
      order: orderOf(one.batch, number),
      batchSize: one.batch,
      learningRates: Float64Array.of(5e-4),
      ...extra,
    });
  const [exact, ...others] = Object.values(sides);
  for (let i = 0; i < WARM_UP; i++) await step(sides['CPU float32'], i);
  let before = await stateOf(sides['CPU float32'], averaged);
  const found = Object.keys(sides).map((side) => ({ side, logits: [], update: [] }));
  for (let i = WARM_UP; i < WARM_UP + STEPS; i++) {
    const after = [];
    for (const trainer of [exact, ...others]) {
      await load(trainer, before);
      const { logits } = await trainer.predict({ split: 'train', batchSize: 128 });
      await step(trainer, i);
      after.push({ logits, weights: joined(await trainer.stateDict()), trainer });
    }
    const start = joined(before.model);
    const change = (weights) => weights.map((value, k) => value - start[k]);
    const truth = { logits: after[0].logits, update: change(after[0].weights) };
    after.forEach(({ logits, weights }, k) => {
      found[k].logits.push(apart(logits, truth.logits));
      found[k].update.push(apart(change(weights), truth.update));
    });
    before = await stateOf(exact, averaged);
  }
  const middle = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
  const [, cpu] = found;
  for (const { side, logits, update } of found.slice(1)) {
    const [of, by] = [middle(logits), middle(update)];
    const holds =
      side === 'CPU float32' ||
      (side === 'device float64'
        ? of < 2 ** -23 && by < middle(cpu.update)
        : of < LOGITS && of <= FACTOR * middle(cpu.logits) && by <= FACTOR * middle(cpu.update));
    console.log(`| ${name} | ${side} | ${sides[side].execution} | ${short(of)} | ${short(by)} | ${judge(holds)} |`);
  }

  // From one state: as many steps as make sure that graphs are recorded and replayed.
  const runs = [];
  for (const side of [
    'device float32',
    'device float32',
    'device float32, its fastest',
    'device float32, its fastest',
  ]) {
    await load(sides[side], before);
    for (let i = 0; i < 12; i++) await step(sides[side], i);
    runs.push(joined(await sides[side].stateDict()));
  }
  const told = (a, b) => (sameBits(a, b) ? 'the same bits' : `${short(apart(a, b))} apart`);
  BITS.push([
    name,
    sides['device float32, its fastest'].execution,
    told(runs[0], runs[1]),
    told(runs[2], runs[3]),
    told(runs[2], runs[0]),
  ]);
  for (const trainer of Object.values(sides)) await trainer.dispose();
}

console.log('\n## The same bits\n\nWeights after 12 steps from one state.\n');
console.log('| case | fastest execution | plain, twice | fastest, twice | fastest and plain |\n|---|---|---|---|---|');
for (const row of BITS) console.log(`| ${row.join(' | ')} |`);

if (hasPython) {
  console.log(
    "\n## bfloat16 beside PyTorch's\n\nDistances from PyTorch's float64 on the CPU, of logits and of the gradients of one batch.\n",
  );
  console.log('| case | what | ours | PyTorch | ratio |\n|---|---|---|---|---|');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-gpu-'));
  for (const one of cases.filter(({ options }) => !options)) {
    const { config } = parts(one);
    const make = (changes) => trainerOn(data[one.size], { ...config, ...changes });
    const warm = await make({ exact: true });
    for (let i = 0; i < WARM_UP; i++) await warm.trainEpoch({ order: orderOf(one.batch, i), batchSize: one.batch });
    const weights = await warm.stateDict();
    await warm.dispose();
    await saveWeights(path.join(folder, `${one.stem}-${one.size}.pth`), weights);
    const order = orderOf(one.batch, 99);
    const { images: all, truth } = data[one.size];
    const pixels = one.size * one.size;
    writeFileSync(
      path.join(folder, 'images.bin'),
      Buffer.concat([...order].map((i) => all.subarray(i * pixels, (i + 1) * pixels))),
    );
    writeFileSync(
      path.join(folder, 'labels.bin'),
      Buffer.concat([...order].map((i) => truth.subarray(i * 14, (i + 1) * 14))),
    );
    writeFileSync(
      path.join(folder, 'config.json'),
      JSON.stringify({ ...one, labels: 14, device, weights: `${one.stem}-${one.size}.pth` }),
    );
    execFileSync(python, [path.join(import.meta.dirname, 'reference.py'), folder], { stdio: 'inherit' });
    const theirs = JSON.parse(readFileSync(path.join(folder, 'distances.json'), 'utf8'));
    const floats = (name) => new Float32Array(new Uint8Array(readFileSync(path.join(folder, name))).buffer);
    for (const [what, changes] of [
      ['float32', {}],
      ['bfloat16', { precision: 'bf16' }],
    ]) {
      const trainer = await make({ device, exact: true, ...changes });
      await trainer.loadStateDict(weights);
      const { gradients } = await trainer.gradients({ order });
      const far = apart(joined(gradients), floats('gradients.bin'));
      const ratio = far / theirs[what];
      console.log(
        `| ${one.stem} ${one.size} px | gradients, ${what} | ${short(far)} | ${short(theirs[what])} | ${ratio.toFixed(2)}x |`,
      );
      if (!(ratio <= FACTOR)) failed = true;
      await trainer.dispose();
    }
  }
  rmSync(folder, { recursive: true });
} else console.log(`\nno Python with torch at ${python}: bfloat16 was not compared`);

if (failed) {
  console.log('\nFAILED: see the rows above');
  process.exit(1);
}
