/**
 * Importing PNG of 1024 x 1024 at 28, ours beside Pillow in a pool of as many processes as there are processors, which
 * decodes, resizes and writes the arrays: alternated repeats of one run, with the peak memory of each side (its processes
 * summed, as the kernel shares some pages).
 * Usage, after `npm run build:ts`: node bench/import.mjs [--images 2000] [--repeats 3] [--folder FOLDER]
 */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { synthesize } from '../dist/data/index.js';
import { processorsToUse } from '../dist/base/processors.js';
import { median, python } from './sides.mjs';

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '2000' },
    repeats: { type: 'string', default: '3' },
    folder: { type: 'string', default: os.tmpdir() },
  },
});
const [count, repeats] = [Number(values.images), Number(values.repeats)];
const processors = processorsToUse();
const folder = mkdtempSync(path.join(values.folder, 'bench-import-'));
const images = path.join(folder, 'images');
mkdirSync(images);

const PILLOW = `
import sys
from multiprocessing import Pool
import numpy as np
from PIL import Image

def prepare(file):
    with Image.open(file) as image:
        return np.asarray(image.convert("L").resize((28, 28), Image.BICUBIC))

if __name__ == "__main__":
    folder, table, output, processes = sys.argv[1:]
    names = [line.split(",")[0] for line in open(table).read().split()[1:]]
    with Pool(int(processes)) as pool:
        arrays = pool.map(prepare, [folder + "/" + name for name in names], chunksize=4)
    np.savez_compressed(output, images=np.stack(arrays))`;
const script = path.join(folder, 'pillow.py');
writeFileSync(script, PILLOW);

/** Sixteen synthetic radiographs with the noise of a detector, each a file many times over. */
async function make() {
  const { images: small } = synthesize({ seed: 0, size: 64, counts: { train: 16, val: 2, test: 2 } }).splits.train;
  const made = [];
  for (let i = 0; i < 16; i++) {
    const raw = { width: 64, height: 64, channels: 1 };
    const large = await sharp(small.subarray(i * 4096, (i + 1) * 4096), { raw })
      .resize(1024, 1024)
      .toColourspace('b-w')
      .raw()
      .toBuffer();
    for (let p = 0, state = i + 1; p < large.length; p++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      large[p] = Math.min(255, Math.max(0, large[p] + ((state >>> 24) & 7) - 4));
    }
    made.push(path.join(folder, `${i}.png`));
    await sharp(large, { raw: { width: 1024, height: 1024, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toFile(made[i]);
  }
  const rows = Array.from({ length: count }, (_, i) => {
    copyFileSync(made[i % 16], path.join(images, `${i}.png`));
    return `${i}.png,${i},${i % 2}`;
  });
  writeFileSync(path.join(folder, 'table.csv'), ['image,patient,Edema', ...rows].join('\n'));
}

/** Resident memory of a process and its children, in MB. */
function memoryOf(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const own = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
    const tasks = readdirSync(`/proc/${pid}/task`);
    const children = tasks.flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
    );
    return children.reduce((sum, child) => sum + memoryOf(child), own);
  } catch {
    return 0; // it has ended
  }
}

async function timed(command, args) {
  const start = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  let peak = 0;
  const watch = setInterval(() => (peak = Math.max(peak, memoryOf(child.pid))), 100);
  const code = await new Promise((done) => child.on('close', done));
  clearInterval(watch);
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
  return { seconds: (performance.now() - start) / 1000, peak };
}

const table = path.join(folder, 'table.csv');
const main = path.join(import.meta.dirname, '..', 'dist', 'cli', 'main.js');
const out = path.join(folder, 'out.npz');
const split = ['--split', '70/10/20', '--force', '--quiet'];
const SIDES = {
  chestmnist: () => timed(process.execPath, [main, 'import', table, images, '-o', out, ...split]),
  Pillow: () => timed(python, [script, images, table, path.join(folder, 'pillow.npz'), String(processors)]),
};

await make();
console.log(`${processors} processors (${os.cpus()[0].model}), ${count} PNG of 1024 x 1024, Node ${process.version}`);
const results = { chestmnist: [], Pillow: [] };
for (let repeat = 0; repeat < repeats; repeat++)
  for (const [name, side] of Object.entries(SIDES)) results[name].push(await side());
for (const [name, all] of Object.entries(results)) {
  const seconds = median(all.map((one) => one.seconds));
  const peak = Math.max(...all.map((one) => one.peak));
  console.log(`${name}: ${seconds.toFixed(1)} s, ${(count / seconds).toFixed(0)} images/s, peak ${peak.toFixed(0)} MB`);
}
const ratio = results.chestmnist.map(({ seconds }, i) => results.Pillow[i].seconds / seconds);
console.log(`chestmnist is ${median(ratio).toFixed(2)}x as fast as Pillow`);
rmSync(folder, { recursive: true });
