/**
 * The margins of tests/native/execution.test.ts: the bound of each case divided by the measured error, the smallest
 * over the random states (weights, images) of the seeds, for the processor's own instruction set and for AVX2 only.
 * Usage, after `npm run build`: node bench/margins.mjs [first seed, default 1] [last seed, default 20] [cases, default all]
 * Cases are a regular expression for the names of the tests, such as 'torchvision stem, 64 px, batch 1,'.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { native } from '../dist/engine/addon.js';

const root = path.resolve(import.meta.dirname, '..');
const [first, last] = [Number(process.argv[2] ?? 1), Number(process.argv[3] ?? 20)];
const cases = process.argv[4] ?? '';
const folder = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-margins-'));
const own = native().cpuCapability();
const SETS = {
  [own]: {},
  ...(own === 'AVX512' && { 'ATEN_CPU_CAPABILITY=avx2': { ATEN_CPU_CAPABILITY: 'avx2' } }),
};
const COLUMNS = ['logits', 'loss', 'running statistics', 'weights', 'first moments', 'second moments'];

console.log(`${os.cpus()[0].model.trim()}, Node ${process.versions.node}, LibTorch ${native().torchVersion()}`);
console.log(
  `smallest margin over ${last - first + 1} random states (seeds ${first} to ${last}): the bound over what was measured\n`,
);
console.log(`| case | instructions | ${COLUMNS.join(' | ')} |\n|---|---|${COLUMNS.map(() => '---|').join('')}`);
let failed = false;
for (const [set, variables] of Object.entries(SETS)) {
  const file = path.join(folder, `${set}.jsonl`);
  const env = { ...process.env, ...variables, CHESTMNIST_STATES: `${first}-${last}`, CHESTMNIST_MARGINS: file };
  const jest = [
    path.join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
    'native/execution',
    '-t',
    `fast = plain: .*(?:${cases})`,
  ];
  const { status, stderr } = spawnSync(process.execPath, jest, { cwd: root, env, encoding: 'utf8' });
  if (status !== 0) {
    failed = true;
    console.error(stderr);
  }
  const found = new Map();
  for (const line of existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []) {
    const { stem, size, batch, labels, weightDecay, optimizer, what, margin } = JSON.parse(line);
    const name = `${stem} ${size} px, batch ${batch}, labels ${labels}, ${optimizer}${weightDecay ? ` ${weightDecay}` : ''}`;
    if (!found.has(name)) found.set(name, new Map());
    const column = COLUMNS.find((text) => what.startsWith(text));
    found.get(name).set(column, Math.min(margin, found.get(name).get(column) ?? Infinity));
  }
  for (const [name, margins] of found) {
    console.log(`| ${name} | ${set} | ${COLUMNS.map((column) => `${margins.get(column).toFixed(1)}x`).join(' | ')} |`);
  }
}
rmSync(folder, { recursive: true });
process.exitCode = failed ? 1 : 0;
