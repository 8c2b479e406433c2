/**
 * What stands in a run directory. Its own entries are regular files in four folders of its own; a link, a pipe or a
 * folder at one of their names is refused before anything is written, and never opened. Everything else in the
 * directory belongs to somebody else and is not touched. Not here: the contents of the files.
 */
import { constants } from 'node:fs';
import { access, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { TEMPORARY } from '../base/atomic';
import { readRemedy, writeError } from '../base/disk';
import { entryAt, isAbsent, kindOf } from '../base/entry';
import { ChestMnistError } from '../base/errors';
import { damaged } from './directory';

/**
 * The names that are written, by folder. The lock is not among them (base/lock.ts has the same rules), nor are the event
 * files of TensorBoard, which always get a new name.
 */
const NAMES = {
  '.': /^((config|run|ensemble|search|recipe|metrics)\.json|history\.csv|report\.html|model-card\.(md|json))$/,
  checkpoint: /^(state|previous)\.safetensors$/,
  weights: /^(best|last|average)\.safetensors$/,
  predictions: /^((val|test)\.npz|examples\.json|.*_(val|test)_\[AUC\].*\.csv)$/,
  plots: /^(loss|auc|roc|pr|reliability|confusion(-[a-z0-9-]+)?)\.(svg|png)$/,
} as const;
type Folder = keyof typeof NAMES;
const FOLDERS = Object.keys(NAMES) as Folder[];

/** A name that was cut for a temporary file (base/atomic.ts) has this length. */
const CUT = 60;

/**
 * Refuses a run directory in which one of its names is taken by a link, a pipe, a folder or the like, or by a file that
 * this user may not write: ERR_OUTPUT or ERR_DISK. `command` is what the user repeats after repairing it.
 */
export async function checkEntries(
  directory: string,
  command: string,
  folders: readonly Folder[] = FOLDERS,
): Promise<void> {
  for (const folder of folders) {
    const place = placeOf(directory, folder);
    const facts = await entryAt(place);
    if (!facts) continue;
    if (!facts.isDirectory()) throw strange(place, kindOf(facts), 'a folder', command);
    await checkAccess(place, constants.X_OK, command);
    for (const entry of await readdir(place)) {
      if (!NAMES[folder].test(entry)) continue;
      const file = path.join(place, entry);
      const at = await entryAt(file);
      if (at && !at.isFile()) throw strange(file, kindOf(at), 'a file', command);
      if (at) await checkAccess(file, constants.F_OK, command);
    }
  }
}

/** Throws where this user may not read or write it. */
async function checkAccess(place: string, more: number, command: string): Promise<void> {
  const named = path.normalize(place);
  await access(place, constants.R_OK | more).catch((cause: Error) => {
    const remedy = readRemedy(cause);
    if (!remedy) throw cause;
    const found = `${named} cannot be read (${cause.message})`;
    throw new ChestMnistError('ERR_OUTPUT', { found, ...remedy, next: `${remedy.next}, then ${command}` }, { cause });
  });
  await access(place, constants.W_OK).catch((error: unknown) => {
    throw writeError(error, named, { then: command });
  });
}

/** Behind the directory's own name, which is the user's and may be a link: with `/.` it is followed. */
const placeOf = (directory: string, folder: Folder): string => `${directory}${path.sep}${folder}`;

function strange(place: string, what: string, needed: string, command: string): ChestMnistError {
  const isLink = what === 'a link';
  // Without its checkpoint there is no run: only the folder itself helps.
  const orNothing = path.basename(place) === 'checkpoint' ? '' : ', or remove it';
  return new ChestMnistError('ERR_OUTPUT', {
    found: `${path.normalize(place)} is ${what}`,
    needed: `${needed} there that belongs to the run: nothing is written through a link or in place of something else`,
    next: `${isLink ? `replace the link by what it leads to${orNothing}` : 'move it away'}, then ${command}`,
  });
}

/** Removes the temporary files of a process that was killed while writing: those of the run's own names. */
export async function removeLeftovers(directory: string): Promise<void> {
  for (const folder of FOLDERS) {
    for (const name of await filesIn(placeOf(directory, folder))) {
      const stem = name.replace(TEMPORARY, '');
      const isTemporary = stem !== name && (NAMES[folder].test(stem) || (stem.length === CUT && folder !== '.'));
      if (isTemporary || (folder === '.' && /^lock\.stale\.\d+$/.test(name)))
        await rm(path.join(directory, folder, name), { force: true });
    }
  }
}

/** The names of the regular files in a folder; none without the folder, or where a link stands. */
export async function filesIn(folder: string): Promise<string[]> {
  if (!(await entryAt(folder))?.isDirectory()) return [];
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

/**
 * Whether a file of the run is there to be read. Throws ERR_DATA_CORRUPT where something else is, such as a pipe, which
 * would be waited for without end.
 */
export async function isThere(directory: string, file: string): Promise<boolean> {
  try {
    const facts = await stat(file);
    if (facts.isFile()) return true;
    throw damaged(directory, file, `is ${kindOf(facts)}`);
  } catch (cause) {
    if (isAbsent(cause)) return false;
    throw cause instanceof ChestMnistError
      ? cause
      : damaged(directory, file, `cannot be read (${(cause as Error).message})`, cause);
  }
}
