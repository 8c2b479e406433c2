/**
 * Scores a split with a trained model: logits and labels in, the metrics of one split out. Not here: the definitions of
 * the figures (metrics/), the scoring at the end of a run (score.ts).
 */
import { limitSplit } from '../data';
import type { Dataset } from '../data/dataset';
import { viewOf } from '../data/expand';
import { setNamed } from '../data/catalogue';
import { loadData } from '../data/inputs';
import { areUnnamed } from '../data/labels';
import { ownSignal } from '../base/abort';
import { ANY, checkArgument, checkFields, FUNCTION, integer, rule, SIGNAL, TEXT, type Rule } from '../base/arguments';
import { threadsNotes } from '../base/processors';
import { precisionNotes } from '../engine/trainer';
import { ChestMnistError } from '../base/errors';
import { isExclusive, type Task } from '../base/task';
import { computeMetrics, tuneThresholds } from '../metrics';
import { thresholdsFor } from '../metrics/check';
import { predictionsOf } from '../metrics/loss';
import { meanLogits } from '../metrics/mean';
import type { Metrics, ThresholdRule } from '../metrics/types';
import type { ResolvedOptions } from '../recipe/options';
import { resolveOptions } from '../recipe/resolve';
import { changesOf } from '../run/agree';
import { SCORED_SPLITS, type ScoredSplit } from '../run/directory';
import { assumptions, eachLogits, hold, openModel, type Model, type ModelOptions } from './model';
import type { Scored } from './score';
import { storedThresholds, THRESHOLDS, thresholdsOf, type GivenThresholds } from './thresholds';
import { shellWord } from '../base/shell';

export interface EvaluateOptions extends ModelOptions {
  /** Which split; default `test`. */
  split?: ScoredSplit;
  /** Data set name, .npz file or `synthetic`; default the run's own data. Needed for a file of weights. */
  data?: string;
  /**
   * One for all labels (default 0.5), one per label, a rule tuned on the validation split, or the path of a JSON file
   * of thresholds.
   */
  thresholds?: GivenThresholds;
  /** Only the first n images of the split. */
  limit?: number;
  /** `auto` (default), `cpu`, `cuda` or `cuda:N`. */
  device?: string;
  /** CPU threads; default as many as the machine allows, as in TrainOptions. */
  threads?: number;
  /** `fp32` (default) or `bf16`, as in TrainOptions; what a run was trained in does not matter. */
  precision?: 'fp32' | 'bf16';
  /** Images per batch; default 128. It does not change the result. */
  batchSize?: number;
  /** Bootstrap resamples of the confidence intervals; default 0, none. */
  resamples?: number;
  /** Called with the images done and their total while the split is predicted. */
  onProgress?: (done: number, total: number) => void;
  /** Aborting it ends the work at the next batch and rejects with its reason. */
  signal?: AbortSignal;
}

/** What the options of evaluate and predict may be; ANY: as in training, checked by resolveOptions. */
export const JUDGE_OPTIONS: Readonly<Record<keyof EvaluateOptions, Rule>> = {
  split: rule('val or test', (value) => SCORED_SPLITS.includes(value as ScoredSplit)),
  data: ANY,
  size: ANY,
  resize: ANY,
  task: ANY,
  labelNames: ANY,
  weightsKey: ANY,
  thresholds: THRESHOLDS,
  limit: integer(1),
  device: ANY,
  threads: ANY,
  precision: ANY,
  batchSize: ANY,
  resamples: ANY,
  onProgress: FUNCTION,
  signal: SIGNAL,
};
export const TARGET = rule('the path of a run directory or of a file of weights', TEXT.is);

/** The predictions of one split, with their metrics. */
export interface Evaluation extends Scored {
  dataset: string;
  task: Task;
  split: ScoredSplit;
  /** L label names in column order; `label_0`, `label_1`, ... where neither the data nor the model has names. */
  labels: readonly string[];
  metrics: Metrics;
  /** What the reader of the figures should know: what the weights did not state and was assumed. */
  notes: string[];
}

/**
 * Scores `target`, a run directory (its best weights), that of an ensemble (the mean of its members' probabilities), or a
 * .safetensors or .pth file. Writes nothing. Throws
 * ERR_CONFIG, the ERR_DATA_ codes, ERR_WEIGHTS and those of loading the addon.
 */
