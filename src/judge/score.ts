/**
 * The end of a run: the best weights score the validation and the test split, once, and what they say is written.
 * Not here: the definitions of the figures (metrics/), the pictures (report/).
 */
import path from 'node:path';
import type { Dataset } from '../data/dataset';
import type { TrainEvent } from '../train/events';
import { bceWithLogits, computeMetrics, sigmoid, tuneThresholds, untunedLabels } from '../metrics';
import type { Metrics, MetricsFile } from '../metrics/types';
import type { StateDict, Trainer } from '../engine/addon';
import { writePredictions } from '../run/predictions';
import { runFiles, writeJson } from '../run/directory';

/** Rules whose thresholds every run keeps, tuned on the validation split. */
const RULES = ['val-f1', 'val-youden', 'val-sensitivity=0.9'] as const;
const CONFIDENCE = { resamples: 2000, seed: 0, level: 0.95 };

/** Logits, probabilities and truth of one split, all [n, L] row-major. */
export interface Scored {
  labels: Uint8Array;
  logits: Float32Array;
  scores: Float64Array;
  labelCount: number;
  loss: number;
}

/** Where the numbers come from and progress goes to. */
export interface Scoring {
  readonly directory: string;
  readonly options: { readonly batchSize: number };
  readonly dataset: Dataset;
  readonly trainer: Trainer;
  readonly emit: (event: TrainEvent) => void;
}

/** Scores a split that the trainer has loaded; undefined when it was cancelled. */
export async function scoreSplit(
  scoring: Omit<Scoring, 'directory'>,
  split: 'val' | 'test',
  epoch: number,
): Promise<Scored | undefined> {
  const { options, dataset, trainer, emit } = scoring;
  const { labels, labelCount, count } = dataset.splits[split];
  const { logits, cancelled } = await trainer.predict({ split, batchSize: options.batchSize }, ({ samples, seconds }) =>
    emit({ type: 'progress', phase: split, epoch, done: samples, total: count, imagesPerSecond: samples / seconds }),
  );
  if (cancelled) return undefined;
  return { labels, logits, scores: sigmoid(logits), labelCount, loss: bceWithLogits(logits, labels) };
}

/** Scores val and test with the best weights and writes metrics.json and predictions/. Undefined when it was cancelled. */
export async function scoreRun(
  scoring: Scoring,
  best: { epoch: number; weights: StateDict },
): Promise<MetricsFile | undefined> {
  const { directory, dataset, trainer } = scoring;
  const bestEpoch = best.epoch;
  await trainer.loadStateDict(best.weights);
  const val = await scoreSplit(scoring, 'val', bestEpoch);
  const test = val && (await scoreSplit(scoring, 'test', bestEpoch));
  if (!val || !test) return undefined;

  const metrics: MetricsFile = {
    dataset: dataset.name,
    labels: [...dataset.labels],
    best_epoch: bestEpoch,
    splits: { val: computeMetrics(val), test: computeMetrics({ ...test, confidence: CONFIDENCE }) },
    tuned: Object.fromEntries(
      RULES.map((rule) => {
        const thresholds = tuneThresholds(rule, val);
        return [
          rule,
          {
            thresholds,
            untuned: untunedLabels(rule, val),
            val: computeMetrics({ ...val, threshold: thresholds }),
            test: computeMetrics({ ...test, threshold: thresholds }),
          },
        ];
      }),
    ),
  };
  await writeJson(runFiles(directory).metrics, metrics);
  for (const [split, scored] of [
    ['val', val],
    ['test', test],
  ] as const) {
    await writeSplit(directory, dataset, split, scored, metrics.splits[split]);
  }
  return metrics;
}

const writeSplit = (
  directory: string,
  { name, size }: Dataset,
  split: 'val' | 'test',
  scored: Scored,
  metrics: Metrics,
): Promise<string[]> =>
  writePredictions(directory, {
    ...scored,
    flag: name,
    size,
    split,
    run: path.basename(directory),
    auc: metrics.auc.macro,
    acc: metrics.accuracy.mean,
  });
