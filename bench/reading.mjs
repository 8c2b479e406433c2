/**
 * Reading all arrays of a full-size chestmnist.npz (synthetic; 78,468/11,219/22,433 images of 28 px), stored and deflated:
 * ours and numpy.load in alternated repeats of one run. Usage, after `npm run build:ts`: node bench/reading.mjs [repeats]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { synthesize } from '../dist/data/index.js';
import { readNpz, writeNpz } from '../dist/base/npz.js';
import { median, python } from './sides.mjs';

const repeats = Number(process.argv[2] ?? 5);
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-reading-'));

const numpy = (script, ...args) => {
  const { status, stdout, stderr } = spawnSync(python, ['-c', script, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr || `no Python with numpy at ${python}`);
  return stdout;
};
const TIME = `
import sys, time, numpy as np
start = time.perf_counter()
with np.load(sys.argv[1]) as f:
    arrays = {name: f[name] for name in f.files}
print(time.perf_counter() - start)`;
const DEFLATE = 'import sys, numpy as np; np.savez_compressed(sys.argv[2], **np.load(sys.argv[1]))';

const arrays = {};
for (const [name, { images, truth, count }] of Object.entries(synthesize({ seed: 0 }).splits)) {
  arrays[`${name}_images`] = { shape: [count, 28, 28], data: images };
  arrays[`${name}_labels`] = { shape: [count, 14], data: truth };
}
const stored = path.join(folder, 'stored.npz');
const deflated = path.join(folder, 'deflated.npz');
await writeNpz(stored, arrays);
numpy(DEFLATE, stored, deflated);

console.log('| | chestmnist | numpy.load | chestmnist is |\n|---|---|---|---|');
for (const [name, file] of Object.entries({ stored, deflated })) {
  const times = { ours: [], numpy: [] };
  for (let i = 0; i <= repeats; i++) {
    const start = performance.now();
    await readNpz(file);
    const ours = (performance.now() - start) / 1e3;
    const theirs = Number(numpy(TIME, file));
    if (i === 0) continue; // the first one reads the file into the cache
    times.ours.push(ours);
    times.numpy.push(theirs);
  }
  const ratio = median(times.numpy.map((time, i) => time / times.ours[i]));
  console.log(
    `| ${name} | ${median(times.ours).toFixed(3)} s | ${median(times.numpy).toFixed(3)} s | ${ratio.toFixed(2)}x |`,
  );
}
rmSync(folder, { recursive: true });
