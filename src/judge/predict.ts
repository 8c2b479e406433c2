/**
 * Predictions for image files: probabilities and decisions for every label. For research, not for the care of patients.
 * Not here: finding and reading pictures (data/pictures/), scoring against labels (evaluate.ts).
 */
import { resolveOptions } from '../recipe/resolve';
import { viewOf } from '../data/expand';
import { ownSignal } from '../base/abort';
import { workAhead } from '../base/ahead';
import { checkArgument, checkFields, rule, SWITCH, TEXT, type Rule } from '../base/arguments';
import { processorsToUse, threadsNotes } from '../base/processors';
import { ChestMnistError } from '../base/errors';
import { JUDGE_OPTIONS, TARGET, type EvaluateOptions } from './evaluate';
import { findPictures } from '../data/pictures/find';
import { FITS, LAYOUTS } from '../data/pictures/options';
import { Notes, readPictures, type PictureFile } from '../data/pictures/read';
import { isExclusive, type Task } from '../base/task';
import { decide } from '../metrics';
import { thresholdsFor } from '../metrics/check';
import { scoresOf } from '../metrics/loss';
import { meanLogits, spreadOf } from '../metrics/mean';
import type { Trainer } from '../engine/contract';
import { precisionNotes } from '../engine/trainer';
import { assumptions, eachLogits, hold, openModel, type ModelOptions } from './model';
import { storedThresholds, thresholdsOf } from './thresholds';

export interface PredictOptions extends Pick<
  EvaluateOptions,
  'thresholds' | 'device' | 'threads' | 'precision' | 'batchSize' | 'signal' | keyof ModelOptions
> {
  /** What becomes of a picture that is not square: its central square (`crop`, the default), black bars, or a stretch. */
  fit?: 'crop' | 'pad' | 'stretch';
  /** Center and width of the values that DICOM files show from black to white, instead of their own. */
  window?: readonly [center: number, width: number];
  /** The axes of arrays whose shape may mean two things: N pictures, H rows, W columns, C channels. */
  layout?: 'HW' | 'HWC' | 'CHW' | 'NHW' | 'NHWC' | 'NCHW';
  /** Stop at the first file that cannot be read, instead of leaving it out. Default: false. */
  strict?: boolean;
}

export interface Prediction {
  /** L label names in column order. */
  labels: readonly string[];
  /** One name per image: the file, `file.npy[i]` or `file.npz#array[i]`. */
  images: string[];
  /** Probabilities, [images.length, L] row-major, 0 to 1. */
  scores: Float64Array;
  /**
   * Of an ensemble, the standard deviation (n - 1) of its members' probabilities, whose mean `scores` has; the same shape.
   * null of a single model.
   */
  spread: Float64Array | null;
  /** What is asked; multi-label where the model does not say. */
  task: Task;
  /** score > threshold, or the most probable of exclusive labels: 0 or 1, [images.length, L] row-major. */
  decisions: Uint8Array;
  /** One per label; null for exclusive labels. */
  thresholds: number[] | null;
  /** The files that could not be read, and why. */
  skipped: { image: string; error: ChestMnistError }[];
  /** What the reader should know: what the weights did not state and was assumed, what was decided for the pictures. */
  notes: string[];
}

/** What is known when all images are predicted, and the predictions of some of them, in order. */
export type PredictedAll = Pick<Prediction, 'skipped' | 'notes'>;
export type PredictedRows = Omit<Prediction, keyof PredictedAll>;

const INPUTS = rule('an array of paths', (value) => Array.isArray(value) && value.every(TEXT.is));
const { thresholds, device, threads, precision, batchSize, signal } = JUDGE_OPTIONS;
const { size, resize, task, labelNames, weightsKey } = JUDGE_OPTIONS;
const JUDGED = { thresholds, device, threads, precision, batchSize, signal };
const oneOf = (values: readonly string[]): Rule =>
  rule(`one of ${values.join(', ')}`, (value) => values.includes(value as string));
const isWindow = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) && (value[1] as number) > 0;
const PICTURES = {
  fit: oneOf(FITS),
  window: rule('two numbers, a center and a width above 0', isWindow),
  layout: oneOf(LAYOUTS),
  strict: SWITCH,
};
const OPTIONS: Readonly<Record<keyof PredictOptions, Rule>> = {
  ...JUDGED,
  ...PICTURES,
  size,
  resize,
  task,
  labelNames,
  weightsKey,
};

/**
 * Predicts pictures with `target`, a run directory, that of an ensemble, or a file of weights. `inputs` are PNG, JPEG,
 * TIFF, WebP and DICOM
 * files, .npy and .npz files (arrays `images` or `*_images`), folders of these, and patterns such as `scans/*.dcm`. For a
 * model of gray images colour becomes gray; the picture is made square by `fit` and resized to the model's size as by
 * Pillow's bicubic. A rule such as `val-f1` uses the thresholds stored in the run. A file that cannot be read is left out
 * and named in `skipped`; where there is no other, its error is thrown. Throws ERR_CONFIG, the ERR_DATA_ codes, ERR_WEIGHTS
 * and those of loading the addon.
 */