export async function evaluate(target: string, options: EvaluateOptions = {}): Promise<Evaluation> {
  checkArgument('target', target, TARGET);
  const { device, threads, precision, batchSize } = checkOptions(options);
  const { split = 'test', onProgress } = options;
  const signal = ownSignal(options.signal);
  const rule = await thresholdsOf(options.thresholds ?? 0.5);
  const model = await openModel(target, options);
  const { dataset, notes } = await dataOf(model, target, { ...options, signal });
  const { task } = dataset;
  if (isExclusive(task))
    thresholdsFor({ task, labelCount: model.labels.length }, typeof rule === 'string' ? NaN : rule);
  const trainer = await hold(model, dataset, { device, threads, precision });
  const cancel = (): void => trainer.cancel();
  signal.addEventListener('abort', cancel);
  try {
    const score = async (name: ScoredSplit): Promise<Scored> => {
      const { truth, count } = dataset.splits[name];
      await trainer.loadSplit(name, viewOf(dataset.splits[name]), truth);
      signal.throwIfAborted();
      // The members take turns in one trainer, which has the images.
      const each = await eachLogits(model, target, async (member, state) => {
        if (model.seeds) await trainer.loadStateDict(state);
        return trainer.predict({ split: name, batchSize }, ({ samples }) =>
          onProgress?.(Math.floor((member * count + samples) / model.states.length), count),
        );
      });
      if (!each) signal.throwIfAborted();
      const { labelCount } = dataset.splits[name];
      return predictionsOf(task, { truth, logits: meanLogits(task, each!, labelCount), labelCount });
    };
    const threshold = typeof rule === 'string' ? await tuned(rule, model, score) : rule;
    const scored = await score(split);
    const confidence = options.resamples ? { resamples: options.resamples } : undefined;
    const metrics = computeMetrics({ ...scored, threshold, confidence });
    notes.push(...threadsNotes(options.threads), ...precisionNotes({ precision }, trainer));
    return { ...scored, task, dataset: dataset.name, split, labels: dataset.labels, metrics, notes };
  } finally {
    signal.removeEventListener('abort', cancel);
    await trainer.dispose();
  }
}

/** Checks the options; those shared with training have the same rules and defaults. */
function checkOptions(options: EvaluateOptions): ResolvedOptions {
  checkFields('options', options, JUDGE_OPTIONS);
  const { data, size, device, threads, precision, batchSize, resamples } = options;
  return resolveOptions({ data, size, device, threads, precision, batchSize, resamples });
}

/** The thresholds stored in the run, otherwise tuned now. Both use only validation scores. */
async function tuned(rule: ThresholdRule, model: Model, score: (split: 'val') => Promise<Scored>): Promise<number[]> {
  return storedThresholds(model.run?.metrics, rule) ?? tuneThresholds(rule, await score('val'));
}

/** Data that the user names are compared with the run's only where they are in the same place. */
async function changesIn({ run }: Model, dataset: Dataset, { data }: EvaluateOptions): Promise<string[]> {
  if (!run) return [];
  const isOwn = data === undefined || dataset.path === run.config.data || data === run.config.data;
  return isOwn ? changesOf(run.directory, run.record, dataset) : run.changes;
}

/** The data, and what was assumed of the model for them. */
export async function dataOf(
  model: Model,
  target: string,
  options: EvaluateOptions,
): Promise<{ dataset: Dataset; notes: string[] }> {
  const { split = 'test', limit, signal } = options;
  const config = model.run?.config;
  const data = options.data ?? config?.data;
  if (data === undefined) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${target} is a file of weights, which does not record its data set`,
      needed: 'a data set',
      next: `npx chestmnist evaluate ${shellWord(target)} --data chestmnist`,
    });
  }
  const own = options.data === undefined ? config : undefined;
  const size = options.size ?? (setNamed(data) || data === 'synthetic' ? model.imageSize : null);
  // The training split is not used: synthetic data have only one image in it.
  const limits = { train: 1, val: own?.limitVal, test: own?.limitTest };
  const labelNames = options.labelNames ?? own?.labelNames;
  const ifMissing =
    options.data === undefined
      ? `if it was moved: npx chestmnist evaluate ${shellWord(target)} --data FILE`
      : undefined;
  const task = model.task ?? undefined;
  const { dataset: all } = await loadData({ data, size, task, labelNames, limits, ifMissing, signal });
  const cut = limit === undefined ? all.splits[split] : limitSplit(all.splits[split], limit);
  const dataset = { ...all, splits: { ...all.splits, [split]: cut } };
  if (dataset.labels.length !== model.labels.length) {
    throw new ChestMnistError('ERR_WEIGHTS', {
      found: `${target} predicts ${model.labels.length} labels`,
      needed: `the ${dataset.labels.length} labels of ${dataset.name}`,
      next: 'pass data with its own labels',
    });
  }
  const notes = [
    ...model.notes,
    ...(await changesIn(model, dataset, options)),
    ...assumptions(target, model, dataset.size, dataset),
  ];
  if (areUnnamed(dataset.labels)) return { dataset: { ...dataset, labels: model.labels }, notes };
  const at = areUnnamed(model.labels) ? -1 : model.labels.findIndex((label, i) => label !== dataset.labels[i]);
  if (at < 0) return { dataset, notes };
  throw new ChestMnistError('ERR_WEIGHTS', {
    found: `label ${at} of ${target} is ${model.labels[at]}, that of ${dataset.name} is ${dataset.labels[at]}`,
    needed: 'the same labels in the same order: each column is compared with its own label',
    next: 'pass data with its own labels, or name the labels of both with --label-names',
  });
}
