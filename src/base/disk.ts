/**
 * Explains what the system refuses: one table maps its codes to our codes, messages and next steps, for failed writes
 * and, as a last resort, for anything else. Also checks whether there is room for a file. Not here: atomic writes
 * (atomic.ts).
 */
import { realpathSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { ChestMnistError, type ErrorParts } from './errors';
import { currentFolder } from './folders';

/** How the user can continue. Without either field, the next step suggests another place. */
export interface NextStep {
  /** What to do once the place can be written, e.g. a command. */
  then?: string;
  /** How to choose another place, e.g. `choose another --out`. */
  instead?: string;
}

interface Refusal {
  /** ERR_DISK: the storage itself fails. ERR_OUTPUT: only this place cannot be used. ERR_RESOURCES: no place can. */
  readonly code: 'ERR_DISK' | 'ERR_OUTPUT' | 'ERR_RESOURCES';
  readonly what: string;
  readonly needed: string;
  /** What makes the place usable; absent when nothing does. */
  readonly repair?: string;
  /** Another place to write to; absent when none would do. */
  readonly instead?: string;
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

const limit = (what: string, needed: string, repair: string): Refusal => ({
  code: 'ERR_RESOURCES',
  what,
  needed,
  repair,
});

const memory = limit(
  'the system gives this process no more memory',
  'more free memory, and a limit (ulimit -v, a container, a batch job) that allows it',
  'close other programs or raise the limit, for example with ulimit -v unlimited',
);
const threads = limit(
  'the system starts no more threads or processes for this user',
  'a limit (ulimit -u, pids of a container) with room',
  'raise the limit, or use fewer --threads',
);
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
  EMFILE: limit(
    'this process has too many open files',
    'a limit of at least 256 open files (ulimit -n)',
    'raise the limit, for example with ulimit -n 4096',
  ),
  ENFILE: limit('the system has too many open files', 'a system with room for more', 'close other programs'),
  ENOMEM: memory,
  EAGAIN: threads,
  ERR_INVALID_ARG_VALUE: output('it is not a path', 'a path without null characters', 'correct the path'),
};

function refusalOf(error: unknown): Refusal | undefined {
  const { code, syscall = '', message = '' } = (error ?? {}) as NodeJS.ErrnoException;
  if (error instanceof RangeError && OUT_OF_MEMORY.test(message)) return memory;
  if (code === undefined || syscall === CURRENT_FOLDER || !Object.hasOwn(REFUSALS, code)) return undefined;
  const refusal = REFUSALS[code];
  // Starting a program and opening a connection fail with the codes of writing.
  return /^(spawn|connect)/.test(syscall) && refusal.code !== 'ERR_RESOURCES' ? undefined : refusal;
}

/** ERR_RESOURCES when `text`, from a program or the dynamic linker, says that memory or threads ran out. */
export function shortage(text: string, found: string, cause?: unknown): ChestMnistError | undefined {
  const refusal = NO_MEMORY.test(text) ? memory : NO_THREADS.test(text) ? threads : undefined;
  if (refusal === undefined) return undefined;
  const parts = { found: `${refusal.what}: ${found}`, needed: refusal.needed, next: nextStep(refusal, AGAIN) };
  return new ChestMnistError(refusal.code, parts, { cause });
}
const NO_MEMORY = /cannot allocate memory(?! in static TLS)|cannot allocate \w+ memory|out of memory|bad_alloc/i;
const NO_THREADS = /resource temporarily unavailable|uv_thread_create|pthread_create/i;

/** What V8 says when the system gives no memory for an array or for WebAssembly. */
const OUT_OF_MEMORY = /allocation failed|out of memory|could not allocate/i;

/** The system call that fails once the current folder is removed. */
const CURRENT_FOLDER = 'uv_cwd';

/** Whether the system refused a write and would refuse it again. Accepts Node's error or a converted one. */
export const isWriteError = (error: unknown): boolean =>
  error instanceof ChestMnistError
    ? ['ERR_DISK', 'ERR_OUTPUT', 'ERR_RESOURCES'].includes(error.code)
    : refusalOf(error) !== undefined;

/**
 * Converts a system's error while writing `place` to ERR_DISK, ERR_OUTPUT or ERR_RESOURCES. Returns any other error
 * unchanged.
 */
export function writeError(error: unknown, place: string, next: NextStep = {}): unknown {
  const refusal = refusalOf(error);
  if (error instanceof ChestMnistError || refusal === undefined) return error;
  const { code, what, needed } = refusal;
  const found = `${place} cannot be written: ${what}${inBrackets(error)}`;
  return new ChestMnistError(code, { found, needed, next: nextStep(refusal, next) }, { cause: error });
}

/** The system's own code, for a search. */
const inBrackets = (error: unknown): string => {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? '' : ` (${code})`;
};

const AGAIN: NextStep = { then: 'run the same command again' };

/** System calls that change something, or take a path that will be. */
const WRITES = /^(write|fsync|fdatasync|ftruncate|mkdir|mkdtemp|rename|unlink|rmdir|rm|symlink|link|copyfile|utime)/;
const ONLY_WRITING = ['ENOSPC', 'EDQUOT', 'EROFS', 'EFBIG'];

/**
 * The last resort, for an error that nobody converted where it arose: a limit, the current folder, or a place that the
 * system refuses, as far as the error itself tells. Returns any other error unchanged: it is unexpected.
 */
export function systemError(error: unknown): unknown {
  // Without a current folder nothing is found by a relative path.
  if (currentFolder() === undefined && isRelativeAndAbsent(error)) return noCurrentFolder(error);
  if (error instanceof ChestMnistError) return error;
  const { code = '', syscall = '', path, message } = (error ?? {}) as NodeJS.ErrnoException;
  if (syscall === CURRENT_FOLDER) return noCurrentFolder(error);
  const refusal = refusalOf(error);
  if (refusal === undefined) return error;
  if (refusal.code === 'ERR_RESOURCES') {
    const found = `${refusal.what}${inBrackets(error)}${path === undefined ? '' : ` at ${path}`}`;
    return new ChestMnistError(
      refusal.code,
      { found, needed: refusal.needed, next: nextStep(refusal, AGAIN) },
      { cause: error },
    );
  }
  if (path === undefined && !WRITES.test(syscall)) return error;
  const place = path ?? 'the output';
  if (WRITES.test(syscall) || ONLY_WRITING.includes(code)) return writeError(error, place, AGAIN);
  const remedy = readRemedy(error);
  if (remedy === undefined) return error;
  const ours = refusal.code === 'ERR_DISK' ? 'ERR_DISK' : 'ERR_DATA_MISSING';
  return new ChestMnistError(ours, { found: `${place} cannot be opened (${message})`, ...remedy }, { cause: error });
}

/** The same for what a promise rejects with. */
export const explained = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    throw systemError(error);
  });

