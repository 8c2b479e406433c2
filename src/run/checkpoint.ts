/**
 * The checkpoint: everything an exact resume needs, in one safetensors file. It holds the weights, the optimizer state,
 * the best weights so far, the position in the run, the finished epochs, the options and the data's MD5. The facts are
 * JSON in the metadata; the last tensor is the SHA-256 of all bytes before it. The previous checkpoint is kept next to
 * it. Not here: which run is resumed, and with which options (train/plan.ts).
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, stat, type FileHandle } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { show } from '../base/arguments';
import { exists, writeAtomically } from '../base/atomic';
import { writing } from '../base/disk';
import { ChestMnistError } from '../base/errors';
import { shellWord } from '../base/shell';
import type { EpochProgress, StateDict } from '../engine/contract';
import { savedOptions } from '../recipe/resolve';
import { epochSchema } from './history';
import { dataFactsSchema } from './record';
import { runFiles } from './directory';
import { encodeSafetensors, readSafetensors } from '../weights/safetensors';

/** The position in a run: the current epoch and how much of it is done. */
const positionSchema = z.object({
  /** From 1; one more than `epochs` when all are done. */
  epoch: z.int().min(1),
  /** Images of its order that are already trained, at a batch boundary. */
  samples: z.int().min(0),
  /** Loss summed over these images. */
  lossSum: z.number(),
  seconds: z.number().min(0),
});
export type Position = z.infer<typeof positionSchema>;

/** Options as this version or an earlier one saved them. */
export const optionsSchema = z.record(z.string(), z.unknown()).transform((saved, context) => {
  try {
    return savedOptions(saved);
  } catch (error) {
    context.addIssue(foundOf(error));
    return z.NEVER;
  }
});

/** What a checkpoint holds in addition to tensors. Earlier versions did not write the optional fields. */
const factsSchema = z
  .object({
    /** The run that it belongs to: `id` in run.json. */
    run: z.string().optional(),
    options: optionsSchema,
    /** The options before this process changed them: config.json has them until it is written, after the checkpoint. */
    former: optionsSchema.optional(),
    /** The device of the epochs so far. */
    device: z.string(),
    data: dataFactsSchema,
    position: positionSchema,
    history: z.array(epochSchema),
  })
  .superRefine(({ options, data, position: { epoch, samples, seconds, lossSum }, history }, context) => {
    const all = data.counts.train;
    const wrong = [
      history.some((row, i) => row.epoch !== i + 1) && 'its epochs are not 1, 2, 3, ...',
      epoch !== history.length + 1 && `it is in epoch ${epoch} after ${history.length} finished epochs`,
      history.length > options.epochs && `it has ${history.length} of ${options.epochs} epochs`,
      samples > all && `${samples} of ${all} images are trained`,
      samples < all && samples % options.batchSize !== 0 && `${samples} images are not whole batches`,
      samples > 0 ? seconds === 0 && 'an epoch took no time' : lossSum !== 0 && 'no image has a loss',
    ];
    for (const message of wrong) if (message !== false) context.addIssue({ code: 'custom', message });
  });
export type CheckpointFacts = z.infer<typeof factsSchema>;

/** An epoch that has not started. */
export const UNTRAINED = { samples: 0, lossSum: 0, seconds: 0 };

/** The position after another part of the epoch. */
export const advance = (before: Position, part: Pick<EpochProgress, 'samples' | 'lossSum' | 'seconds'>): Position => ({
  epoch: before.epoch,
  samples: before.samples + part.samples,
  lossSum: before.lossSum + part.lossSum,
  seconds: before.seconds + part.seconds,
});

export interface Checkpoint extends CheckpointFacts {
  model: StateDict;
  optimizer: StateDict;
  /** The moving average of the weights, of a run that keeps one. */
  average?: StateDict;
  /** Weights of the best epoch; undefined before one is finished, the same object as `model` or `average` right after it. */
  best: StateDict | undefined;
  /** It was read from the place of the previous checkpoint: the newest is damaged or missing. */
  isPrevious?: true;
}

