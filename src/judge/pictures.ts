/**
 * Pictures that a user names, as a model takes them: opened together with the model, read ahead, in batches. Not here: how
 * one is found and read (data/pictures/), what is made of it (predict.ts, explain/).
 */
import { ownSignal } from '../base/abort';
import { workAhead } from '../base/ahead';
import { checkArgument, checkFields, rule, SWITCH, TEXT, type Rule } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import { processorsToUse, threadsNotes } from '../base/processors';
import { isExclusive, type Task } from '../base/task';
import { findPictures } from '../data/pictures/find';
import { FITS, LAYOUTS } from '../data/pictures/options';
import { Notes, readPictures, type PictureFile } from '../data/pictures/read';
import type { Trainer } from '../engine/contract';
import { precisionNotes } from '../engine/trainer';
import { thresholdsFor } from '../metrics/check';
import { resolveOptions } from '../recipe/resolve';
import { JUDGE_OPTIONS, TARGET, type EvaluateOptions } from './evaluate';
import { assumptions, hold, openModel, type Model, type ModelOptions } from './model';
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

/** A file that could not be read, and why. */
export interface Skipped {
  image: string;
  error: ChestMnistError;
}

const INPUTS = rule('an array of paths', (value) => Array.isArray(value) && value.every(TEXT.is));
const oneOf = (values: readonly string[]): Rule =>
  rule(`one of ${values.join(', ')}`, (value) => values.includes(value as string));
const isWindow = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) && (value[1] as number) > 0;

/** What these options may be. */
export const PICTURE_OPTIONS: Readonly<Record<keyof PredictOptions, Rule>> = {
  thresholds: JUDGE_OPTIONS.thresholds,
  device: JUDGE_OPTIONS.device,
  threads: JUDGE_OPTIONS.threads,
  precision: JUDGE_OPTIONS.precision,
  batchSize: JUDGE_OPTIONS.batchSize,
  signal: JUDGE_OPTIONS.signal,
  size: JUDGE_OPTIONS.size,
  resize: JUDGE_OPTIONS.resize,
  task: JUDGE_OPTIONS.task,
  labelNames: JUDGE_OPTIONS.labelNames,
  weightsKey: JUDGE_OPTIONS.weightsKey,
  fit: oneOf(FITS),
  window: rule('two numbers, a center and a width above 0', isWindow),
  layout: oneOf(LAYOUTS),
  strict: SWITCH,
};

/** A model and the pictures for it. Dispose of it when done. */
export interface OpenedPictures {
  readonly model: Model;
  /** Multi-label where the model does not say. */
  readonly task: Task;
  readonly labelCount: number;
  /** One per label; null for exclusive labels. */
  readonly thresholds: number[] | null;
  /** Of the pictures as the model takes them: side in pixels, 1 for gray or 3 for RGB. */
  readonly side: number;
  readonly channels: 1 | 3;
  readonly batchSize: number;
  readonly signal: AbortSignal;
  /** Rejects with the error of the first file where none can be read. */
  readonly batches: AsyncGenerator<PictureBatch>;
  /** A trainer for each network of the model, made by the first call. */
  trainers(): Promise<readonly Trainer[]>;
  readonly skipped: Skipped[];
  /** What the reader should know, when all pictures were read. */
  notes(): string[];
  dispose(): Promise<void>;
}

export interface PictureBatch {
  /** One per picture: the file, `file.npy[i]` or `file.npz#array[i]`. */
  names: string[];
  /** uint8 in C order, [names.length, side, side], or of RGB [names.length, side, side, 3]. */
  pixels: Uint8Array;
}

/** Opens the model and finds the pictures; `rules` are those of all options of the caller. Throws as predict. */
export async function openPictures(
  target: string,
  inputs: readonly string[],
  options: PredictOptions,
  rules: Readonly<Record<string, Rule>> = PICTURE_OPTIONS,
): Promise<OpenedPictures> {
  checkArgument('target', target, TARGET);
  checkArgument('inputs', inputs, INPUTS);
  checkFields('options', options, rules);
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
  const given = await thresholdsOf(options.thresholds ?? 0.5);
  const model = await openModel(target, options);
  const task = model.task ?? 'multi-label';
  const exclusive = isExclusive(task);
  const labelCount = model.labels.length;
  if (exclusive) thresholdsFor({ task, labelCount }, typeof given === 'string' ? NaN : given);
  const stored = typeof given === 'string' ? storedThresholds(model.run?.metrics, given) : given;
  if (stored === undefined) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${target} has no thresholds for ${given as string}`,
      needed: `a finished run, which has ${Object.keys(model.run?.metrics?.tuned ?? {}).join(' and ') || 'val-f1 and val-youden'}`,
      next: 'pass numbers, or a JSON file of thresholds',
    });
  }
  const thresholds = typeof stored === 'number' ? Array<number>(labelCount).fill(stored) : stored;
  const channels = model.channels ?? 1;
  const side = size ?? model.imageSize ?? 28;
  const { fit = 'crop', window, layout, strict = false } = options;
  const skipped: Skipped[] = [];
  const seen = new Notes();
  /** The pictures of the files that can be read. */
  async function* files(): AsyncGenerator<PictureFile> {
    const ahead = workAhead(findPictures(inputs), processorsToUse() + 1, async (found) => {
      if ('error' in found) return found;
      return readPictures(found.file, { size: side, fit, channels, window, layout }).then(
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
  async function* batches(): AsyncGenerator<PictureBatch> {
    let count = 0;
    for await (const batch of batchesOf(files(), batchSize, side * side * channels)) {
      signal.throwIfAborted();
      count++;
      yield batch;
    }
    if (count === 0) throw noneOf(skipped);
  }
  // One for each member: loading weights takes longer than a batch.
  const trainers: Trainer[] = [];
  const cancel = (): void => trainers.forEach((trainer) => trainer.cancel());
  signal.addEventListener('abort', cancel);
  return {
    ...{
      model,
      task,
      labelCount,
      thresholds: exclusive ? null : thresholds,
      side,
      channels,
      batchSize,
      signal,
      skipped,
    },
    batches: batches(),
    async trainers() {
      for (const state of model.states.slice(trainers.length)) {
        const one = { ...model, states: [state] };
        trainers.push(await hold(one, { size: side, channels }, { device, threads, precision }));
      }
      signal.throwIfAborted();
      return trainers;
    },
    notes() {
      const notes = [...model.notes, ...(model.run?.changes ?? []), ...assumptions(target, model, side)];
      notes.push(
        ...threadsNotes(options.threads),
        ...trainers.slice(0, 1).flatMap((of) => precisionNotes({ precision }, of)),
      );
      notes.push(...seen.lines());
      if (window && !seen.has('given-window'))
        notes.push('no picture is DICOM of gray values: the window has no effect');
      return notes;
    },
    async dispose() {
      signal.removeEventListener('abort', cancel);
      await Promise.all(trainers.map((trainer) => trainer.dispose()));
    },
  };
}

/** Images in batches of `size`, the last one perhaps smaller, whatever files they come from. */
async function* batchesOf(
  files: AsyncIterable<PictureFile>,
  size: number,
  bytes: number,
): AsyncGenerator<PictureBatch> {
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
function noneOf(skipped: readonly Skipped[]): ChestMnistError {
  const [{ error }] = skipped;
  if (skipped.length === 1) return error;
  const parts = ChestMnistError.inFlags(error);
  const found = `none of ${skipped.length} files can be read; the first: ${parts.found}`;
  return new ChestMnistError(error.code, { ...parts, found }, { cause: error });
}
