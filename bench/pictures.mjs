/**
 * Decoding and resizing radiographs of 1024 x 1024 to 28, ours beside Pillow in a pool of as many processes as there are
 * processors, in alternated repeats of one run: PNG (gray and RGBA) and JPEG. Pillow's start is not timed, and its bytes
 * are compared with ours.
 * Usage, after `npm run build:ts`: node bench/pictures.mjs [images] [repeats] [folder of PNG files instead of made ones]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import sharp from 'sharp';
import { synthesize } from '../dist/data/index.js';
import { workAhead } from '../dist/base/ahead.js';
import { processorsToUse } from '../dist/base/processors.js';
import { readPictures } from '../dist/data/pictures/read.js';
import { median, python } from './sides.mjs';

const [count, repeats] = [Number(process.argv[2] ?? 200), Number(process.argv[3] ?? 5)];
const given = process.argv[4];
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-pictures-'));
const processors = processorsToUse();

const PILLOW = `
import json, sys, time
from multiprocessing import Pool
import numpy as np
from PIL import Image

def prepare(file):
    with Image.open(file) as image:
        return np.asarray(image.convert("L").resize((28, 28), Image.BICUBIC)).tobytes()

if __name__ == "__main__":
    with Pool(int(sys.argv[1])) as pool:
        pool.map(abs, range(64))
        for line in sys.stdin:
            files = json.loads(line)
            start = time.perf_counter()
            parts = pool.map(prepare, files, chunksize=4)
            seconds = time.perf_counter() - start
            total = int(np.frombuffer(b"".join(parts), "u1").astype("u8").sum())
            print(json.dumps([seconds, total]), flush=True)`;
const script = path.join(folder, 'pillow.py');
writeFileSync(script, PILLOW);
const pillow = spawn(python, [script, String(processors)], { stdio: ['pipe', 'pipe', 'inherit'] });
const answers = createInterface({ input: pillow.stdout })[Symbol.asyncIterator]();

async function theirs(files) {
  pillow.stdin.write(`${JSON.stringify(files)}\n`);
  return JSON.parse((await answers.next()).value);
}

async function ours(files) {
  const start = performance.now();
  let total = 0;
  const work = (file) => readPictures(file, { size: 28, fit: 'crop', channels: 1 });
  for await (const { images } of workAhead(Readable.from(files), processors + 1, work))
    for (const pixel of images) total += pixel;
  return [(performance.now() - start) / 1000, total];
}

/** Synthetic radiographs of 64 pixels, enlarged, with the noise of a detector. */
async function make(format) {
  const { images } = synthesize({ seed: 0, size: 64, counts: { train: 16, val: 2, test: 2 } }).splits.train;
  const files = [];
  for (let i = 0; i < 16; i++) {
    const raw = { width: 64, height: 64, channels: 1 };
    const large = await sharp(images.subarray(i * 4096, (i + 1) * 4096), { raw })
      .resize(1024, 1024)
      .raw()
      .toBuffer();
    for (let p = 0, state = i + 1; p < large.length; p++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      large[p] = Math.min(255, Math.max(0, large[p] + ((state >>> 24) & 7) - 4));
    }
    let image = sharp(large, { raw: { width: 1024, height: 1024, channels: large.length / 2 ** 20 } });
    image = format === 'RGBA PNG' ? image.toColourspace('srgb').ensureAlpha() : image.toColourspace('b-w');
    const file = path.join(folder, `${format}-${i}`);
    await (format === 'JPEG' ? image.jpeg({ quality: 90 }) : image.png()).toFile(file);
    files.push(file);
  }
  return files;
}

const sources = given
  ? { 'given files': readdirSync(given).map((name) => path.join(given, name)) }
  : Object.fromEntries(
      await Promise.all(['gray PNG', 'RGBA PNG', 'JPEG'].map(async (format) => [format, await make(format)])),
    );
console.log(`${processors} processors, ${count} images of a kind, median of ${repeats} alternated repeats`);
for (const [name, made] of Object.entries(sources)) {
  const files = Array.from({ length: count }, (_, i) => made[i % made.length]);
  await ours(files.slice(0, 16));
  await theirs(files.slice(0, 16));
  const times = [[], []];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const [[mine, mySum], [other, otherSum]] = [await ours(files), await theirs(files)];
    if (mySum !== otherSum) throw new Error(`${name}: the pixels differ (sums ${mySum} and ${otherSum})`);
    times[0].push(mine);
    times[1].push(other);
  }
  const [mine, other] = times.map(median);
  const rate = (seconds) => `${(count / seconds).toFixed(0)} images/s`;
  console.log(`${name.padEnd(12)} ours ${rate(mine)}, Pillow ${rate(other)}: ${(other / mine).toFixed(2)}x`);
}
pillow.stdin.end();
rmSync(folder, { recursive: true });
