/**
 * `npm run bench:gpu`, on a machine with a CUDA device: what it is, whether it computes the same as the CPU, what happens
 * when something fails, and how fast it is beside PyTorch. Each step is a process with a time limit of its own, and one
 * that fails does not keep the next from running.
 *
 * Usage, after `npx chestmnist setup --cuda` and `npm run build`: npm run bench:gpu [-- --out FOLDER --device cpu --only parity]
 * Writes results.md, log.txt and summary.json into FOLDER (default bench/gpu/results). `--device cpu` rehearses it without a device.
 * CHESTMNIST_PYTHON names a Python with a CUDA torch and torchvision, for the peers.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: path.join(import.meta.dirname, 'results') },
    device: { type: 'string', default: 'cuda' },
    only: { type: 'string', default: '' },
    setup: { type: 'boolean', default: false },
  },
});
const out = path.resolve(values.out);
const root = path.resolve(import.meta.dirname, '..', '..');
const main = path.join(root, 'dist', 'cli', 'main.js');
const cuda = values.device === 'cuda';
const here = (name, ...more) => [path.join(import.meta.dirname, name), '--device', values.device, ...more];

/** Name, time limit in seconds, and arguments of Node. */
const STEPS = [
  ...(values.setup ? [['setup', 240, [main, 'setup', ...(cuda ? ['--cuda'] : []), '--verbose']]] : []),
  ['doctor', 30, [main, 'doctor']],
  ['parity', 120, here('parity.mjs')],
  ['faults', 120, here('faults.mjs')],
  ['speed', 300, here('speed.mjs')],
].filter(([name]) => name === 'setup' || new RegExp(values.only).test(name));

mkdirSync(out, { recursive: true });
const [results, log] = ['results.md', 'log.txt'].map((name) => path.join(out, name));
for (const file of [results, log]) writeFileSync(file, '');

const summary = [];
for (const [name, limit, args] of STEPS) {
  appendFileSync(results, `\n# ${name}\n\n`);
  appendFileSync(log, `\n# ${name}\n\n`);
  const began = performance.now();
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let late = false;
  // A rehearsal has neither the device nor the cores.
  const timer = setTimeout(
    () => {
      late = true;
      process.kill(-child.pid, 'SIGKILL');
    },
    limit * (cuda ? 1000 : 10_000),
  );
  child.stdout.on('data', (text) => {
    process.stdout.write(text);
    appendFileSync(results, text);
  });
  child.stderr.on('data', (text) => appendFileSync(log, text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  const seconds = Number(((performance.now() - began) / 1000).toFixed(1));
  summary.push({ name, ended: late ? `stopped after its ${limit} s` : `exit code ${code}`, seconds });
  console.log(`\n== ${name}: ${summary.at(-1).ended}, ${seconds} s\n`);
  writeFileSync(path.join(out, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
  if (name === 'setup' && code !== 0) break;
}
process.exitCode = summary.every(({ ended }) => ended === 'exit code 0') ? 0 : 1;
