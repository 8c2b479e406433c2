/**
 * Decides what to train, a new run or a resumed one, and with which options. Options are resolved here, once. A resumed
 * run accepts only its own options, except those that do not change the result; `epochs` extends it.
 */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { show } from '../base/arguments';
import { exists } from '../base/atomic';
import { shellWord } from '../base/shell';
import { ChestMnistError } from '../base/errors';
import type { DataFacts } from '../data/dataset';
import type { Trainer } from '../engine/contract';
import type { OptionName, ResolvedOptions, TrainOptions } from '../recipe/options';
import { isFree, resolveOptions, sameOptions, threadsOf } from '../recipe/resolve';
import { learningRate, milestoneEpochs } from '../recipe/schedule';
import { checkAgreement, contradictionOf, isWhole } from '../run/agree';
import { checkpointError, loadCheckpoint, peekFacts, type Checkpoint, type CheckpointFacts } from '../run/checkpoint';
import { checkDepth } from '../run/create';
import { hasCheckpoint, resumeCommand, runFiles } from '../run/directory';
import { isEnsemble, readEnsemble } from '../run/ensemble';
import { checkEntries } from '../run/entries';
import { outOfPatience } from '../run/history';
import { readRunFile } from '../run/record';
import { isSearch } from '../run/search';

/** The options of the caller. */
export interface Asked {
  /** With every default filled in. */
  options: ResolvedOptions;
  /** The names of the options that were given. */
  given: readonly OptionName[];
}

export interface Plan {
  /** The options to train with. */
  options: ResolvedOptions;
  resumed?: Resumed;
}

/** A resumed run. */
export interface Resumed {
  /** Absolute. */
  directory: string;
  checkpoint: Checkpoint;
  /** Whether the number of epochs differs from before. */
  extended: boolean;
  /** Of the process before, by run.json; undefined when that is missing. */
  threads: number | undefined;
  /** Whether any option differs. */
  changed: boolean;
  notes: string[];
}

/** Throws ERR_CONFIG for bad options. */
export function ask(options: TrainOptions): Asked {
  const resolved = resolveOptions(options);
  return { options: resolved, given: (Object.keys(options) as OptionName[]).filter((n) => options[n] !== undefined) };
}

/**
 * The directory of the run to resume, absolute: `resume` itself, or for true the newest unfinished run in `out`;
 * undefined when nothing is to be resumed. It may be that of an ensemble. Throws ERR_NOTHING_TO_RESUME.
 */
export async function findRun({ options: { resume, out }, given }: Asked): Promise<string | undefined> {
  if (resume === false) return undefined;
  return resume === true
    ? newestRun(out)
    : namedRun(resume, out, given.includes('epochs') || given.includes('calibrate'));
}

/**
 * The plan of a new run, or of resuming the one in `directory`. Throws ERR_CHECKPOINT_INCOMPATIBLE for options other
 * than the run's, and ERR_NOTHING_TO_RESUME when there is nothing left to train.
 */
export async function plan(asked: Asked, directory: string | undefined): Promise<Plan> {
  if (directory === undefined) return { options: asked.options };
  await checkEntries(directory, resumeCommand(directory));
  await checkDepth(directory);
  const { checkpoint, note } = await loadCheckpoint(directory);
  const { record, notes: rewritten } = await checkAgreement(directory, checkpoint, asked.given);
  const notes = [...(note === undefined ? [] : [note]), ...rewritten];
  const { options: kept, history } = checkpoint;
  const options = merge(asked, checkpoint, directory);
  const extended = options.epochs !== kept.epochs;
  // A finished run may still be calibrated: it is scored again.
  const isOver =
    options.calibrate === kept.calibrate && (options.epochs <= history.length || outOfPatience(history, kept));
  if (record?.status === 'finished' && isOver && (await isWhole(directory))) throw finished(directory, checkpoint);
  if (extended) notes.push(extensionNote(kept, options));
  const changed = !sameOptions(kept, options);
  return { options, resumed: { directory, checkpoint, extended, changed, threads: record?.threads, notes } };
}

