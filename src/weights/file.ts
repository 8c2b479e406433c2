/**
 * Bounded reading of a weight file: it allocates at most the size of the file, and opens only regular files (a pipe
 * would block forever). Writing is in base/atomic.ts.
 */
import type { FileHandle } from 'node:fs/promises';
import { ChestMnistError } from '../base/errors';
import { openRegular } from '../base/input';
import { reasonOf, weightsError } from './errors';
import { MAX_BYTES } from './tensor';

/**
 * Opens `file` and passes its handle and size in bytes to `use`. ERR_CONFIG when it cannot be opened or is not a
 * regular file; ERR_WEIGHTS when it is larger than 1 GiB.
 */
export async function withFile<T>(file: string, use: (handle: FileHandle, size: number) => Promise<T>): Promise<T> {
  const handle = await openWeights(file);
  try {
    const { size } = await handle.stat();
    if (size > MAX_BYTES) {
      throw weightsError({
        found: `${file} has ${size} bytes`,
        needed: `at most ${MAX_BYTES} bytes: a resnet18 state dict has about 45 million`,
        next: 'save only the state dict of the model, without optimizer state',
      });
    }
    return await use(handle, size);
  } finally {
    await handle.close();
  }
}

async function openWeights(file: string): Promise<FileHandle> {
  try {
    return await openRegular(file);
  } catch (error) {
    throw new ChestMnistError(
      'ERR_CONFIG',
      {
        found: `cannot read weights from ${file}: ${reasonOf(error)}`,
        needed: 'a readable .safetensors or .pth file',
        next: 'check the path',
      },
      { cause: error },
    );
  }
}

/** `length` bytes from `position`, as a new array; shorter when the file ends earlier. */
export async function readBytes(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}
