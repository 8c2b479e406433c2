/**
 * Reading files, ours beside Python's in alternated repeats of one run: all arrays of a full-size chestmnist.npz (synthetic;
 * 78,468/11,219/22,433 images of 28 px), stored and deflated, and the 45 MB of a ResNet-18's weights in both formats.
 * Usage, after `npm run build:ts`: node bench/reading.mjs [repeats]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { synthesize } from '../dist/data/index.js';
import { readNpz, writeNpz } from '../dist/base/npz.js';
import { loadWeights, saveWeights } from '../dist/weights/index.js';
import { resnet18State } from '../dist/weights/state.js';
import { median, python } from './sides.mjs';

const repeats = Number(process.argv[2] ?? 5);
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-reading-'));
const at = (name) => path.join(folder, name);

const run = (script, ...args) => {
  const { status, stdout, stderr } = spawnSync(python, ['-c', script, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr || `no Python with numpy, torch and safetensors at ${python}`);
  return stdout;
};
/** What is imported is not timed. */
const timed = (imports, read) => `
import sys, time
${imports}
start = time.perf_counter()
${read}
print(time.perf_counter() - start)`;
const NUMPY = timed(
  'import numpy as np',
  'with np.load(sys.argv[1]) as f:\n    arrays = {name: f[name] for name in f.files}',
);
const TORCH = timed('import torch', 'state = torch.load(sys.argv[1], weights_only=True)');
// load_file only maps the file.
const SAFETENSORS = timed(
  'from safetensors.torch import load_file',
  'state = {name: tensor.clone() for name, tensor in load_file(sys.argv[1]).items()}',
);
const DEFLATE = 'import sys, numpy as np; np.savez_compressed(sys.argv[2], **np.load(sys.argv[1]))';

const arrays = {};
for (const [name, { images, truth, count }] of Object.entries(synthesize({ seed: 0 }).splits)) {
  arrays[`${name}_images`] = { shape: [count, 28, 28], data: images };
  arrays[`${name}_labels`] = { shape: [count, 14], data: truth };
}
await writeNpz(at('stored.npz'), arrays);
run(DEFLATE, at('stored.npz'), at('deflated.npz'));
const state = resnet18State('torchvision', 14).map(({ name, dtype, shape }) => {
  const count = shape.reduce((product, n) => product * n, 1);
  const data = dtype === 'I64' ? new BigInt64Array(count) : Float32Array.from({ length: count }, (_, i) => Math.sin(i));
  return { name, dtype, shape, data };
});
for (const name of ['weights.pth', 'weights.safetensors']) await saveWeights(at(name), state);

const FILES = {
  'stored.npz': [readNpz, 'numpy.load', NUMPY],
  'deflated.npz': [readNpz, 'numpy.load', NUMPY],
  'weights.pth': [loadWeights, 'torch.load', TORCH],
  'weights.safetensors': [loadWeights, 'safetensors.torch', SAFETENSORS],
};
console.log('| file | chestmnist | peer | | chestmnist is |\n|---|---|---|---|---|');
for (const [name, [read, peer, script]] of Object.entries(FILES)) {
  const times = { ours: [], theirs: [] };
  for (let i = 0; i <= repeats; i++) {
    const start = performance.now();
    await read(at(name));
    const ours = (performance.now() - start) / 1e3;
    const theirs = Number(run(script, at(name)));
    if (i === 0) continue; // the first brings the file into memory
    times.ours.push(ours);
    times.theirs.push(theirs);
  }
  const ratio = median(times.theirs.map((time, i) => time / times.ours[i]));
  const [ours, theirs] = [times.ours, times.theirs].map((all) => `${median(all).toFixed(3)} s`);
  console.log(`| ${name} | ${ours} | ${peer} | ${theirs} | ${ratio.toFixed(2)}x |`);
}
rmSync(folder, { recursive: true });
