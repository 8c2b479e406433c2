/**
 * Start-up: `chestmnist --help` as a whole process, and in a fresh process the time until the addon is loaded and a
 * model is ready to train. Usage, after `npm run build`: node bench/startup.mjs [repeats]
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const repeats = Number(process.argv[2] ?? 9);
const root = path.resolve(import.meta.dirname, '..');
const READY = `
const start = performance.now();
require('./dist/engine/trainer.js').makeTrainer({ labelCount: 14, imageSize: 28, threads: 2 });
console.log(performance.now() - start);
process.exit();`;

const run = (...args) => {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return { wall: performance.now() - start, stdout };
};
const summary = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  return `${sorted[sorted.length >> 1].toFixed(0)} ms (${sorted[0].toFixed(0)}–${sorted.at(-1).toFixed(0)})`;
};
const measured = { node: [], help: [], ready: [] };
for (let i = 0; i <= repeats; i++) {
  const times = {
    node: run('-e', '0').wall,
    help: run('dist/cli/main.js', '--help').wall,
    ready: Number(run('-e', READY).stdout),
  };
  if (i > 0) for (const [name, time] of Object.entries(times)) measured[name].push(time);
}
console.log('| | median (range) |\n|---|---|');
console.log(`| \`node -e 0\`, for comparison | ${summary(measured.node)} |`);
console.log(`| \`chestmnist --help\` | ${summary(measured.help)} |`);
console.log(`| addon loaded and model ready, in a process | ${summary(measured.ready)} |`);
