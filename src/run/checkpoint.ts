/**
 * The checkpoint: everything an exact resume needs, in one safetensors file. It holds the weights, the optimizer state,
 * the best weights so far, the position in the run, the finished epochs, the options and the data's MD5. The facts are
 * JSON in the metadata; the last tensor is the SHA-256 of all bytes before it. The previous checkpoint is kept next to
 * it. Not here: which run is resumed, and with which options (train/plan.ts).
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rename, stat, type FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { show } from '../base/arguments';
import { exists, writeAtomically } from '../base/atomic';
import { writing } from '../base/disk';
import { ChestMnistError } from '../base/errors';
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

/** What a checkpoint holds in addition to tensors. */
const factsSchema = z.object({
  options: z.record(z.string(), z.unknown()).transform(savedOptions),
  /** The device of the epochs so far. */
  device: z.string(),
  data: dataFactsSchema,
  position: positionSchema,
  history: z.array(epochSchema),
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
  /** Weights of the best epoch; undefined before one is finished, the same object as `model` right after it. */
  best: StateDict | undefined;
}

const KIND = 'chestmnist checkpoint 2';
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
  const { model, optimizer, best, ...facts } = checkpoint;
  const pieces = encodeSafetensors(
    [
      ...prefixed('model.', model),
      ...prefixed('optimizer.', optimizer),
      ...(best && best !== model ? prefixed('best.', best) : []),
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
 * Loads the newest checkpoint of a run directory. When it is damaged or missing, the previous one is used and takes its
 * place; `note` reports a damaged one. Throws ERR_CHECKPOINT_INCOMPATIBLE when neither can be used.
 */
export async function loadCheckpoint(directory: string): Promise<{ checkpoint: Checkpoint; note?: string }> {
  const { checkpoint: file, previous } = runFiles(directory);
  try {
    return { checkpoint: await read(file) };
  } catch (error) {
    const reason = (error as Error).message;
    // A save that was interrupted between its two renames leaves only the previous checkpoint; nothing is lost.
    const missing = !(await exists(file));
    const checkpoint = await read(previous).catch((cause: unknown) => {
      if (missing && cause instanceof ChestMnistError) throw cause;
      throw new ChestMnistError(
        'ERR_CHECKPOINT_INCOMPATIBLE',
        {
          found: `${directory} has no usable checkpoint: ${file}: ${foundOf(error)}; ${previous}: ${foundOf(cause)}`,
          needed: 'an undamaged checkpoint',
          next: `start a new run; --weights ${runFiles(directory).best} starts from the best weights of this one`,
        },
        { cause },
      );
    });
    await writing(file, () => rename(previous, file));
    if (missing) return { checkpoint };
    const { epoch, samples } = checkpoint.position;
    return {
      checkpoint,
      note: `the newest checkpoint is damaged (${reason.split('. Needed')[0]}): continuing from the previous one, epoch ${epoch} after ${samples} images`,
    };
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

async function read(file: string): Promise<Checkpoint> {
  await checkSeal(file);
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
  const [model, optimizer, best] = ['model.', 'optimizer.', 'best.'].map((prefix) => unprefixed(prefix, state));
  return { ...facts, model, optimizer, best: best.length > 0 ? best : facts.history.length > 0 ? model : undefined };
}

/** Options that an earlier version did not save get their default; anything else that does not match is refused. */
function parseFacts(file: string, text: string): CheckpointFacts {
  try {
    return factsSchema.parse(JSON.parse(text));
  } catch (cause) {
    const what = cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll('\n', ' ') : foundOf(cause);
    throw new ChestMnistError(
      'ERR_CHECKPOINT_INCOMPATIBLE',
      {
        found: `the facts in ${file} are not as expected: ${what.slice(0, 400)}`,
        needed: KIND,
        next: 'resume with the version of chestmnist that started the run',
      },
      { cause },
    );
  }
}

/** Refuses a file whose last bytes are not the SHA-256 of those before: one that was truncated or changed. */
async function checkSeal(file: string): Promise<void> {
  const size = await stat(file).then(
    (s) => s.size,
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