const KIND = 'chestmnist checkpoint 2';
/** Of the JSON header that peekFacts reads; a run of many epochs has some hundred kB. */
const MAX_HEADER_BYTES = 4 * 2 ** 20;
const DIGEST_BYTES = 32;
const DIGEST = {
  name: 'sha256',
  dtype: 'F32',
  shape: [DIGEST_BYTES / 4],
  data: new Float32Array(DIGEST_BYTES / 4),
} as const;
const prefixed = (prefix: string, state: StateDict): StateDict => state.map((e) => ({ ...e, name: prefix + e.name }));
const unprefixed = (prefix: string, state: StateDict): StateDict =>
  state.filter((e) => e.name.startsWith(prefix)).map((e) => ({ ...e, name: e.name.slice(prefix.length) }));

/** Replaces the checkpoint of a run; the current one becomes the previous one. */
export async function saveCheckpoint(directory: string, checkpoint: Checkpoint): Promise<void> {
  const { model, optimizer, average, best, ...facts } = checkpoint;
  const pieces = encodeSafetensors(
    [
      ...prefixed('model.', model),
      ...prefixed('optimizer.', optimizer),
      ...(average ? prefixed('average.', average) : []),
      ...(best && best !== (average ?? model) ? prefixed('best.', best) : []),
      DIGEST,
    ],
    { kind: KIND, facts: JSON.stringify(facts) },
  );
  const { checkpoint: file, previous } = runFiles(directory);
  await writeAtomically(file, (handle) => writeSealed(handle, pieces.slice(0, -1)), { former: previous });
}

/** Writes the pieces and then their SHA-256, which is computed while writing. */
async function writeSealed(handle: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  const hash = createHash('sha256');
  for (const piece of pieces) {
    const written = handle.writeFile(piece);
    hash.update(piece);
    await written;
  }
  await handle.writeFile(hash.digest());
}

/**
 * Loads the newest checkpoint of a run directory; the previous one when it is damaged or missing, and `note` reports a
 * damaged one. Writes nothing. Throws ERR_CHECKPOINT_INCOMPATIBLE when neither can be used, or when the newest is whole
 * but not one that this version can have written: an older one must not take its place.
 */
export async function loadCheckpoint(directory: string): Promise<{ checkpoint: Checkpoint; note?: string }> {
  const { checkpoint: file, previous } = runFiles(directory);
  const fault = await checkSeal(file).catch((error: unknown) => error);
  if (fault === undefined) return { checkpoint: await read(file) };
  // A save that was interrupted between its two renames leaves only the previous checkpoint; nothing is lost.
  const missing = !(await exists(file));
  const checkpoint = await checkSeal(previous)
    .then(() => read(previous))
    .catch((cause: unknown) => {
      if (missing && cause instanceof ChestMnistError) throw cause;
      throw new ChestMnistError(
        'ERR_CHECKPOINT_INCOMPATIBLE',
        {
          found: `${directory} has no usable checkpoint: ${file}: ${foundOf(fault)}; ${previous}: ${foundOf(cause)}`,
          needed: 'an undamaged checkpoint',
          next: `start a new run; --weights ${shellWord(runFiles(directory).best)} starts from the best weights of this one`,
        },
        { cause },
      );
    });
  checkpoint.isPrevious = true;
  if (missing) return { checkpoint };
  const { epoch, samples } = checkpoint.position;
  return {
    checkpoint,
    note: `the newest checkpoint is damaged (${foundOf(fault)}): continuing from the previous one, epoch ${epoch} after ${samples} images`,
  };
}

/** Gives the previous checkpoint the place of the newest, so that the next save keeps it. */
export async function restorePrevious(directory: string): Promise<void> {
  const { checkpoint, previous } = runFiles(directory);
  await writing(checkpoint, () => rename(previous, checkpoint));
}

/** The facts of the newest checkpoint, read without its tensors and unchecked by the seal; undefined when they cannot be. */
export async function peekFacts(directory: string): Promise<CheckpointFacts | undefined> {
  const { checkpoint: file } = runFiles(directory);
  const isFile = await stat(file).then(
    (facts) => facts.isFile(),
    () => false,
  );
  const handle = isFile ? await open(file, 'r').catch(() => undefined) : undefined;
  if (!handle) return undefined;
  try {
    const { buffer: prefix } = await handle.read(Buffer.alloc(8), 0, 8, 0);
    const length = Math.min(Number(prefix.readBigUInt64LE()), MAX_HEADER_BYTES);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, 8);
    const header = JSON.parse(buffer.toString()) as { __metadata__: { facts: string } };
    return factsSchema.parse(JSON.parse(header.__metadata__.facts));
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}

