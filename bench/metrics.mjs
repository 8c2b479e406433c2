/**
 * Metrics of 22,433 x 14 predictions: ours and scikit-learn's in alternated repeats of one run, then 2,000 bootstrap
 * resamples and a paired comparison. Run after `npm run build:ts`:  node bench/metrics.mjs [repeats]
 * scikit-learn runs in .venv-reference (or CHESTMNIST_PYTHON) with one thread, as we do; without it only ours is timed.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { writeNpz } from '../dist/base/npz.js';
import { Random } from '../dist/base/random.js';
import { comparePredictions, computeMetrics } from '../dist/metrics/index.mjs';

const repeats = Number(process.argv[2] ?? 9);
const N = 22_433;
/** Positives of ChestMNIST's test split. */
const POSITIVES = [2420, 582, 2754, 3938, 1133, 1335, 242, 1089, 957, 413, 509, 362, 734, 42];
const L = POSITIVES.length;

/** Scores like those of a trained network: logits around the prevalence, a positive one standard deviation higher. */
function draw(seed, noise) {
  const random = new Random(1, 0, 0);
  const jitter = new Random(seed, 1, 0);
  const normal = (of) => Math.sqrt(-2 * Math.log(1 - of.between(0, 1))) * Math.cos(of.between(0, 2 * Math.PI));
  const truth = new Uint8Array(N * L);
  const scores = new Float64Array(N * L);
  for (let i = 0; i < truth.length; i++) {
    const prevalence = POSITIVES[i % L] / N;
    truth[i] = Number(random.between(0, 1) < prevalence);
    const logit = Math.log(prevalence / (1 - prevalence)) + truth[i] + normal(random) + noise * normal(jitter);
    scores[i] = 1 / (1 + Math.exp(-logit));
  }
  return { truth, scores, labelCount: L };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const at = (figures, name) => name.split('.').reduce((value, key) => value[key], figures);
/** Wall and CPU seconds; a busy machine distorts the second less. */
function timed(work) {
  const start = performance.now();
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - start) / 1e3, cpu: (user + system) / 1e6, result };
}

const a = draw(1, 0);
const b = draw(2, 0.5);
const times = { ours: [], theirs: [] };
const root = path.resolve(import.meta.dirname, '..');
const python = process.env.CHESTMNIST_PYTHON ?? path.join(root, '.venv-reference', 'bin', 'python');
if (!existsSync(python)) console.error(`no reference Python at ${python}: scikit-learn is not measured`);
else {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-metrics-'));
  const file = path.join(folder, 'predictions.npz');
  await writeNpz(file, { labels: { shape: [N, L], data: a.truth }, scores: { shape: [N, L], data: a.scores } });
  const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' };
  const child = spawn(python, [path.join(import.meta.dirname, 'metrics_sklearn.py'), file], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  // One repeat of each to warm up, not counted.
  for (let repeat = -1; repeat < repeats; repeat++) {
    child.stdin.write('\n');
    const theirs = JSON.parse((await answers.next()).value);
    const ours = timed(() => computeMetrics(a));
    for (const [name, value] of Object.entries(theirs.figures)) {
      if (Math.abs(at(ours.result, name) - value) > 1e-9)
        throw new Error(`${name}: ${at(ours.result, name)} and ${value}`);
    }
    if (repeat < 0) continue;
    times.ours.push(ours);
    times.theirs.push(theirs);
  }
  child.stdin.end();
  rmSync(folder, { recursive: true, force: true });
}
while (times.ours.length < repeats) times.ours.push(timed(() => computeMetrics(a)));

const confidence = [0, 1, 2].map(() => timed(() => computeMetrics({ ...a, confidence: {} })));
const comparison = [0, 1, 2].map(() => timed(() => comparePredictions({ ...a, a: a.scores, b: b.scores })));
const columns = (name, values, digits, unit) =>
  console.log(
    name.padEnd(44) +
      ['cpu', 'wall']
        .map((clock) => values.map((value) => value[clock]))
        .map((v) =>
          `${median(v).toFixed(digits)} ${unit} (${Math.min(...v).toFixed(digits)} to ${Math.max(...v).toFixed(digits)})`.padStart(
            28,
          ),
        )
        .join(''),
  );
console.log(
  `${N} images x ${L} labels, ${repeats} alternated repeats, one thread each, Node ${process.versions.node}, ` +
    `${os.availableParallelism()} x ${os.cpus()[0].model}, load ${os.loadavg()[0].toFixed(1)}; median (range)`,
);
console.log(''.padEnd(44) + 'processor time'.padStart(28) + 'wall time'.padStart(28));
columns('all metrics, ours (with ECE)', times.ours, 3, 's');
if (times.theirs.length > 0) {
  columns('the same by scikit-learn (without ECE)', times.theirs, 3, 's');
  const ratios = times.theirs.map((theirs, i) => ({
    cpu: theirs.cpu / times.ours[i].cpu,
    wall: theirs.wall / times.ours[i].wall,
  }));
  columns('scikit-learn / ours, pair by pair', ratios, 1, 'x');
}
columns('with 2,000 bootstrap resamples, ours', confidence, 2, 's');
columns('paired comparison, 2,000 resamples, ours', comparison, 2, 's');
