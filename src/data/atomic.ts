/**
 * Files that appear whole or not at all: written beside the destination, flushed to disk, renamed.
 */
import { randomBytes } from 'node:crypto';
import { fsync } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ChestMnistError } from '../errors';

/** Gives `write` a handle of a temporary file that becomes `path` when it resolves; folders are made. ERR_CONFIG when the place cannot be written. */
export async function writeAtomically(path: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const destination = resolve(path);
  const temporary = `${destination}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await mkdir(dirname(destination), { recursive: true });
    const handle = await open(temporary, 'wx');
    try {
      await write(handle);
      await flush(handle);
    } finally {
      await handle.close();
    }
    await rename(temporary, destination);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    if (cause instanceof ChestMnistError) throw cause;
    throw new ChestMnistError(
      'ERR_CONFIG',
      {
        found: `${destination} cannot be written (${cause instanceof Error ? cause.message : String(cause)})`,
        needed: 'a folder that can be written, with room for the file',
        next: 'choose another path',
      },
      { cause },
    );
  }
}

/** Appends chunks one by one: the file system of Yarn's Plug'n'Play takes no iterable. */
export async function writeChunks(
  handle: FileHandle,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  for await (const chunk of chunks) await handle.writeFile(chunk);
}

/** Waits until the file is on the disk; by its descriptor, since handles of Yarn's Plug'n'Play have no sync(). */
export const flush = (handle: FileHandle): Promise<void> => promisify(fsync)(handle.fd);
