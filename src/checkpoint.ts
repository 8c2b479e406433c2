/**
 * What an exact resume needs, in one file that is replaced as a whole: weights, optimizer state, the place in the run,
 * the epochs so far, the options and the data's MD5. A safetensors file; the facts are JSON in its metadata.
 */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ChestMnistError } from './errors';
import type { DataFacts } from './events';
import type { StateDict } from './native';
import { resolveOptions, show, type OptionName, type ResolvedOptions, type TrainOptions } from './options';
import type { EpochRow } from './history';
import { exists, readJson, runFiles } from './run';
import { readSafetensors, writeSafetensors } from './weights/safetensors';

/** Where a run stands: the epoch to train or in training, and what of it is done. */
export interface Position {
  /** From 1; one more than `epochs` when all are done. */
  epoch: number;
  /** Images of its order already trained, at a batch boundary. */
  samples: number;
  /** Mean loss over them. */
  loss: number;
  seconds: number;
}

/** Nothing done yet of an epoch. */
export const UNTRAINED = { samples: 0, loss: 0, seconds: 0 };

/** A part of an epoch added to what was done of it before. */
export function advance(before: Position, part: { samples: number; loss: number; seconds: number }): Position {
  const samples = before.samples + part.samples;
  const loss = samples === 0 ? 0 : (before.loss * before.samples + part.loss * part.samples) / samples;
  return { epoch: before.epoch, samples, loss, seconds: before.seconds + part.seconds };
}

export interface CheckpointFacts {
  options: ResolvedOptions;
  data: DataFacts;
  position: Position;
  history: EpochRow[];
}

export interface Checkpoint extends CheckpointFacts {
  /** The run directory, absolute. */
  directory: string;
  model: StateDict;
  optimizer: StateDict;
}

const KIND = 'chestmnist checkpoint 1';
const prefixed = (prefix: string, state: StateDict): StateDict => state.map((e) => ({ ...e, name: prefix + e.name }));
const unprefixed = (prefix: string, state: StateDict): StateDict =>
  state.filter((e) => e.name.startsWith(prefix)).map((e) => ({ ...e, name: e.name.slice(prefix.length) }));

/** Replaces the checkpoint of a run; the old one stays until the new one is whole. */
export async function saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
  const { directory, model, optimizer, ...facts } = checkpoint;
  await writeSafetensors(
    runFiles(directory).checkpoint,
    [...prefixed('model.', model), ...prefixed('optimizer.', optimizer)],
    { kind: KIND, facts: JSON.stringify(facts) },
  );
}

/**
 * The checkpoint of `given.resume`: a run directory, or for true the newest unfinished run in `given.out`. Options given
 * beside it must be those of the run, except where they do not change the result. Throws ERR_NOTHING_TO_RESUME or
 * ERR_CHECKPOINT_INCOMPATIBLE.
 */
export async function openCheckpoint(given: TrainOptions): Promise<Checkpoint> {
  const asked = resolveOptions(given);
  const directory =
    typeof asked.resume === 'string' ? await namedRun(asked.resume, asked.out) : await newestRun(asked.out);
  const file = runFiles(directory).checkpoint;
  const { state, metadata } = await readSafetensors(file);
  if (metadata.kind !== KIND) {
    throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
      found: `${file} is of kind ${show(metadata.kind)}`,
      needed: KIND,
      next: 'resume with the version of chestmnist that began the run',
    });
  }
  const facts = JSON.parse(metadata.facts) as CheckpointFacts;
  const options = mergeOptions(given, asked, facts.options, directory);
  return {
    ...facts,
    options,
    directory,
    model: unprefixed('model.', state),
    optimizer: unprefixed('optimizer.', state),
  };
}

/** Options that may differ on resume. The data may have moved: their MD5 is compared instead. */
const FREE: readonly OptionName[] = ['data', 'device', 'threads', 'out', 'name', 'resume', 'tensorboard'];

function mergeOptions(
  given: TrainOptions,
  asked: ResolvedOptions,
  kept: ResolvedOptions,
  directory: string,
): ResolvedOptions {
  const names = (Object.keys(given) as OptionName[]).filter((name) => given[name] !== undefined);
  const others = names.filter((name) => !FREE.includes(name) && !isDeepStrictEqual(asked[name], kept[name]));
  if (others.length > 0) {
    throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
      found: others.map((name) => `${name} is ${show(asked[name])}`).join('; '),
      needed: `the options of ${directory}: ${others.map((name) => `${name} ${show(kept[name])}`).join('; ')}`,
      next: 'leave these options out to resume, or start a new run without --resume',
    });
  }
  const free = names.filter((name) => FREE.includes(name)).map((name) => [name, asked[name]]);
  return { ...kept, ...(Object.fromEntries(free) as Partial<ResolvedOptions>) };
}

/** Refuses data other than the run's. */
export function checkSameData(found: DataFacts, { data, directory }: Checkpoint): void {
  if (isDeepStrictEqual(found, { ...data, name: found.name })) return;
  throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
    found: `data ${found.name} with MD5 ${found.md5} and ${Object.values(found.counts).join('/')} images of ${found.size} px`,
    needed: `the data of ${directory}: ${data.name} with MD5 ${data.md5} and ${Object.values(data.counts).join('/')} images of ${data.size} px`,
    next: 'pass the data file of that run with --data, or start a new run',
  });
}

async function namedRun(resume: string, out: string): Promise<string> {
  const candidates = [path.resolve(resume), path.resolve(out, resume)];
  for (const directory of candidates) {
    if (!(await exists(runFiles(directory).checkpoint))) continue;
    if (!(await isFinished(directory))) return directory;
    throw nothing(`the run ${directory} is finished`, 'an unfinished run');
  }
  const there = await exists(candidates[0]);
  throw nothing(
    `${candidates[0]} ${there ? 'has no checkpoint' : 'does not exist'}`,
    'a run directory with a checkpoint',
  );
}

async function newestRun(out: string): Promise<string> {
  const folder = path.resolve(out);
  const found: { directory: string; time: number }[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const directory = path.join(folder, name);
    const time = await stat(runFiles(directory).checkpoint).then(
      (s) => s.mtimeMs,
      () => undefined,
    );
    if (time !== undefined && !(await isFinished(directory))) found.push({ directory, time });
  }
  if (found.length === 0)
    throw nothing(`no unfinished run in ${folder}`, 'a run that was stopped and has a checkpoint');
  return found.reduce((a, b) => (b.time > a.time ? b : a)).directory;
}

async function isFinished(directory: string): Promise<boolean> {
  return (await readJson<{ status?: string }>(runFiles(directory).run))?.status === 'finished';
}

const nothing = (found: string, needed: string): ChestMnistError =>
  new ChestMnistError('ERR_NOTHING_TO_RESUME', { found, needed, next: 'name a run: --resume RUN, or start a new one' });
