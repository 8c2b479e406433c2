/**
 * Files that appear whole or not at all: written to a temporary file in the same folder, flushed to disk, renamed. The
 * folder is flushed too, so that a written file survives even a power failure.
 */
import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { fsync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { chmod, lstat, mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { readRemedy, writeError } from './disk';
import { isAbsent } from './entry';
import { ChestMnistError } from './errors';
import { readInput } from './input';

/** The names of temporary files. A process that is killed while it writes leaves one behind. */
export const TEMPORARY = /\.[0-9a-f]{8}\.tmp$/;

/**
 * Calls `write` with a handle of a temporary file, which becomes `path` when `write` resolves, with the permissions of
 * the file that it replaces. Missing folders are created. The previous file is kept at `former`, if given. Throws
 * ERR_DISK or ERR_OUTPUT when the place cannot be written.
 */
export async function writeAtomically(
  path: string,
  write: (handle: FileHandle) => Promise<void>,
  { former }: { former?: string } = {},
): Promise<void> {
  const destination = resolve(path);
  // Shortened, so that the temporary name fits even when the name has the maximum length.
  const stem = basename(destination).slice(0, 60);
  const temporary = join(dirname(destination), `${stem}.${randomBytes(4).toString('hex')}.tmp`);
  try {
    await mkdir(dirname(destination), { recursive: true });
    const handle = await open(temporary, 'wx');
    try {
      await write(handle);
      await flush(handle);
    } finally {
      await handle.close();
    }
    const replaced = await lstat(destination).catch(() => undefined);
    if (replaced?.isFile()) await chmod(temporary, replaced.mode & 0o777);
    if (former !== undefined) {
      await rename(destination, former).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
    await rename(temporary, destination);
    await flushFolder(dirname(destination));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw writeError(error, destination);
  }
}

/** Text without waiting, for a process that exits: nothing is flushed, and a failure changes nothing. */
export function writeNow(file: string, text: string): void {
  const temporary = `${file}.${process.pid.toString(16).padStart(8, '0')}.tmp`;
  try {
    writeFileSync(temporary, text, { flag: 'wx' });
    renameSync(temporary, file);
  } catch {
    rmSync(temporary, { force: true });
  }
}

/** Best effort: Windows cannot open a folder, and some file systems cannot flush one. */
async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  if (!handle) return;
  await flush(handle).catch(() => undefined);
  await handle.close();
}

/** Appends chunks one by one: the file system of Yarn's Plug'n'Play does not accept an iterable. */
export async function writeChunks(
  handle: FileHandle,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  for await (const chunk of chunks) await handle.writeFile(chunk);
}

/** Waits until the file is on disk. Uses the descriptor, since handles of Yarn's Plug'n'Play have no sync(). */
export const flush = (handle: FileHandle): Promise<void> => promisify(fsync)(handle.fd);

/** Whether a file or folder exists at this path. Rejects with the system's error where it does not let itself be known. */
export async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error: unknown) => {
      if (isAbsent(error)) return false;
      throw error;
    },
  );
}

/**
 * The UTF-8 text of a file, without its byte-order mark; undefined when the file does not exist. `refuse` makes the error
 * when it cannot be read.
 */
export async function readText(
  file: string,
  refuse: (what: string, cause?: unknown) => ChestMnistError,
): Promise<string | undefined> {
  let bytes;
  try {
    bytes = await readInput(file);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    const error = refuse(`cannot be read (${message})`, cause);
    // Permissions, links and limits have a remedy of their own, whatever the file is.
    throw new ChestMnistError(error.code, { ...ChestMnistError.inFlags(error), ...readRemedy(cause) }, { cause });
  }
  const foreign = isUtf8(bytes) ? undefined : 'is not UTF-8 text';
  const what = isUtf16(bytes) ? 'is UTF-16 text' : foreign;
  if (what === undefined) return bytes.toString('utf8').replace(/^\ufeff/, '');
  const parts = { ...ChestMnistError.inFlags(refuse(what)), needed: 'UTF-8 text', next: 'save the file as UTF-8' };
  throw new ChestMnistError(refuse(what).code, parts);
}

/** By its byte-order mark, or by the empty half of its first character. */
const isUtf16 = ([first, second]: Buffer): boolean =>
  (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff) || first === 0 || second === 0;
