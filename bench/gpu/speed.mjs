/**
 * How fast the device is: training and prediction beside PyTorch's five modes, a whole run of 100 epochs, and the memory
 * of the device. Prints Markdown.
 *
 * Usage, after `npx chestmnist setup --cuda` and `npm run build`: node bench/gpu/speed.mjs [--steps 200 --repeats 3]
 * The peers need CHESTMNIST_PYTHON: a Python with a CUDA torch and torchvision.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { BATCH, compare, hasPython, images, ours, peersOn, python } from '../sides.mjs';
import { device, heading, rehearsed } from './device.mjs';

const { values } = parseArgs({
  strict: false,
  options: {
    steps: { type: 'string', default: rehearsed ? '2' : '200' },
    repeats: { type: 'string', default: rehearsed ? '1' : '3' },
  },
});
const [steps, repeats] = [Number(values.steps), Number(values.repeats)];
console.log(`${heading}; batch ${BATCH}\n`);

const data = images(28);
const sizes = [
  ['28 px', 28, steps],
  ...(rehearsed ? [] : [['224 px, what --resize 224 trains on', 224, Math.max(10, Math.floor(steps / 10))]]),
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
  for (const mode of peers ? (rehearsed ? ['tuned'] : ['medmnist', 'tuned', 'compiled', 'bf16', 'bf16c']) : []) {
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
const main = path.join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const less = rehearsed ? ['--epochs', '2', '--limit-train', '512', '--limit-val', '256', '--limit-test', '256'] : [];
const began = performance.now();
const args = ['train', '--json', '--data', 'synthetic', '--device', device, '--precision', 'bf16', '--out', out];
const run = spawn(process.execPath, [main, ...args, ...less], { stdio: ['ignore', 'pipe', 'inherit'] });
const ended = once(run, 'close');
let [started, memory, epochs, directory] = [0, 0, 0, ''];
for await (const line of createInterface(run.stdout)) {
  const event = JSON.parse(line);
  if (event.type === 'start') [started, directory] = [performance.now(), event.runDirectory];
  if (event.type !== 'epoch') continue;
  epochs++;
  memory = Math.max(memory, memoryUsed() - before);
}
const [code] = await ended;
if (code !== 0) throw new Error(`the run ended with exit code ${code}`);
const [whole, part] = [began, started].map((start) => ((performance.now() - start) / 1e3).toFixed(1));
const count = rehearsed ? 512 : 78_468;
console.log(
  `\n${epochs} epochs over ${count.toLocaleString('en')} synthetic images, validation every epoch, bf16: ${part} s from the start of the`,
);
const used = Number.isNaN(memory) ? 'not measured (no nvidia-smi)' : `${memory} MiB at most`;
console.log(`training to the report, ${whole} s with making the data; device memory ${used}. Its last epochs:\n`);
const rows = readFileSync(path.join(directory, 'history.csv'), 'utf8').trim().split('\n');
console.log(['```', rows[0], ...rows.slice(1).slice(-3), '```'].join('\n'));
rmSync(out, { recursive: true });
