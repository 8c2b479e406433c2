/**
 * Explains failed writes: one table maps the system's codes to our codes, messages and next steps. Also checks whether
 * there is room for a file. Not here: atomic writes (atomic.ts).
 */
import { statfs } from 'node:fs/promises';
import { ChestMnistError } from './errors';

/** How the user can continue. Without either field, the next step suggests another place. */
export interface NextStep {
  /** What to do once the place can be written, e.g. a command. */
  then?: string;
  /** How to choose another place, e.g. `choose another --out`. */
  instead?: string;
}

interface Refusal {
  /** ERR_DISK: the storage itself fails. ERR_OUTPUT: only this place cannot be used. */
  readonly code: 'ERR_DISK' | 'ERR_OUTPUT';
  readonly what: string;
  readonly needed: string;
  /** What makes the place usable; absent when nothing does. */
  readonly repair?: string;
  readonly instead: string;
}

const disk = (what: string, needed: string, repair: string): Refusal => ({
  code: 'ERR_DISK',
  what,
  needed,
  repair,
  instead: 'choose a place on another disk',
});
const output = (what: string, needed: string, repair: string): Refusal => ({
  code: 'ERR_OUTPUT',
  what,
  needed,
  repair,
  instead: 'choose another place',
});

const broken = disk('the disk reports an error', 'a disk that works', 'check the disk and its connection');
const notPermitted = output('it is not permitted', 'permission to write there', 'allow this user to write there');

/** Keyed by the code of Node's error. A system error that is not listed is unexpected and keeps its stack. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  ENOSPC: disk('the disk is full', 'room on that disk', 'free some space on it'),
  EDQUOT: disk('the disk quota of this user is used up', 'a quota with room', 'remove files or get a larger quota'),
  EROFS: disk('the file system is read-only', 'a writable file system', 'mount it as writable'),
  EFBIG: disk(
    'the file would be larger than the limit of file sizes here',
    'a limit (ulimit -f) and a file system that allow the size',
    'raise the limit, for example with ulimit -f unlimited',
  ),
  ENAMETOOLONG: {
    code: 'ERR_DISK',
    what: 'its name is too long for the file system',
    needed: 'a shorter name; most file systems allow 255 bytes per name',
    instead: 'choose a shorter name',
  },
  EIO: broken,
  ENXIO: broken,
  ENODEV: broken,
  ESTALE: broken,
  EACCES: notPermitted,
  EPERM: notPermitted,
  ENOENT: output('a folder of its path does not exist', 'a path whose folders exist', 'make the folder'),
  ENOTDIR: output('a part of its path is a file', 'a path that consists of folders', 'move that file away'),
  EEXIST: output('a file is where a folder is needed', 'a path that consists of folders', 'move that file away'),
  EISDIR: output('it is a folder', 'the path of a file', 'move that folder away'),
  ELOOP: output('its path is a loop of links', 'a path that leads to a folder', 'fix the links'),
  EBUSY: output('another program is using it', 'a file that no other program has open', 'close that program'),
  EINVAL: output('the file system does not accept it', 'a name that the file system accepts', 'rename it'),
  ERR_INVALID_ARG_VALUE: output('it is not a path', 'a path without null characters', 'correct the path'),
};

function refusalOf(error: unknown): Refusal | undefined {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  // Starting a program and opening a connection fail with the same codes.
  if (code === undefined || /^(spawn|connect)/.test(syscall ?? '')) return undefined;
  return Object.hasOwn(REFUSALS, code) ? REFUSALS[code] : undefined;
}

/** Whether the file system refused a write and would refuse it again. Accepts Node's error or a converted one. */
export const isWriteError = (error: unknown): boolean =>
  error instanceof ChestMnistError
    ? error.code === 'ERR_DISK' || error.code === 'ERR_OUTPUT'
    : refusalOf(error) !== undefined;

/**
 * Converts a file system's error while writing `place` to ERR_DISK or ERR_OUTPUT. Returns any other error unchanged.
 */
export function writeError(error: unknown, place: string, next: NextStep = {}): unknown {
  const refusal = refusalOf(error);
  if (error instanceof ChestMnistError || refusal === undefined) return error;
  const { code, what, needed } = refusal;
  const found = `${place} cannot be written: ${what} (${(error as NodeJS.ErrnoException).code})`;
  return new ChestMnistError(code, { found, needed, next: nextStep(refusal, next) }, { cause: error });
}

function nextStep({ repair, instead }: Refusal, next: NextStep): string {
  if (repair === undefined) return instead;
  const here = next.then === undefined ? repair : `${repair}, then ${next.then}`;
  const elsewhere = next.instead ?? (next.then === undefined ? instead : undefined);
  return elsewhere === undefined ? here : `${here}, or ${elsewhere}`;
}

/** Runs `work`, which writes to `place`. An error of the file system becomes ERR_DISK or ERR_OUTPUT. */
export async function writing<T>(place: string, work: () => T | Promise<T>, next?: NextStep): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw writeError(error, place, next);
  }
}

/** Throws ERR_DISK unless the disk of `folder` has at least `bytes` free. */
export async function checkRoom(folder: string, bytes: number, next: NextStep = {}): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  throw new ChestMnistError('ERR_DISK', {
    found: `${sizeText(bavail * bsize)} free in ${folder}`,
    needed: `${sizeText(bytes)} of room there`,
    next: nextStep(REFUSALS.ENOSPC, next),
  });
}

const sizeText = (bytes: number): string =>
  bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