/** The run's own options, updated with the given ones that may differ. */
function merge(
  { options: asked, given }: Asked,
  { options: kept, position }: Checkpoint,
  directory: string,
): ResolvedOptions {
  checkOthers({ options: asked, given: given.filter((name) => !isFree(name)) }, kept, directory);
  // Whether this process is watched is not the run's own.
  const options = { ...kept, watch: asked.watch, ...pick(asked, given.filter(isFree)) };
  if (options.epochs === kept.epochs) return options;
  const begun = position.epoch - (position.samples > 0 ? 0 : 1);
  if (options.epochs < begun) {
    throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
      found: `epochs is ${options.epochs}`,
      needed: `at least ${begun}: that many epochs of ${directory} have started`,
      next: 'leave --epochs out, or start a new run without --resume',
    });
  }
  if (options.schedule === 'cosine') {
    throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
      found: `epochs is ${options.epochs}, schedule is cosine`,
      needed: `${kept.epochs} epochs: the learning rate of ${directory} falls to 0 at their end`,
      next: `leave --epochs out, or start a new run: --weights ${shellWord(runFiles(directory).last)}`,
    });
  }
  return { ...options, milestones: milestoneEpochs(kept) };
}

/** Refuses options other than those that are kept in `directory`. */
export function checkOthers({ options: asked, given }: Asked, kept: ResolvedOptions, directory: string): void {
  const others = given.filter((name) => !isDeepStrictEqual(asked[name], kept[name]));
  if (others.length === 0) return;
  throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
    found: others.map((name) => `${name} is ${show(asked[name])}`).join('; '),
    needed: `the options of ${directory}: ${others.map((name) => `${name} ${show(kept[name])}`).join('; ')}`,
    next: 'leave these options out to resume, or start a new run without --resume',
  });
}

export const pick = (options: ResolvedOptions, names: readonly OptionName[]): Partial<ResolvedOptions> =>
  Object.fromEntries(names.map((name) => [name, options[name]]));

/** The finished epochs used the old schedule, so its milestones stay, with percentages as numbers. */
function extensionNote(kept: ResolvedOptions, options: ResolvedOptions): string {
  const milestones = options.milestones.length === 0 ? 'none' : options.milestones.join(', ');
  const was = isDeepStrictEqual(kept.milestones, options.milestones)
    ? ''
    : ` (${kept.milestones.join(',')} of ${kept.epochs})`;
  const last = Number(learningRate(options, options.epochs - 1).toPrecision(4));
  return `epochs ${kept.epochs} -> ${options.epochs}; the milestones stay where they were: ${milestones}${was}, so the last epoch has learning rate ${last}`;
}

/** The data of the run, or of the ensemble, in a directory. */
export interface OfData {
  directory: string;
  data: DataFacts;
}

/** Refuses data other than the run's. */
export function checkSameData(found: DataFacts, { directory, data }: OfData): void {
  if (isDeepStrictEqual(found, { ...data, name: found.name })) return;
  throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
    found: `data ${found.name} with MD5 ${found.md5} and ${Object.values(found.counts).join('/')} images of ${found.size} px`,
    needed: `the data of ${directory}: ${data.name} with MD5 ${data.md5} and ${Object.values(data.counts).join('/')} images of ${data.size} px`,
    next: 'pass the data file of that run with --data, or start a new run',
  });
}

/**
 * Puts a checkpoint's model and optimizer into a trainer. ERR_CHECKPOINT_INCOMPATIBLE when they belong to another
 * network.
 */
export async function restore(
  trainer: Trainer,
  { model, optimizer, average }: Pick<Checkpoint, 'model' | 'optimizer' | 'average'>,
): Promise<void> {
  const refuse = (error: unknown): never => {
    throw checkpointError(error);
  };
  await trainer.loadStateDict(model).catch(refuse);
  if (average) await trainer.loadStateDict(average, { averaged: true }).catch(refuse);
  await trainer.loadOptimizerState(optimizer).catch((cause: unknown) => {
    throw new ChestMnistError(
      'ERR_CHECKPOINT_INCOMPATIBLE',
      {
        found: `the optimizer state of the checkpoint does not fit: ${(cause as Error).message}`,
        needed: 'a checkpoint of this network and optimizer',
        next: 'start a new run',
      },
      { cause },
    );
  });
}

/** Another device or number of threads sums in another order: allowed, and reported. */
export function roundingNote(
  { checkpoint, threads: former }: Resumed,
  device: string,
  options: ResolvedOptions,
  execution: Trainer['execution'],
): string | undefined {
  // In the fast executions no sum depends on the number of threads.
  if (execution.startsWith('fast') && checkpoint.device === device) return undefined;
  const threads = threadsOf(options);
  const before = `${checkpoint.device}, ${former ?? checkpoint.options.threads ?? threads} threads`;
  const now = `${device}, ${threads} threads`;
  return before === now
    ? undefined
    : `trained on ${before} until now, on ${now} from here: results differ only by rounding`;
}

