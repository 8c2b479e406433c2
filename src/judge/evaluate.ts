/**
 * Scores a split with a trained model: logits and labels in, the metrics of one split out. Not here: the definitions of
 * the figures (metrics/), the scoring at the end of a run (score.ts).
 */
import { readFile } from 'node:fs/promises';
import { limitSplit } from '../data';
import type { Dataset } from '../data/dataset';
import { expandView } from '../data/expand';
import { ChestMnistError } from '../base/errors';
import type { TrainEvent } from '../train/events';
import { loadData } from '../data/inputs';
import { computeMetrics, parseThresholdRule, parseThresholds, tuneThresholds } from '../metrics';
import type { Metrics, ThresholdRule } from '../metrics/types';
import { hold, openModel, type Model } from '../engine/model';
import { resolveOptions, show, type ResolvedOptions } from '../recipe/options';
import { scoreSplit, type Scored } from './score';

export interface EvaluateOptions {
  /** Which split; default `test`. */
  split?: 'val' | 'test';
  /** Data set name, .npz file or `synthetic`; default the run's own data. Needed for a file of weights. */
  data?: string;
  /** Side of the images in pixels, for a known data set; default the model's. */
  size?: number;
  /** One for all labels (default 0.5), one a label, a rule tuned on the validation split, or the path of a JSON file of thresholds. */
  thresholds?: number | readonly number[] | ThresholdRule | (string & {});
  /** Only the first n images of the split. */
  limit?: number;
  /** `auto` (default), `cpu`, `cuda` or `cuda:N`. */
  device?: string;
  /** CPU threads; default all. */
  threads?: number;
  /** Images in a batch; default 128. It does not change the result. */
  batchSize?: number;
  /** Bootstrap resamples of the confidence intervals; default 0, none. */
  resamples?: number;
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

export interface Evaluation {
  dataset: string;
  split: 'val' | 'test';
  /** L label names in column order. */
  labels: readonly string[];
  metrics: Metrics;
  /** [n, L] row-major. */
  logits: Float32Array;
  /** Probabilities, [n, L] row-major. */
  scores: Float64Array;
  /** 0 or 1, [n, L] row-major. */
  yTrue: Uint8Array;
}

/**
 * Scores `target`, a run directory (its best weights) or a .safetensors or .pth file. Writes nothing. Throws
 * ERR_CONFIG, the ERR_DATA_ codes, ERR_CHECKPOINT_INCOMPATIBLE and those of loading the addon.
 */
export async function evaluate(target: string, options: EvaluateOptions = {}): Promise<Evaluation> {
  const { split = 'test', onProgress, signal } = options;
  const { device, threads, batchSize } = checkOptions(options);
  const rule = await thresholdsOf(options.thresholds ?? 0.5);
  const model = await openModel(target);
  const dataset = await dataOf(model, target, options);
  const trainer = await hold(model, dataset.size, { device, threads });
  const cancel = (): void => trainer.cancel();
  signal?.addEventListener('abort', cancel);
  try {
    const score = async (name: 'val' | 'test'): Promise<Scored> => {
      const { images, labels, count, size } = dataset.splits[name];
      await trainer.loadSplit(name, expandView(images, count, size), labels);
      const emit = (event: TrainEvent): void => {
        if (event.type === 'progress') onProgress?.(event.done, count);
      };
      signal?.throwIfAborted();
      const scored = await scoreSplit({ options: { batchSize }, dataset, trainer, emit }, name, 0);
      signal?.throwIfAborted();
      return scored!;
    };
    const threshold = typeof rule === 'string' ? await tuned(rule, model, score) : rule;
    const scored = await score(split);
    const confidence = options.resamples ? { resamples: options.resamples } : undefined;
    const metrics = computeMetrics({ ...scored, threshold, confidence });
    const { logits, scores, labels: yTrue } = scored;
    return { dataset: dataset.name, split, labels: dataset.labels, metrics, logits, scores, yTrue };
  } finally {
    signal?.removeEventListener('abort', cancel);
    await trainer.dispose();
  }
}

/** The options shared with training, by its rules and with its defaults; and the split. */
function checkOptions({ split = 'test', size, device, threads, batchSize }: EvaluateOptions): ResolvedOptions {
  if ((split as string) === 'val' || (split as string) === 'test')
    return resolveOptions({ size, device, threads, batchSize });
  throw new ChestMnistError('ERR_CONFIG', {
    found: `split is ${show(split)}`,
    needed: 'val or test',
    next: 'choose one of them',
  });
}

/** Thresholds as numbers, or the rule that finds them; text that is neither is a file. */
export async function thresholdsOf(
  given: NonNullable<EvaluateOptions['thresholds']>,
): Promise<number | number[] | ThresholdRule> {
  if (typeof given !== 'string') return typeof given === 'number' ? given : [...given];
  if (given.startsWith('val-')) return parseThresholdRule(given);
  if (given.trim() !== '' && !Number.isNaN(Number(given))) return Number(given);
  const text = await readFile(given, 'utf8').catch((cause: unknown) => {
    throw new ChestMnistError(
      'ERR_CONFIG',
      {
        found: `thresholds ${JSON.stringify(given)}`,
        needed: 'a number, val-f1, val-youden, val-sensitivity=S or a JSON file',
        next: 'for example --thresholds val-f1',
      },
      { cause },
    );
  });
  return parseThresholds(text);
}

/** Those the run has kept, else tuned now; on validation scores in either case. */
async function tuned(rule: ThresholdRule, model: Model, score: (split: 'val') => Promise<Scored>): Promise<number[]> {
  return model.run?.metrics?.tuned?.[rule]?.thresholds ?? tuneThresholds(rule, await score('val'));
}

async function dataOf(model: Model, target: string, options: EvaluateOptions): Promise<Dataset> {
  const { split = 'test', limit, signal } = options;
  const config = model.run?.config;
  const data = options.data ?? config?.data;
  if (data === undefined) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${target} is a file of weights, which does not say on which data to evaluate it`,
      needed: 'a data set',
      next: `chestmnist evaluate ${target} --data chestmnist`,
    });
  }
  const own = options.data === undefined ? config : undefined;
  const size = options.size ?? (data === 'chestmnist' || data === 'synthetic' ? model.imageSize : null);
  // The training split is not looked at: of synthetic data, no more than one image of it is made.
  const limits = { train: 1, val: own?.limitVal, test: own?.limitTest };
  const { dataset: all } = await loadData({ data, size, limits, signal });
  const cut = limit === undefined ? all.splits[split] : limitSplit(all.splits[split], limit);
  const dataset = { ...all, splits: { ...all.splits, [split]: cut } };
  if (dataset.labels.length !== model.labels.length) {
    throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
      found: `${target} predicts ${model.labels.length} labels`,
      needed: `the ${dataset.labels.length} labels of ${dataset.name}`,
      next: 'evaluate it on data with its own labels',
    });
  }
  return dataset;
}
