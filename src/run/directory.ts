/**
 * The run directory: where everything in it is, how it is made, and one process in it at a time. Not here: what is in
 * its files (the other files of this folder).
 */
import { constants } from 'node:fs';
import { access, mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { exists, TEMPORARY } from '../base/atomic';
import { ChestMnistError } from '../base/errors';
import { withLock, type StillHeld } from '../base/lock';
import { shellWord } from '../base/shell';

/** Where things are in a run directory. No other file knows a name. */
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
    /** The checkpoint before it. */
    previous: at('checkpoint', 'previous.safetensors'),
    /** Folder of the result CSVs, whose names hold their figures, and of what the report needs. */
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

/** A file of a run that is there and cannot be what the run wrote. */
export const damaged = (file: string, what: string, cause?: unknown): ChestMnistError =>
  new ChestMnistError(
    'ERR_DATA_CORRUPT',
    {
      found: `${file} ${what}`,
      needed: 'the file as the run wrote it',
      next: 'restore it from a copy, or remove it to go on without it',
    },
    { cause },
  );

/** Refuses an output that cannot be used, before anything slow is done and without creating anything. */
export async function checkOutput(out: string, name: string | null): Promise<void> {
  if (name !== null && (await exists(path.resolve(out, name)))) throw taken(path.resolve(out, name));
  let folder = path.resolve(out);
  while (!(await exists(folder)) && path.dirname(folder) !== folder) folder = path.dirname(folder);
  const { isFolder } = await stat(folder).then((s) => ({ isFolder: s.isDirectory() }));
  if (!isFolder) throw unusable(folder, 'is a file');
  await access(folder, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw unusable(folder, 'cannot be written', cause);
  });
}

/** Makes `out/name`, or `out/<yyyymmdd-hhmmss>-<data>` with -2, -3 ... where that exists. Never takes a folder that is there. */
export async function createRunDirectory(
  out: string,
  name: string | null,
  dataName: string,
  now = new Date(),
): Promise<string> {
  const base = path.resolve(out, name ?? `${timestamp(now)}-${dataName}`);
  try {
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
  } catch (error) {
    if (error instanceof ChestMnistError) throw error;
    throw unusable(base, 'cannot be made', error);
  }
}

/** Runs `work` with the run directory locked. ERR_BUSY when another run goes on in it, in this process or another. */
export async function withRunLock<T>(directory: string, work: (held: StillHeld) => Promise<T>): Promise<T> {
  try {
    return await withLock(runFiles(directory).lock, work, {
      waiting: (holder) => {
        throw busy(directory, holder);
      },
    });
  } catch (error) {
    throw writeErrorOf(error, directory);
  }
}

/** What another run in this directory, or one that has taken it over, is told. */
export const busy = (directory: string, holder: string): ChestMnistError =>
  new ChestMnistError('ERR_BUSY', {
    found: `${directory} is in use by ${holder}`,
    needed: 'one run in a run directory at a time',
    next: 'wait for it or stop it, or start a run of its own without --resume',
  });

/** A failed write as a run tells it: what was finished is on disk. Other errors stay as they are. */
export function writeErrorOf(error: unknown, directory: string): unknown {
  const cause = error instanceof ChestMnistError ? error.cause : error;
  if (!(cause instanceof Error) || (cause as NodeJS.ErrnoException).syscall === undefined) return error;
  return new ChestMnistError(
    'ERR_CONFIG',
    {
      found: `${directory} cannot be written (${cause.message})`,
      needed: 'a folder that can be written, with room for about 600 MB',
      next: `make room or allow writing, then npx chestmnist train --resume ${shellWord(directory)}`,
    },
    { cause },
  );
}

/** Removes the temporary files of a process that was killed while it wrote. */
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
  new ChestMnistError('ERR_CONFIG', {
    found: `${directory} exists already`,
    needed: 'a run name of its own: no run is ever overwritten',
    next: `choose another --name, or continue it with --resume ${shellWord(directory)}`,
  });

const unusable = (folder: string, how: string, cause?: unknown): ChestMnistError =>
  new ChestMnistError(
    'ERR_CONFIG',
    { found: `${folder} ${how}`, needed: 'a folder that can be written', next: 'choose another --out' },
    { cause },
  );
