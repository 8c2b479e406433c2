/**
 * Checksums of files, read in pieces so that memory stays small and the event loop is not blocked.
 */
import { createHash } from 'node:crypto';
import { openRegular } from './input';

const PIECE_BYTES = 1 << 19;

/** Hex digest of a file. Rejects with the file system's error, or with the signal's reason when it is aborted. */
export async function hashFile(path: string, algorithm: 'md5' | 'sha256', signal?: AbortSignal): Promise<string> {
  const hash = createHash(algorithm);
  const file = await openRegular(path);
  try {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(piece.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
