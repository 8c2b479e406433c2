/**
 * The other tasks by the MedMNIST protocol, beside PyTorch in the same run: for each set and stem, and each seed, the test
 * AUC and ACC of the best epoch; and training images/s of a set's images, fast beside plain operators. Files are looked for
 * as by `data verify`. Usage, after `npm run build`:
 * node bench/tasks.mjs [--sets breastmnist,pneumoniamnist,retinamnist] [--stems torchvision,cifar] [--epochs 100] [--seeds 0,1,2]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadDataset, train } from '../dist/index.mjs';

const { values } = parseArgs({
  options: {
    sets: { type: 'string', default: 'breastmnist,pneumoniamnist,retinamnist' },
    stems: { type: 'string', default: 'torchvision,cifar' },
    epochs: { type: 'string', default: '100' },
    seeds: { type: 'string', default: '0,1,2' },
  },
});
const [sets, stems, seeds] = [values.sets, values.stems, values.seeds].map((list) => list.split(','));
const epochs = Number(values.epochs);
const folder = import.meta.dirname;
const python = process.env.CHESTMNIST_PYTHON ?? path.join(folder, '..', '.venv-reference', 'bin', 'python');
const out = mkdtempSync(path.join(os.tmpdir(), 'bench-tasks-'));

async function ours(data, stem, exact) {
  const results = [];
  for (const seed of exact ? seeds.slice(0, 1) : seeds) {
    const options = {
      data,
      stem,
      exact,
      epochs: exact ? 1 : epochs,
      seed: Number(seed),
      report: false,
      resamples: 0,
      out,
    };
    const { metrics, history } = await train({ ...options, device: 'cpu' });
    const { auc, accuracy } = metrics.splits.test;
    results.push({
      auc: auc.macro,
      accuracy: accuracy.mean,
      rate: Math.max(...history.map((row) => row.imagesPerSecond)),
    });
  }
  return results;
}

function theirs(file, stem) {
  const args = [path.join(folder, 'pytorch_protocol.py'), file, '--stem', stem, '--epochs', String(epochs)];
  const { stdout, status } = spawnSync(python, [...args, '--seeds', ...seeds], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`${python} ended with ${status}`);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).test);
}

/** Mean and standard deviation over the seeds. */
function spread(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
  return `${mean.toFixed(3)} ± ${Math.sqrt(variance).toFixed(3)}`;
}

console.log(`Test split, ${epochs} epochs, seeds ${seeds.join(', ')}: mean ± standard deviation\n`);
console.log('| set | stem | AUC | PyTorch | ACC | PyTorch | train images/s | --exact |');
console.log('|---|---|---|---|---|---|---|---|');
try {
  for (const set of sets) {
    const { path: file } = await loadDataset(set);
    for (const stem of stems) {
      const [mine, peer, [plain]] = [await ours(set, stem, false), theirs(file, stem), await ours(set, stem, true)];
      const of = (results, key) => spread(results.map((result) => result[key]));
      const rate = Math.max(...mine.map((result) => result.rate));
      const cells = [of(mine, 'auc'), of(peer, 'auc'), of(mine, 'accuracy'), of(peer, 'accuracy')];
      console.log(`| ${[set, stem, ...cells, rate.toFixed(0), plain.rate.toFixed(0)].join(' | ')} |`);
    }
  }
} finally {
  rmSync(out, { recursive: true });
}