export async function predict(
  target: string,
  inputs: readonly string[],
  options: PredictOptions = {},
): Promise<Prediction> {
  const rows: PredictedRows[] = [];
  const source = predictRows(target, inputs, options);
  let next = await source.next();
  for (; !next.done; next = await source.next()) rows.push(next.value);
  const { labels, task, thresholds } = rows[0];
  const scores = new Float64Array(rows.reduce((sum, { scores }) => sum + scores.length, 0));
  const spread = rows[0].spread && new Float64Array(scores.length);
  const decisions = new Uint8Array(scores.length);
  let at = 0;
  for (const part of rows) {
    scores.set(part.scores, at);
    if (part.spread) spread?.set(part.spread, at);
    decisions.set(part.decisions, at);
    at += part.scores.length;
  }
  return {
    labels,
    task,
    thresholds,
    images: rows.flatMap(({ images }) => images),
    scores,
    spread,
    decisions,
    ...next.value,
  };
}

/**
 * The same, a batch at a time, while the next pictures are decoded: memory does not grow with their number. There is at
 * least one.
 */
export async function* predictRows(
  target: string,
  inputs: readonly string[],
  options: PredictOptions = {},
): AsyncGenerator<PredictedRows, PredictedAll> {
  checkArgument('target', target, TARGET);
  checkArgument('inputs', inputs, INPUTS);
  checkFields('options', options, OPTIONS);
  const signal = ownSignal(options.signal);
  const { device, threads, precision, batchSize, size } = resolveOptions({
    device: options.device,
    threads: options.threads,
    precision: options.precision,
    batchSize: options.batchSize,
    size: options.size,
  });
  if (inputs.length === 0) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: 'no input',
      needed: 'at least one picture',
      next: 'name pictures or a folder of them',
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
  const { fit = 'crop', window, layout, strict = false } = options;
  const read = (file: string): Promise<PictureFile> =>
    readPictures(file, { size: side, fit, channels, window, layout });
  const skipped: Prediction['skipped'] = [];
  const seen = new Notes();
  /** The pictures of the files that can be read. */
  async function* pictures(): AsyncGenerator<PictureFile> {
    const ahead = workAhead(findPictures(inputs), processorsToUse() + 1, async (found) => {
      if ('error' in found) return found;
      return read(found.file).then(
        (pictures) => ({ file: found.file, pictures }),
        (error: unknown) => ({ file: found.file, error }),
      );
    });
    for await (const one of ahead) {
      signal.throwIfAborted();
      if ('pictures' in one) {
        seen.add(one.file, one.pictures.notes);
        yield one.pictures;
      } else if (strict || !(one.error instanceof ChestMnistError)) throw one.error;
      else skipped.push({ image: one.file, error: one.error });
    }
  }
  // One for each member: loading weights takes longer than a batch.
  const trainers: Trainer[] = [];
  const cancel = (): void => trainers.forEach((trainer) => trainer.cancel());
  signal.addEventListener('abort', cancel);
  try {
    let count = 0;
    for await (const { names, pixels } of batchesOf(pictures(), batchSize, side * side * channels)) {
      for (const state of model.states.slice(trainers.length))
        trainers.push(
          await hold({ ...model, states: [state] }, { size: side, channels }, { device, threads, precision }),
        );
      signal.throwIfAborted();
      const view = viewOf({ images: pixels, count: names.length, size: side, channels });
      const each = await eachLogits(model, target, (member) => trainers[member].predict({ images: view, batchSize }));
      if (!each) signal.throwIfAborted();
      const scores = scoresOf(task, meanLogits(task, each!, labelCount), labelCount);
      const spread = model.seeds ? spreadOf(each!.map((logits) => scoresOf(task, logits, labelCount))) : null;
      const decisions = decide(scores, labelCount, exclusive ? undefined : thresholds, task);
      count += names.length;
      const rows = { labels: model.labels, images: names, task, scores, spread, decisions };
      yield { ...rows, thresholds: exclusive ? null : thresholds };
    }
    if (count === 0) throw noneOf(skipped);
    const notes = [...model.notes, ...(model.run?.changes ?? []), ...assumptions(target, model, side)];
    notes.push(...threadsNotes(options.threads), ...precisionNotes({ precision }, trainers[0]), ...seen.lines());
    if (window && !seen.has('given-window')) notes.push('no picture is DICOM of gray values: the window has no effect');
    return { skipped, notes };
  } finally {
    signal.removeEventListener('abort', cancel);
    await Promise.all(trainers.map((trainer) => trainer.dispose()));
  }
}

/** Images in batches of `size`, the last one perhaps smaller, whatever files they come from. */
async function* batchesOf(
  files: AsyncIterable<PictureFile>,
  size: number,
  bytes: number,
): AsyncGenerator<{ names: string[]; pixels: Uint8Array }> {
  let [names, parts]: [string[], Uint8Array[]] = [[], []];
  for await (const file of files) {
    for (let from = 0; from < file.names.length;) {
      const to = Math.min(file.names.length, from + size - names.length);
      names.push(...file.names.slice(from, to));
      parts.push(file.images.subarray(from * bytes, to * bytes));
      from = to;
      if (names.length < size) break;
      yield { names, pixels: Buffer.concat(parts) };
      [names, parts] = [[], []];
    }
  }
  if (names.length > 0) yield { names, pixels: Buffer.concat(parts) };
}

/** The error where nothing could be read: that of the only file, or of the first of several. */
function noneOf(skipped: Prediction['skipped']): ChestMnistError {
  const [{ error }] = skipped;
  if (skipped.length === 1) return error;
  const parts = ChestMnistError.inFlags(error);
  const found = `none of ${skipped.length} files can be read; the first: ${parts.found}`;
  return new ChestMnistError(error.code, { ...parts, found }, { cause: error });
}