async function namedRun(resume: string, out: string, goesOn: boolean): Promise<string> {
  const candidates = [path.resolve(resume), path.resolve(out, resume)];
  for (const directory of candidates) {
    if (await isEnsemble(directory)) return directory;
    if (await isSearch(directory)) {
      throw new ChestMnistError('ERR_NOTHING_TO_RESUME', {
        found: `${directory} is a search`,
        needed: 'a run or an ensemble: a search is continued by its own command',
        next: resumeCommand(directory),
      });
    }
    if (!(await hasCheckpoint(directory))) continue;
    const end = goesOn || !(await isWhole(directory)) ? undefined : await endOf(directory);
    if (!end) return directory;
    if (end.facts) await checkAgreement(directory, end.facts, []);
    throw finished(directory, end.facts);
  }
  const there = await exists(candidates[0]);
  throw nothing(
    `${candidates[0]} ${there ? 'has no checkpoint' : 'does not exist'}`,
    'a run directory with a checkpoint',
  );
}

/** Looks at the folders of `out` themselves: what a link leads to is continued when it is named. */
async function newestRun(out: string): Promise<string> {
  const folder = path.resolve(out);
  const found: { directory: string; time: number }[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isDirectory()) continue;
    const directory = path.join(folder, entry.name);
    const ensemble = await readEnsemble(directory).catch(() => undefined);
    if (ensemble) {
      if (ensemble.status === 'finished') continue;
      const times = await Promise.all(
        ensemble.members.map(({ seed }) => checkpointTime(runFiles(directory).member(seed))),
      );
      const begun = new Date(ensemble.started).getTime();
      found.push({ directory, time: Math.max(begun, ...times.filter((time) => time !== undefined)) });
      continue;
    }
    const time = await checkpointTime(directory);
    if (time !== undefined && !(await endOf(directory))) found.push({ directory, time });
  }
  if (found.length === 0)
    throw nothing(`no unfinished run in ${folder}`, 'a run that was stopped and has a checkpoint');
  return found.reduce((a, b) => (b.time > a.time ? b : a)).directory;
}

/** The time of the newest checkpoint, in ms; undefined without one. */
async function checkpointTime(directory: string): Promise<number | undefined> {
  const { checkpoint, previous } = runFiles(directory);
  for (const file of [checkpoint, previous]) {
    const facts = await stat(file).catch(() => undefined);
    if (facts?.isFile()) return facts.mtimeMs;
  }
  return undefined;
}

/**
 * The facts of the checkpoint of a finished run, as far as they can be read; undefined for any other run. Where the
 * checkpoint denies what run.json says, it counts as unfinished, and the contradiction is reported when it is resumed.
 */
async function endOf(directory: string): Promise<{ facts?: CheckpointFacts } | undefined> {
  const record = await readRunFile(directory).catch(() => undefined);
  if (record?.status !== 'finished') return undefined;
  const facts = await peekFacts(directory);
  return facts && contradictionOf(record, facts) !== undefined ? undefined : { facts };
}

function finished(directory: string, facts?: CheckpointFacts): ChestMnistError {
  const patience = facts && outOfPatience(facts.history, facts.options) ? facts.options.patience : null;
  const isOver = patience !== null;
  const done = facts?.history.length ?? 0;
  return new ChestMnistError('ERR_NOTHING_TO_RESUME', {
    found: `the run ${directory} is finished: ${isOver ? `patience ${patience} ended it after ${done} epochs` : 'all its epochs are trained'}`,
    needed: isOver ? 'an unfinished run' : 'an unfinished run, or more --epochs than it has',
    next: isOver
      ? `for a new run with more patience: npx chestmnist train --config ${shellWord(runFiles(directory).config)} --patience ${patience + 10}`
      : `for more epochs: ${resumeCommand(directory)} --epochs ${done + 10}`,
  });
}

const nothing = (found: string, needed: string): ChestMnistError =>
  new ChestMnistError('ERR_NOTHING_TO_RESUME', { found, needed, next: 'name a run: --resume RUN, or start a new one' });
