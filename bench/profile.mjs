/**
 * CPU time of training by operation, for the plain and the fast execution on one thread, sampled with Linux's perf from
 * an addon that keeps its symbols. Usage, after `npm run build`: node bench/profile.mjs
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { BATCH, images } from './sides.mjs';
import { expandView } from '../dist/data/expand.js';
import { nativeFields, resolveOptions } from '../dist/recipe/resolve.js';

const root = path.resolve(import.meta.dirname, '..');
const addon = path.join(root, 'build', 'RelWithDebInfo', 'chestmnist.node');

if (process.argv[2] === 'train') {
  // The process that is sampled.
  const { Trainer } = createRequire(import.meta.url)(addon);
  const data = images(28);
  const defaults = nativeFields(resolveOptions({ threads: 1, exact: process.argv[3] === 'plain' }));
  const trainer = new Trainer({ ...defaults, labelCount: 14, imageSize: 28, inputSize: 28, device: 'cpu' });
  await trainer.loadSplit('train', expandView(data.images, 1024, 28), data.truth);
  const order = Int32Array.from({ length: 60 * BATCH }, (_, i) => (i * 397) % 1024);
  await trainer.trainEpoch({ order, batchSize: BATCH });
  process.exit();
}

const { libtorch } = JSON.parse(readFileSync(path.join(root, 'build', 'Release', 'chestmnist.json'), 'utf8'));
const cmakeJs = path.join(root, 'node_modules', 'cmake-js', 'bin', 'cmake-js');
const common = ['--directory', root, '--out', path.join(root, 'build', 'profile'), '--config', 'RelWithDebInfo'];
const settings = [
  `--CDCHESTMNIST_LIBTORCH=${path.join(root, 'libtorch')}`,
  `--CDCHESTMNIST_LIBTORCH_VERSION=${libtorch}`,
];
for (const args of [
  ['configure', ...common, ...settings],
  ['build', ...common],
]) {
  execFileSync(process.execPath, [cmakeJs, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
}
if (!existsSync(addon)) throw new Error(`no ${addon} after the build`);

/** The first pattern that matches a function's name and library counts. Making and loading data is left out. */
const OPERATIONS = [
  ['products of the convolutions, forward and of the data', /tile<.*ByRow/],
  ['products of the weight gradients', /tile<.*ByColumn/],
  ['first convolution', /tile<.*Strided/],
  ["Winograd's transforms", /transform<|winograd/],
  ['convolutions', /dnnl|jit|\[unknown\]|perf-\d+\.map/i],
  [
    'BatchNorm, addition, ReLU',
    /moments|affine|norm_|batch_norm|add_|relu|threshold|clamp|vectorized_loop2d|VectorizedLoop2d/i,
  ],
  ['max pooling', /pool/],
  ['Adam', /adam/i],
  ['transposing, reordering and copying', /transpose|reorder|copy|memcpy|memmove|memset|fill/i],
  ['gathering the batch', /gather|index_select|index/i],
];
const OURS = /chestmnist\.node|libtorch_cpu|libgomp|perf-|\[unknown\]|\[jit|libc\.so|dnnl/;

function shares(execution) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-profile-'));
  const data = path.join(folder, 'perf.data');
  const child = [process.execPath, import.meta.filename, 'train', execution];
  execFileSync('perf', ['record', '-q', '-e', 'cpu-clock', '-F', '999', '-o', data, '--', ...child], {
    stdio: 'ignore',
  });
  const report = ['report', '-i', data, '--stdio', '-q', '-F', 'sample,dso,symbol', '-t', '\t', '--comm', 'node'];
  const text = execFileSync('perf', report, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 2 ** 26,
  });
  rmSync(folder, { recursive: true });
  const sums = new Map();
  let all = 0;
  for (const line of text.split('\n')) {
    const [samples, library, name] = line.split('\t').map((part) => part.trim());
    if (!name || !OURS.test(library)) continue;
    const operation = OPERATIONS.find(([, pattern]) => pattern.test(`${name} ${library}`))?.[0] ?? 'other';
    sums.set(operation, (sums.get(operation) ?? 0) + Number(samples));
    all += Number(samples);
  }
  return new Map([...sums].map(([operation, sum]) => [operation, (100 * sum) / all]));
}

const [plain, fast] = [shares('plain'), shares('fast')];
const percent = (value) => (value === undefined ? '' : `${value.toFixed(1)} %`);
console.log('| | plain | fast |\n|---|---|---|');
for (const name of [...OPERATIONS.map(([name]) => name), 'other']) {
  if (plain.has(name) || fast.has(name))
    console.log(`| ${name} | ${percent(plain.get(name))} | ${percent(fast.get(name))} |`);
}
