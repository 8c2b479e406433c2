/** A small run directory as `train` leaves it: two splits of noisy predictions for the 14 labels, seeded. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { CHESTMNIST_LABELS } from '../../src/data';
import type { Dataset, Split } from '../../src/data/dataset';
import { computeMetrics, sigmoid, tuneThresholds } from '../../src/metrics';
import type { MetricsFile, Predictions } from '../../src/metrics/types';
import { RECORD } from './record';
import { writePredictions } from '../../src/run/predictions';

export const LABELS = CHESTMNIST_LABELS.length;
export const HEADER = 'epoch,lr,train_loss,val_loss,val_auc,val_acc,seconds,images_per_second';

/** mulberry32: enough for a fixture. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` images of 28 x 28 with labels of rising prevalence; pneumonia (6) has no positive. */
function splitOf(count: number, seed: number): Split {
  const next = random(seed);
  const truth = Uint8Array.from({ length: count * LABELS }, (_, i) => {
    const label = i % LABELS;
    return label === 6 ? 0 : Number(next() < 0.06 + 0.02 * label || Math.floor(i / LABELS) === label);
  });
  const images = Uint8Array.from({ length: count * 28 * 28 }, () => Math.floor(next() * 256));
  return { images, truth, count, size: 28, channels: 1, labelCount: LABELS };
}

export function datasetOf(name = 'chestmnist'): Dataset {
  const splits = { train: splitOf(2, 1), val: splitOf(120, 2), test: splitOf(160, 3) };
  const facts = { name, size: 28, channels: 1, task: 'multi-label', labels: CHESTMNIST_LABELS } as const;
  return { ...facts, splits, md5: 'd41d8cd98f00b204e9800998ecf8427e' };
}

export function scoredOf({ truth, labelCount }: Split, seed = 7): Predictions & { logits: Float32Array } {
  const next = random(seed);
  const logits = Float32Array.from(truth, (value) => (value ? 0.6 : -2) + 3 * (next() - 0.5));
  return { labelCount, truth, logits, scores: sigmoid(logits) };
}

export function metricsOf(dataset: Dataset, labels: readonly string[] = dataset.labels): MetricsFile {
  const val = scoredOf(dataset.splits.val);
  const test = scoredOf(dataset.splits.test);
  const thresholds = [...tuneThresholds('val-f1', val)];
  return {
    dataset: dataset.name,
    labels: [...labels],
    best_epoch: 2,
    splits: { val: computeMetrics(val), test: computeMetrics({ ...test, confidence: { resamples: 20 } }) },
    tuned: {
      'val-f1': {
        thresholds,
        val: computeMetrics({ ...val, threshold: thresholds }),
        test: computeMetrics({ ...test, threshold: thresholds }),
      },
    },
  };
}

export interface RunOptions {
  name?: string;
  labels?: readonly string[];
  config?: Record<string, unknown>;
  /** What a stopped run lacks. */
  without?: ('metrics' | 'predictions' | 'history' | 'run' | 'config')[];
}

const made: string[] = [];

/** A fresh folder, removed by `removeRuns`. */
export async function folder(): Promise<string> {
  made.push(await mkdtemp(path.join(os.tmpdir(), 'report-')));
  return made.at(-1)!;
}

export async function removeRuns(): Promise<void> {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true, force: true });
}

/** Writes the run directory and returns its path. */
export async function makeRun({ name = 'run', labels, config, without = [] }: RunOptions = {}): Promise<string> {
  const dataset = datasetOf();
  const directory = path.join(await folder(), name);
  await mkdir(directory);
  const metrics = metricsOf(dataset, labels);
  const write = (file: string, text: string): Promise<void> => writeFile(path.join(directory, file), text);
  const history = ['1,0.001,0.3,0.25,0.6,0.9,2,100', '2,0.001,0.2,0.21,0.7,0.91,2,100', '3,0.0001,0.1,0.3,,0.9,2,100'];
  if (!without.includes('config'))
    await write('config.json', JSON.stringify({ data: 'chestmnist', epochs: 3, ...config }));
  if (!without.includes('run')) {
    await write('run.json', JSON.stringify(RECORD));
  }
  if (!without.includes('history')) await write('history.csv', `${[HEADER, ...history].join('\n')}\n`);
  if (!without.includes('metrics')) await write('metrics.json', JSON.stringify(metrics));
  if (!without.includes('predictions')) {
    for (const split of ['val', 'test'] as const) {
      const { auc, accuracy } = metrics.splits[split];
      const scored = scoredOf(dataset.splits[split]);
      const facts = { flag: 'chestmnist', size: 28, split, run: name, auc: auc.macro, acc: accuracy.mean };
      await writePredictions(directory, scored, facts);
    }
  }
  return directory;
}
