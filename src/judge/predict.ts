/**
 * Predictions for image files: probabilities and decisions for every label. For research, not for the care of patients.
 * Not here: reading pictures (data/pictures.ts), scoring against labels (evaluate.ts).
 */
import { resolveOptions } from '../recipe/resolve';
import { viewOf } from '../data/expand';
import { ownSignal } from '../base/abort';
import { checkArgument, checkFields, rule, TEXT, type Rule } from '../base/arguments';
import { threadsNotes } from '../base/processors';
import { ChestMnistError } from '../base/errors';
import { JUDGE_OPTIONS, TARGET, type EvaluateOptions } from './evaluate';
import { readImages } from '../data/pictures';
import { isExclusive, type Task } from '../base/task';
import { decide } from '../metrics';
import { thresholdsFor } from '../metrics/check';
import { scoresOf } from '../metrics/loss';
import { assumptions, hold, openModel, type ModelOptions } from './model';
import { checkLogits } from './score';
import { storedThresholds, thresholdsOf } from './thresholds';

export type PredictOptions = Pick<
  EvaluateOptions,
  'thresholds' | 'device' | 'threads' | 'batchSize' | 'signal' | keyof ModelOptions
>;

export interface Prediction {
  /** L label names in column order. */
  labels: readonly string[];
  /** One name per image: the file, or `file.npz#array[i]`. */
  images: string[];
  /** Probabilities, [images.length, L] row-major, 0 to 1. */
  scores: Float64Array;
  /** What is asked; multi-label where the model does not say. */
  task: Task;
  /** score > threshold, or the most probable of exclusive labels: 0 or 1, [images.length, L] row-major. */
  decisions: Uint8Array;
  /** One per label; null for exclusive labels. */
  thresholds: number[] | null;
  /** What the reader should know: what the weights did not state and was assumed. */
  notes: string[];
}

const INPUTS = rule('an array of paths', (value) => Array.isArray(value) && value.every(TEXT.is));
const { thresholds, device, threads, batchSize, signal, size, resize, task, labelNames, weightsKey } = JUDGE_OPTIONS;
const JUDGED = { thresholds, device, threads, batchSize, signal };
const OPTIONS: Readonly<Record<keyof PredictOptions, Rule>> = { ...JUDGED, size, resize, task, labelNames, weightsKey };

/**
 * Predicts PNG, JPEG, .npy ([H, W] or [N, H, W] uint8) and .npz (arrays `images` or `*_images`) files with `target`, a
 * run directory or a file of weights. For a model of gray images colour becomes gray; the central square is resized to the model's size. A rule
 * such as `val-f1` uses the thresholds stored in the run. Throws ERR_CONFIG, the ERR_DATA_ codes, ERR_WEIGHTS and those
 * of loading the addon.
 */
export async function predict(
  target: string,
  inputs: readonly string[],
  options: PredictOptions = {},
): Promise<Prediction> {
  checkArgument('target', target, TARGET);
  checkArgument('inputs', inputs, INPUTS);
  checkFields('options', options, OPTIONS);
  const signal = ownSignal(options.signal);
  const { device, threads, batchSize, size } = resolveOptions({
    device: options.device,
    threads: options.threads,
    batchSize: options.batchSize,
    size: options.size,
  });
  if (inputs.length === 0) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: 'no input',
      needed: 'at least one image file',
      next: 'name PNG, JPEG, .npy or .npz files',
    });
  }
  const rule = await thresholdsOf(options.thresholds ?? 0.5);
  const model = await openModel(target, options);
  const task = model.task ?? 'multi-label';
  const exclusive = isExclusive(task);
  const labelCount = model.labels.length;
  if (exclusive) thresholdsFor({ task, labelCount }, typeof rule === 'string' ? NaN : rule);
  const stored = typeof rule === 'string' ? storedThresholds(model.run?.metrics, rule) : rule;
  if (stored === undefined) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${target} has no thresholds for ${rule as string}`,
      needed: `a finished run, which has ${Object.keys(model.run?.metrics?.tuned ?? {}).join(' and ') || 'val-f1 and val-youden'}`,
      next: 'pass numbers, or a JSON file of thresholds',
    });
  }
  const thresholds = typeof stored === 'number' ? Array<number>(labelCount).fill(stored) : stored;
  const channels = model.channels ?? 1;
  const side = size ?? model.imageSize ?? 28;
  const files = [];
  for (const file of inputs) {
    signal.throwIfAborted();
    files.push(await readImages(file, side, channels));
  }
  const images = files.flatMap((file) => file.names);
  const pixels = Buffer.concat(files.map((file) => file.images));
  const trainer = await hold(model, { size: side, channels }, { device, threads });
  const cancel = (): void => trainer.cancel();
  signal.addEventListener('abort', cancel);
  try {
    signal.throwIfAborted();
    const view = viewOf({ images: pixels, count: images.length, size: side, channels });
    const { logits, cancelled } = await trainer.predict({ images: view, batchSize });
    if (cancelled) signal.throwIfAborted();
    checkLogits(logits, model.labels, target);
    const scores = scoresOf(task, logits, labelCount);
    const decisions = decide(scores, labelCount, exclusive ? undefined : thresholds, task);
    const notes = [...model.notes, ...(model.run?.changes ?? []), ...assumptions(target, model, side)];
    notes.push(...threadsNotes(options.threads));
    return { labels: model.labels, images, task, scores, decisions, thresholds: exclusive ? null : thresholds, notes };
  } finally {
    signal.removeEventListener('abort', cancel);
    await trainer.dispose();
  }
}
