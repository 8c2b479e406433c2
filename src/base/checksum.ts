/**
 * Checksums of files, read in pieces so that memory stays small and the event loop is not blocked.
 */
import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { openRegular } from './input';

/** Hex digest of a file. Rejects with the file system's error, or with the signal's reason when it is aborted. */
export async function hashFile(path: string, algorithm: 'md5' | 'sha256', signal?: AbortSignal): Promise<string> {
  const hash = createHash(algorithm);
  const file = await openRegular(path);
  await pipeline(file.createReadStream({ highWaterMark: 1 << 19 }), hash, { signal });
  return hash.digest('hex');
}
