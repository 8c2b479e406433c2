/**
 * `npm run bench:gpu`, on a machine with a CUDA device: checks that it computes the same as the CPU, then measures
 * rates compared with PyTorch, a whole run of 100 epochs, and the memory of the device. Prints Markdown; without a
 * device it prints the reason and measures nothing.
 *
 * Usage, after `npx chestmnist setup --cuda` and `npm run build`: npm run bench:gpu [-- --steps 200 --repeats 3]
 * The peers need CHESTMNIST_PYTHON: a Python with a CUDA torch and torchvision.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { native } from '../dist/engine/addon.js';
import { BATCH, compare, hasPython, images, ours, peersOn, python, trainerOn } from './sides.mjs';

const { values } = parseArgs({
  options: { steps: { type: 'string', default: '200' }, repeats: { type: 'string', default: '3' } },
});
const [steps, repeats] = [Number(values.steps), Number(values.repeats)];
const status = native().cudaStatus();
if (!status.available) {
  console.log(`no CUDA device can be used here (${status.reason}): nothing measured`);
  process.exit(4);
}
const device = 'cuda';
console.log(
  `${new Date().toISOString().slice(0, 10)}, ${status.devices[0].name}, CUDA ${status.builtWith} (driver ${status.driver}), ` +
    `Node ${process.versions.node}, LibTorch ${native().torchVersion()}; batch ${BATCH}\n`,
);

const orderOf = (step) => Int32Array.from({ length: BATCH }, (_, i) => (step * 37 + i * 7) % 1024);
const stateOf = async (trainer) => [await trainer.stateDict(), await trainer.optimizerState()];
async function load(trainer, [model, optimizer]) {
  await trainer.loadStateDict(model);
  await trainer.loadOptimizerState(optimizer);
}

/**
 * The state after 30 steps on the CPU: by then Adam's updates are smooth; the first ones follow the sign of the
 * gradient.
 */
async function warmState(data) {
  const trainer = await trainerOn(data, { exact: true });
  for (let step = 0; step < 30; step++) await trainer.trainEpoch({ order: orderOf(step), batchSize: BATCH });
  const state = await stateOf(trainer);
  await trainer.dispose();
  return state;
}

/**
 * Losses of 20 steps from `state`, and the logits after them. Halfway the state is written back and the learning rate
 * changes.
 */
async function follow(data, state, config) {
  const trainer = await trainerOn(data, config);
  let rate = 1e-4;
  await load(trainer, state);
  const losses = [];
  for (let step = 0; step < 20; step++) {
    if (step === 10) {
      await load(trainer, await stateOf(trainer));
      rate = 5e-5;
    }
    const learningRates = Float64Array.of(rate);
    losses.push((await trainer.trainEpoch({ order: orderOf(step), batchSize: BATCH, learningRates })).loss);
  }
  const { logits } = await trainer.predict({ split: 'train', batchSize: BATCH });
  const { execution } = trainer;
  await trainer.dispose();
  return { losses, logits, execution };
}

/** Largest difference of the losses, and the L2 difference of the logits relative to their norm. */
function apart(a, b) {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.logits.length; i++) {
    difference += (a.logits[i] - b.logits[i]) ** 2;
    size += b.logits[i] ** 2;
  }
  const loss = Math.max(...a.losses.map((value, i) => Math.abs(value - b.losses[i])));
  return { loss, logits: Math.sqrt(difference / size) };
}

const data = images(28);
console.log('Parity, 20 steps from one state at learning rates 1e-4 and 5e-5:\n');
console.log('| | execution | largest difference of a loss | logits, relative |\n|---|---|---|---|');
const state = await warmState(data);
const reference = await follow(data, state, { device: 'cpu', exact: true });
let failed = false;
for (const [name, config, most] of [
  ['CUDA fp32, plain, against the CPU', { exact: true }, 1e-4],
  ['CUDA fp32 against the CPU', {}, 1e-4],
  ['CUDA bf16 against the CPU in fp32', { precision: 'bf16' }, 2e-2],
]) {
  const result = await follow(data, state, { device, ...config });
  const { loss, logits } = apart(result, reference);
  failed ||= !(loss < most);
  console.log(`| ${name} | ${result.execution} | ${loss.toExponential(1)} | ${logits.toExponential(1)} |`);
}
if (failed) {
  console.log('\nFAILED: a loss differs by more than it may (1e-4 in fp32, 2e-2 in bf16)');
  process.exit(1);
}

const sizes = [
  ['28 px', 28, steps],
  ['224 px, what --resize 224 trains on', 224, Math.max(10, Math.floor(steps / 10))],
];
for (const [title, size, count] of sizes) {
  const large = size === 28 ? data : images(size);
  const sides = {
    'chestmnist bf16': () => ours(large, { device, precision: 'bf16' }, count),
    'chestmnist fp32': () => ours(large, { device }, count),
    'chestmnist bf16 --exact': () => ours(large, { device, precision: 'bf16', exact: true }, count),
  };
  const peers = hasPython ? await peersOn(large) : undefined;
  if (!peers) console.error(`no Python with torch at ${python}: ours alone`);
  for (const mode of peers ? ['medmnist', 'tuned', 'compiled', 'bf16', 'bf16c'] : []) {
    sides[`PyTorch ${mode}`] = () =>
      peers.run(mode, { steps: count, threads: os.availableParallelism(), stem: 'torchvision', device });
  }
  console.log(`\n${title}; median of ${repeats} alternated repeats of ${count} steps\n`);
  await compare(sides, repeats);
  peers?.remove();
}

/**
 * Used memory of the device in MiB, of all processes, since a container does not see them separately. NaN without
 * nvidia-smi.
 */
function memoryUsed() {
  const id = process.env.CUDA_VISIBLE_DEVICES?.split(',')[0] || '0';
  const query = [`--id=${id}`, '--query-gpu=memory.used', '--format=csv,noheader,nounits'];
  const { status, stdout } = spawnSync('nvidia-smi', query, { encoding: 'utf8' });
  return status === 0 ? Number(stdout) : NaN;
}

// In its own process, as a user runs it; the device memory of this process is subtracted.
const out = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-bench-'));
const before = memoryUsed();
const main = path.join(import.meta.dirname, '..', 'dist', 'cli', 'main.js');
const began = performance.now();
const run = spawn(
  process.execPath,
  [main, 'train', '--json', '--data', 'synthetic', '--device', device, '--precision', 'bf16', '--out', out],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const ended = once(run, 'close');
let [started, memory] = [0, 0];
for await (const line of createInterface(run.stdout)) {
  const event = JSON.parse(line);
  if (event.type === 'start') started = performance.now();
  if (event.type === 'epoch') memory = Math.max(memory, memoryUsed() - before);
}
const [code] = await ended;
if (code !== 0) throw new Error(`the run ended with exit code ${code}`);
const [whole, epochs] = [began, started].map((start) => ((performance.now() - start) / 1e3).toFixed(1));
console.log(
  `\n100 epochs over 78,468 synthetic images, validation every epoch, bf16: ${epochs} s from the start of the`,
);
const used = Number.isNaN(memory) ? 'not measured (no nvidia-smi)' : `${memory} MiB at most`;
console.log(`training to the report, ${whole} s with making the data; device memory ${used}`);
rmSync(out, { recursive: true });