/** A checkpoint is stored as a file of weights, so an ERR_WEIGHTS while reading it is an error of the checkpoint. */
export const checkpointError = (error: unknown): unknown =>
  error instanceof ChestMnistError && error.code === 'ERR_WEIGHTS'
    ? new ChestMnistError(
        'ERR_CHECKPOINT_INCOMPATIBLE',
        { found: error.found, needed: 'a checkpoint of this network', next: 'start a new run' },
        { cause: error },
      )
    : error;

const foundOf = (error: unknown): string => (error instanceof ChestMnistError ? error.found : (error as Error).message);

/** Reads a checkpoint whose seal was checked. */
async function read(file: string): Promise<Checkpoint> {
  const { state, metadata } = await readSafetensors(file).catch((error: unknown) => {
    throw checkpointError(error);
  });
  if (metadata.kind !== KIND) {
    throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
      found: `${file} is of kind ${show(metadata.kind)}`,
      needed: KIND,
      next: 'resume with the version of chestmnist that started the run',
    });
  }
  const facts = parseFacts(file, metadata.facts);
  const [model, optimizer, average, best] = ['model.', 'optimizer.', 'average.', 'best.'].map((prefix) =>
    unprefixed(prefix, state),
  );
  const shapes = (state: StateDict): string[] =>
    state.map(({ name, dtype, shape }) => `${name} ${dtype} ${shape.join()}`);
  if (best.length > 0 && !isDeepStrictEqual(shapes(best), shapes(model)))
    throw incompatible(file, 'its best weights are of another network than its last');
  const keepsAverage = facts.options.ema > 0;
  if (keepsAverage && !isDeepStrictEqual(shapes(average), shapes(model)))
    throw incompatible(file, 'its average is of another network than its weights');
  const newest = keepsAverage ? average : model;
  return {
    ...{ ...facts, model, optimizer },
    ...(keepsAverage && { average }),
    best: best.length > 0 ? best : facts.history.length > 0 ? newest : undefined,
  };
}

const incompatible = (file: string, what: string, cause?: unknown): ChestMnistError =>
  new ChestMnistError(
    'ERR_CHECKPOINT_INCOMPATIBLE',
    {
      found: `the facts in ${file} are not as expected: ${what.slice(0, 400)}`,
      needed: KIND,
      next: 'resume with the version of chestmnist that started the run, or put a copy of the checkpoint in its place',
    },
    { cause },
  );

/** Options that an earlier version did not save get their default; anything else that does not match is refused. */
function parseFacts(file: string, text: string): CheckpointFacts {
  try {
    return factsSchema.parse(JSON.parse(text));
  } catch (cause) {
    const what = cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll('\n', ' ') : foundOf(cause);
    throw incompatible(file, what, cause);
  }
}

/** Refuses a file whose last bytes are not the SHA-256 of those before: one that was truncated or changed. */
async function checkSeal(file: string): Promise<void> {
  const size = await stat(file).then(
    (facts) => (facts.isFile() ? facts.size : 0),
    () => 0,
  );
  let seal = Buffer.alloc(0);
  const hash = createHash('sha256');
  if (size > DIGEST_BYTES) {
    let at = 0;
    for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>) {
      const end = Math.max(0, Math.min(chunk.length, size - DIGEST_BYTES - at));
      hash.update(chunk.subarray(0, end));
      seal = Buffer.concat([seal, chunk.subarray(end)]);
      at += chunk.length;
    }
  }
  if (size > DIGEST_BYTES && seal.equals(hash.digest())) return;
  throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
    found: `${file} ${(await exists(file)) ? 'is damaged: its SHA-256 does not match' : 'does not exist'}`,
    needed: 'an undamaged checkpoint',
    next: 'start a new run',
  });
}
