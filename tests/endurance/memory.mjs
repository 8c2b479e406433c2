/**
 * `npm run test:memory [-- --epochs N --cycles N]`: resident memory, open files, threads and active handles of a small
 * run over its epochs, and of trainers made, used and disposed. What grows fails. Linux, since it reads /proc; needs dist/
 * and the addon (npm run build).
 */
import { mkdtempSync, readdirSync, readFileSync, existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parseArgs } from 'node:util';
const require = createRequire(import.meta.url);
const { expandView } = require('../../dist/data/expand.js');
const { synthesize } = require('../../dist/data/index.js');
const { train } = require('../../dist/index.js');
const { makeTrainer } = require('../../dist/engine/trainer.js');

/** Less than one model with its optimizer's state (134 MB): even one that is leaked once is seen. */
const GROWTH_MB = 100;
/** Buffers and caches fill first. */
const WARM = 0.2;
/** The first and the last part of what follows are compared. */
const STRETCH = 0.4;

const { values } = parseArgs({
  options: { epochs: { type: 'string', default: '500' }, cycles: { type: 'string', default: '200' } },
});
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

async function measure() {
  // Twice, with a turn between: buffers are given back after the collection that finds them.
  for (let i = 0; i < 2; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const status = readFileSync('/proc/self/status', 'utf8');
  return {
    rss: Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]) / 1024,
    files: readdirSync('/proc/self/fd').length,
    threads: Number(/^Threads:\s+(\d+)/m.exec(status)[1]),
    // A file that is being read or written at this moment is no handle that stays.
    handles: process.getActiveResourcesInfo().filter((name) => !name.startsWith('FSReq')).length,
  };
}

/** Prints the figures at some points and says whether they stayed flat after warming up. Returns whether they did. */
function judge(what, figures) {
  const warm = Math.floor(figures.length * WARM);
  const shown = new Set([0, warm, 0.4, 0.6, 0.8, 1].map((x) => (x <= 1 ? Math.round(x * (figures.length - 1)) : x)));
  process.stdout.write(`\n${what.padStart(8)}  resident MB  files  threads  handles\n`);
  figures.forEach(({ rss, files, threads, handles }, i) => {
    if (!shown.has(i)) return;
    const cells = [String(i + 1).padStart(8), rss.toFixed(1).padStart(11), String(files).padStart(5)];
    process.stdout.write(`${[...cells, String(threads).padStart(7), String(handles).padStart(7)].join('  ')}\n`);
  });
  // The least of a stretch: what an epoch holds for a moment is no growth.
  const stretch = Math.max(1, Math.floor((figures.length - warm) * STRETCH));
  const least = (part, key) => Math.min(...part.map((figure) => figure[key]));
  const [early, late] = [figures.slice(warm, warm + stretch), figures.slice(-stretch)];
  const grown = Object.fromEntries(
    ['rss', 'files', 'threads', 'handles'].map((key) => [key, least(late, key) - least(early, key)]),
  );
  const flat = grown.rss < GROWTH_MB && grown.files <= 0 && grown.threads <= 0 && grown.handles <= 0;
  process.stdout.write(
    `${flat ? 'flat' : 'GROWS'}: from ${what} ${warm + 1} to ${figures.length} ${grown.rss.toFixed(1)} MB (below ${GROWTH_MB}), ` +
      `${grown.files} files, ${grown.threads} threads, ${grown.handles} handles\n`,
  );
  return flat;
}

async function epochs(count) {
  const out = mkdtempSync(path.join(existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'chestmnist-memory-'));
  const figures = [];
  try {
    const limits = { limitTrain: 64, limitVal: 32, limitTest: 32 };
    const bare = { report: false, resamples: 0 };
    const run = train({ data: 'synthetic', ...limits, ...bare, batchSize: 32, epochs: count, threads: 2, out });
    for await (const event of run) if (event.type === 'epoch') figures.push(await measure());
    await run;
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
  return judge('epoch', figures);
}

async function cycles(count) {
  const [size, images] = [28, 32];
  const { train: split } = synthesize({ seed: 1, size, counts: { train: images, val: 2, test: 2 } }).splits;
  const order = Int32Array.from({ length: images }, (_, i) => i);
  const figures = [];
  for (let n = 0; n < count; n++) {
    const trainer = makeTrainer({ labelCount: 14, imageSize: size, threads: 2, exact: n % 4 === 3 });
    await trainer.loadSplit('train', expandView(split.images, images, size), split.truth);
    await trainer.trainEpoch({ order, batchSize: 16 }, () => undefined);
    await trainer.predict({ split: 'train', batchSize: 16 });
    await trainer.loadOptimizerState(await trainer.optimizerState());
    await trainer.loadStateDict(await trainer.stateDict());
    await trainer.dispose();
    figures.push(await measure());
  }
  return judge('cycle', figures);
}

const verdicts = [];
if (Number(values.cycles) > 0) verdicts.push(await cycles(Number(values.cycles)));
if (Number(values.epochs) > 0) verdicts.push(await epochs(Number(values.epochs)));
process.exitCode = verdicts.every(Boolean) ? 0 : 1;
