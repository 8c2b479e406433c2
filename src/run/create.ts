/**
 * A new run directory: whether it can be made and every later file of the run written into it, and its name. Not here:
 * the paths in it (directory.ts).
 */
import { constants, type Stats } from 'node:fs';
import { access, mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeError, writing } from '../base/disk';
import { fits, isAbsent, kindOf } from '../base/entry';
import { ChestMnistError } from '../base/errors';
import { hasCheckpoint, resumeCommand } from './directory';
import { readEnsemble } from './ensemble';
import { checkEntries } from './entries';
import { readRunFile } from './record';
import { readSearch } from './search';

const ELSEWHERE = { instead: 'choose another --out' };

const RUN_FOLDERS = ['weights', 'checkpoint'] as const;

/** As long as the longest path in a run directory, once names in it are shortened: a picture of a label. */
const LONGEST_ENTRY = path.join('plots', 'x'.repeat(90));

/**
 * Refuses an unusable output before any slow work and without creating anything: ERR_OUTPUT, or ERR_DISK for a
 * read-only file system or a name that is too long.
 */
export async function checkOutput(out: string, name: string | null): Promise<void> {
  const directory = path.resolve(out, name ?? '.');
  if (name !== null && (await lookUp(directory))) throw await taken(directory);
  let folder = path.resolve(out);
  let facts = await lookUp(folder);
  while (!facts && path.dirname(folder) !== folder) {
    folder = path.dirname(folder);
    facts = await lookUp(folder);
  }
  if (!facts?.isDirectory()) {
    throw new ChestMnistError('ERR_OUTPUT', {
      found: `${folder} is ${kindOf(facts!)}`,
      needed: 'a folder that holds the runs',
      next: ELSEWHERE.instead,
    });
  }
  // A name that is too long gives an error only in a folder that exists.
  for (const part of path.relative(folder, directory).split(path.sep)) await lookUp(path.join(folder, part));
  await checkDepth(name === null ? path.join(directory, `${timestamp(new Date())}-x`) : directory);
  await writing(folder, () => access(folder, constants.W_OK | constants.X_OK), ELSEWHERE);
}

/** Refuses a directory in which the longest path of a run would be too long for the system: ERR_DISK. */
export async function checkDepth(directory: string): Promise<void> {
  if (await fits(path.join(directory, LONGEST_ENTRY))) return;
  throw new ChestMnistError('ERR_DISK', {
    found: `${directory} has a path of ${Buffer.byteLength(directory)} bytes, too long for the files of a run in it`,
    needed: `a path that is at least ${LONGEST_ENTRY.length + 1} bytes shorter than the longest that the system allows`,
    next: 'choose another --out with a shorter path',
  });
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

/**
 * Creates `out/name`, or `out/<yyyymmdd-hhmmss>-<data>` with -2, -3 ... when that exists. The data's name is shortened
 * where the file system takes no longer one. Never uses an existing folder. Throws ERR_OUTPUT or ERR_DISK.
 */
export async function createRunDirectory(
  out: string,
  name: string | null,
  dataName: string,
  now = new Date(),
  folders: readonly string[] = RUN_FOLDERS,
): Promise<string> {
  const folder = path.resolve(out);
  const make = async (): Promise<string> => {
    await mkdir(folder, { recursive: true });
    const base = path.join(folder, name ?? (await shortened(folder, timestamp(now), dataName)));
    for (let copy = 1; ; copy++) {
      const directory = copy === 1 ? base : `${base}-${copy}`;
      try {
        await mkdir(directory);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        if (name !== null) throw await taken(directory);
        continue;
      }
      try {
        for (const folder of folders) await mkdir(path.join(directory, folder));
      } catch (error) {
        await rm(directory, { recursive: true, force: true });
        throw error;
      }
      return directory;
    }
  };
  return writing(path.join(folder, name ?? ''), make, ELSEWHERE);
}

/**
 * Creates the run directory of one run of several in the directory of all. One whose process was killed before its first
 * checkpoint is used again. Throws ERR_OUTPUT or ERR_DISK.
 */
export async function createPartDirectory(whole: string, directory: string): Promise<void> {
  await checkEntries(directory, resumeCommand(whole));
  await writing(directory, async () => {
    for (const folder of RUN_FOLDERS) await mkdir(path.join(directory, folder), { recursive: true });
  });
}

/** `<time>-<data>`, with as many characters of the data's name as fit in `folder`, and room for a number after it. */
async function shortened(folder: string, time: string, dataName: string): Promise<string> {
  const characters = [...inFileName(dataName)];
  const nameOf = (length: number): string => `${time}-${characters.slice(0, length).join('')}`;
  const isShort = (name: string): Promise<boolean> => fits(path.join(folder, `${name}-9999`, LONGEST_ENTRY));
  let length = characters.length;
  while (length > 1 && !((await fits(path.join(folder, `${nameOf(length)}-9999`))) && (await isShort(nameOf(length)))))
    length--;
  return nameOf(length);
}

/** A data set's name without what would need quotes in a command. */
const inFileName = (name: string): string => name.replace(/[^\p{L}\p{M}\p{N}._]+/gu, '-').replace(/^-|-$/g, '');

/** Local time, as in a run's name. */
function timestamp(now: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${date}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}

/** A run is continued only where it can be: with a checkpoint, and before its end. */
async function taken(directory: string): Promise<ChestMnistError> {
  const record = await readRunFile(directory).catch(() => undefined);
  const several =
    (await readEnsemble(directory).catch(() => undefined)) ?? (await readSearch(directory).catch(() => undefined));
  const canGoOn = several
    ? several.status !== 'finished'
    : record?.status !== 'finished' && (await hasCheckpoint(directory));
  return new ChestMnistError('ERR_OUTPUT', {
    found: `${directory} already exists`,
    needed: 'a new run name: runs are never overwritten',
    next: `choose another --name${canGoOn ? `, or continue it: ${resumeCommand(directory)}` : ''}`,
  });
}
