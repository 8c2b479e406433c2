/** One picture as an import keeps it: its pixels, and what tells it from others. Runs in a worker (worker.ts). */
import { createHash } from 'node:crypto';
import { hashFile } from '../base/checksum';
import { decodeAll } from '../data/pictures/decode';
import type { VoiWindow } from '../data/pictures/options';
import { corrupt, type Note, type Picture } from '../data/pictures/picture';
import { prepare, type Preparation } from '../data/pictures/prepare';
import { resize } from '../data/pictures/resize';

export interface Preparing extends Preparation {
  readonly window?: VoiWindow;
}

export interface Facts {
  /** SHA-256 of the file. */
  readonly sha256: string;
  /** SHA-256 of the decoded pixels, so that copies in two formats are equal. */
  readonly pixels: string;
  /** 64 bits in hex: whether each of 8 x 8 parts is darker than its right neighbour. */
  readonly look: string;
  readonly notes: readonly Note[];
}

/** Throws ERR_DATA_MISSING, ERR_DATA_CORRUPT or ERR_DATA_SHAPE. */
export async function readPicture(file: string, preparing: Preparing): Promise<Facts & { prepared: Uint8Array }> {
  let result: (Omit<Facts, 'sha256'> & { prepared: Uint8Array }) | undefined;
  for await (const { picture } of decodeAll(file, { window: preparing.window })) {
    if (result !== undefined) throw corrupt(file, 'holds several pictures', { needed: 'one picture in a file' });
    const { pixels: prepared, notes } = prepare(picture, preparing);
    const pixels = hashOf(picture);
    result = { pixels, look: lookOf(prepared, preparing.size), notes: [...picture.notes, ...notes], prepared };
  }
  if (result === undefined) throw corrupt(file, 'has no picture');
  return { ...result, sha256: await hashFile(file, 'sha256') };
}

/** Gray that is stored as RGB is gray. */
function hashOf({ width, height, channels, samples }: Picture): string {
  let values = samples;
  if (channels === 3) {
    let isGray = true;
    for (let i = 0; isGray && i < samples.length; i += 3)
      isGray = samples[i] === samples[i + 1] && samples[i] === samples[i + 2];
    if (isGray) values = samples.filter((_, i) => i % 3 === 0);
  }
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return createHash('sha256').update(`${width}x${height} ${bytes.length} `).update(bytes).digest('hex');
}

/** The difference hash of a gray square. */
function lookOf(pixels: Uint8Array, size: number): string {
  const small = resize(pixels, [size, size], [8, 9]);
  let bits = 0n;
  for (let y = 0; y < 8; y++)
    for (let x = 0; x < 8; x++) bits = (bits << 1n) | BigInt(small[y * 9 + x] < small[y * 9 + x + 1]);
  return bits.toString(16).padStart(16, '0');
}
