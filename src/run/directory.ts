/**
 * The run directory: its paths, how it is created, and the lock that admits one process at a time. Not here: the
 * contents of its files (the other files of this folder).
 */
import { constants, type Stats } from 'node:fs';
import { access, mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { exists, TEMPORARY } from '../base/atomic';
import { isWriteError, writeError, writing, type NextStep } from '../base/disk';
import { ChestMnistError } from '../base/errors';
import { withLock, type StillHeld } from '../base/lock';
import { shellWord } from '../base/shell';

/** The paths in a run directory. No other module knows these names. */
export const runFiles = (directory: string) => {
  const at = (...names: string[]): string => path.join(directory, ...names);
  return {
    config: at('config.json'),
    run: at('run.json'),
    history: at('history.csv'),
    metrics: at('metrics.json'),
    best: at('weights', 'best.safetensors'),
    last: at('weights', 'last.safetensors'),
    checkpoint: at('checkpoint', 'state.safetensors'),
    /** The previous checkpoint. */
    previous: at('checkpoint', 'previous.safetensors'),
    /** Folder of the result CSVs, whose names contain figures, and of the inputs of the report. */
    predictions: at('predictions'),
    /** Truth and logits of a split. */
    scored: (split: ScoredSplit): string => at('predictions', `${split}.npz`),
    /** The images that the report shows. */
    examples: at('predictions', 'examples.json'),
    plots: at('plots'),
    report: at('report.html'),
    lock: at('lock'),
  };
};

/** The splits that a run scores. */
export const SCORED_SPLITS = ['val', 'test'] as const;
export type ScoredSplit = (typeof SCORED_SPLITS)[number];

/** The error for a file whose content the run cannot have written. */
export const damaged = (file: string, what: string, cause?: unknown): ChestMnistError =>
  new ChestMnistError(
    'ERR_DATA_CORRUPT',
    {
      found: `${file} ${what}`,
      needed: 'the file as the run wrote it',
      next: 'restore it from a copy, or remove it to continue without it',
    },
    { cause },
  );

const ELSEWHERE = { instead: 'choose another --out' };

/**
 * Refuses an unusable output before any slow work and without creating anything: ERR_OUTPUT, or ERR_DISK for a
 * read-only file system or a name that is too long.
 */
export async function checkOutput(out: string, name: string | null): Promise<void> {
  const directory = path.resolve(out, name ?? '.');
  if (name !== null && (await lookUp(directory))) throw taken(directory);
  let folder = path.resolve(out);
  let facts = await lookUp(folder);
  while (!facts && path.dirname(folder) !== folder) {
    folder = path.dirname(folder);
    facts = await lookUp(folder);
  }
  if (!facts?.isDirectory()) {
    throw new ChestMnistError('ERR_OUTPUT', {
      found: `${folder} is a file`,
      needed: 'a folder that holds the runs',
      next: ELSEWHERE.instead,
    });
  }
  // A name that is too long gives an error only in a folder that exists.
  for (const part of path.relative(folder, directory).split(path.sep)) await lookUp(path.join(folder, part));
  await writing(folder, () => access(folder, constants.W_OK | constants.X_OK), ELSEWHERE);
}

/** undefined when `place` does not exist; throws when it cannot exist. */
async function lookUp(place: string): Promise<Stats | undefined> {
  try {
    return await stat(place);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw writeError(error, place, ELSEWHERE);
  }
}

const isAbsent = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

/**
 * Creates `out/name`, or `out/<yyyymmdd-hhmmss>-<data>` with -2, -3 ... when that exists. Never uses an existing
 * folder. Throws ERR_OUTPUT or ERR_DISK.
 */
export async function createRunDirectory(
  out: string,
  name: string | null,
  dataName: string,
  now = new Date(),
): Promise<string> {
  const base = path.resolve(out, name ?? `${timestamp(now)}-${inFileName(dataName)}`);
  const make = async (): Promise<string> => {
    await mkdir(path.dirname(base), { recursive: true });
    for (let copy = 1; ; copy++) {
      const directory = copy === 1 ? base : `${base}-${copy}`;
      try {
        await mkdir(directory);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        if (name !== null) throw taken(directory);
        continue;
      }
      await mkdir(path.join(directory, 'weights'));
      await mkdir(path.join(directory, 'checkpoint'));
      return directory;
    }
  };
  return writing(base, make, ELSEWHERE);
}

/** A data set's name without what would need quotes in a command. */
const inFileName = (name: string): string => name.replace(/[^\p{L}\p{M}\p{N}._]+/gu, '-').replace(/^-|-$/g, '');

/** Runs `work` with the run directory locked. ERR_BUSY when another run uses it, in this process or another. */
export async function withRunLock<T>(directory: string, work: (held: StillHeld) => Promise<T>): Promise<T> {
  return withLock(runFiles(directory).lock, work, {
    waiting: (holder) => {
      throw busy(directory, holder);
    },
    next: await goingOn(directory),
  });
}

/** The error for a run directory that another run uses or has taken over. */
export const busy = (directory: string, holder: string): ChestMnistError =>
  new ChestMnistError('ERR_BUSY', {
    found: `${directory} is in use by ${holder}`,
    needed: 'one run in a run directory at a time',
    next: 'wait for it or stop it, or start a new run without --resume',
  });

/**
 * Adds to a failed write in a run directory how to continue the run: finished epochs are on disk. Other errors stay as
 * they are.
 */
export async function writeErrorOf(error: unknown, directory: string): Promise<unknown> {
  if (!isWriteError(error)) return error;
  if (error instanceof ChestMnistError) return writeError(error.cause ?? error, directory, await goingOn(directory));
  const inside = (error as NodeJS.ErrnoException).path?.startsWith(directory);
  return inside ? writeError(error, directory, await goingOn(directory)) : error;
}

/** What to do once a run directory can be written again. */
async function goingOn(directory: string): Promise<NextStep> {
  const { checkpoint, previous } = runFiles(directory);
  const canResume = (await exists(checkpoint)) || (await exists(previous));
  return {
    then: canResume
      ? `npx chestmnist train --resume ${shellWord(directory)}`
      : `remove ${directory} and start the run again`,
  };
}

/** Removes the temporary files of a process that was killed while writing. */
export async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory, { recursive: true })) {
    if (TEMPORARY.test(name)) await rm(path.join(directory, name), { force: true });
  }
}

/** Local time, as in a run's name. */
function timestamp(now: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${date}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}

const taken = (directory: string): ChestMnistError =>
  new ChestMnistError('ERR_OUTPUT', {
    found: `${directory} already exists`,
    needed: 'a new run name: runs are never overwritten',
    next: `choose another --name, or continue it with --resume ${shellWord(directory)}`,
  });
