/**
 * Opening what a user named as an input, so that nothing waits for ever: opening a named pipe that nobody writes to would
 * block, and a device may have no end. Not here: what the bytes mean.
 */
import { constants } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { kindOf } from './entry';

/** Windows does not know the flag, nor such pipes. */
const WITHOUT_WAITING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** Opens a regular file, for what is read at positions. Rejects with the system's error, or says what stands there. */
export async function openRegular(file: string): Promise<FileHandle> {
  const facts = await stat(file);
  if (facts.isFile()) return open(file, WITHOUT_WAITING);
  const instead = facts.isDirectory() ? 'a file is needed' : 'save it as a file first';
  throw new Error(`it is ${kindOf(facts)}: ${instead}`);
}

/** A pipe may hold at most this many bytes. */
const MOST = 2 ** 28;
/** How long the writer of a pipe may be silent. */
const PATIENCE_MS = 30_000;

/** The bytes of a regular file, or of a pipe that has a writer, such as `<(...)` and /dev/stdin. Rejects as above. */
export async function readInput(file: string): Promise<Buffer> {
  const facts = await stat(file);
  if (!facts.isFile() && !facts.isFIFO()) throw new Error(`it is ${kindOf(facts)}, not a file`);
  const handle = await open(file, WITHOUT_WAITING);
  try {
    return facts.isFile() ? await handle.readFile() : await drain(handle);
  } finally {
    await handle.close();
  }
}

async function drain(handle: FileHandle): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for (let heard = Date.now(); ;) {
    const piece = Buffer.alloc(1 << 16);
    const read = await handle.read(piece, 0, piece.length, null).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EAGAIN') throw error;
      return undefined; // its writer has not written yet
    });
    if (read?.bytesRead === 0) break;
    if (read) {
      pieces.push(piece.subarray(0, read.bytesRead));
      length += read.bytesRead;
      heard = Date.now();
      if (length > MOST) throw new Error(`more than ${MOST} bytes come through the pipe`);
    } else if (Date.now() - heard > PATIENCE_MS) {
      throw new Error(`nothing has come through the pipe for ${PATIENCE_MS / 1000} s`);
    } else await sleep(10);
  }
  if (length === 0) throw new Error('it is a pipe, and nothing writes to it');
  return Buffer.concat(pieces);
}