/** What is needed where the system does not let a file be read, and the next step; undefined for other errors. */
export function readRemedy(error: unknown): Pick<ErrorParts, 'needed' | 'next'> | undefined {
  const refusal = refusalOf(error);
  if (refusal === undefined) return undefined;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (Object.hasOwn(READING, code)) return { needed: READING[code][0], next: READING[code][1] };
  return ['ENOENT', 'ENOTDIR', 'EEXIST', 'EINVAL', 'EBUSY'].includes(code)
    ? undefined
    : { needed: refusal.needed, next: nextStep(refusal, AGAIN) };
}

/** Where reading needs something else than writing. */
const READING: Readonly<Record<string, readonly [needed: string, next: string]>> = {
  EACCES: ['permission to read it', 'allow this user to read it, and its folders'],
  EPERM: ['permission to read it', 'allow this user to read it, and its folders'],
  EISDIR: ['the path of a file', 'name a file in that folder'],
  ELOOP: ['a path that leads to a file', 'fix the links'],
};

function isRelativeAndAbsent(error: unknown): boolean {
  const { code, path } = ((error instanceof ChestMnistError ? error.cause : error) ?? {}) as NodeJS.ErrnoException;
  return code === 'ENOENT' && path !== undefined && !isAbsolute(path);
}

/**
 * Throws ERR_CONFIG when the current folder was removed. Relative paths lead nowhere then, and LibTorch ends the
 * process when it is loaded.
 */
export function checkCurrentFolder(): void {
  try {
    // Asks the system: process.cwd() may remember a folder that has gone.
    realpathSync.native('.');
  } catch (error) {
    throw noCurrentFolder(error);
  }
}

const noCurrentFolder = (cause: unknown): ChestMnistError =>
  new ChestMnistError(
    'ERR_CONFIG',
    {
      found: 'the current folder does not exist: it was removed or moved',
      needed: 'a current folder that exists',
      next: 'change to another folder, for example with cd ~, then run the same command again',
    },
    { cause },
  );

function nextStep({ repair, instead }: Refusal, next: NextStep): string {
  if (repair === undefined) return instead ?? 'choose another place';
  const here = next.then === undefined ? repair : `${repair}, then ${next.then}`;
  const elsewhere = instead && (next.instead ?? (next.then === undefined ? instead : undefined));
  return elsewhere === undefined ? here : `${here}, or ${elsewhere}`;
}

/** Runs `work`, which writes to `place`. An error of the system becomes ERR_DISK, ERR_OUTPUT or ERR_RESOURCES. */
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
