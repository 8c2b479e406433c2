/** One picture as an import keeps it: its pixels, and what tells it from others. Runs in a worker (worker.ts). */
import { createHash } from 'node:crypto';
import { hashFile } from '../base/checksum';
import { decodeAll } from '../data/pictures/decode';
import { dicomPatient } from '../data/pictures/dicom/patient';
import type { VoiWindow } from '../data/pictures/options';
import { corrupt, type Note } from '../data/pictures/picture';
import { prepare, type Preparation, type Prepared } from '../data/pictures/prepare';
import { resize } from '../data/pictures/resize';

export interface Preparing extends Preparation {
  readonly window: VoiWindow | undefined;
  /** Whether the file tells its patient. */
  readonly isByDicom: boolean;
}

export interface Facts {
  /** SHA-256 of the file. */
  readonly sha256: string;
  /** SHA-256 of the prepared pixels, so that copies in two formats or sizes are equal where they look so to a network. */
  readonly pixels: string;
  /** 64 bits in hex: whether each of 8 x 8 parts is darker than its right neighbour. */
  readonly look: string;
  /** Of a DICOM file, hashed. */
  readonly patient?: string;
  readonly notes: readonly Note[];
}

/** Throws ERR_DATA_MISSING, ERR_DATA_CORRUPT or ERR_DATA_SHAPE. */
export async function readPicture(
  file: string,
  { window, isByDicom, salt, ...preparation }: Preparing & { readonly salt: string },
): Promise<Facts & { prepared: Uint8Array }> {
  let result: Prepared | undefined;
  let bytes: Buffer | undefined;
  for await (const { picture } of decodeAll(file, { window, onBytes: (all) => (bytes = all) })) {
    if (result !== undefined) throw corrupt(file, 'holds several pictures', { needed: 'one picture in a file' });
    const { pixels, notes } = prepare(picture, preparation);
    result = { pixels, notes: [...picture.notes, ...notes] };
  }
  if (result === undefined) throw corrupt(file, 'has no picture');
  const { pixels, notes } = result;
  return {
    sha256: bytes === undefined ? await hashFile(file, 'sha256') : sha256(bytes),
    pixels: sha256(pixels),
    look: lookOf(pixels, preparation.size),
    ...(isByDicom && { patient: hashedPatient(await dicomPatient(file, bytes ?? Buffer.alloc(0)), salt) }),
    notes,
    prepared: pixels,
  };
}

/** A name that nobody can turn back once the salt is forgotten. */
export const hashedPatient = (name: string, salt: string): string => sha256(`${salt}\0${name}`);

const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** The difference hash of a gray square. */
function lookOf(pixels: Uint8Array, size: number): string {
  const small = resize(pixels, [size, size], [8, 9]);
  let bits = '';
  for (let y = 0; y < 8; y++) {
    let row = 0;
    for (let x = 0; x < 8; x++) row = row * 2 + Number(small[y * 9 + x] < small[y * 9 + x + 1]);
    bits += row.toString(16).padStart(2, '0');
  }
  return bits;
}
