/** A decoded picture, what was done to it, and the errors of files that are none. Not here: how each kind is decoded. */
import { ChestMnistError } from '../../base/errors';

/** Something that was decided for a picture and that its owner should know. */
export interface Note {
  /** Notes of one kind are printed once, however many pictures they are about. */
  readonly kind: string;
  /** What was done, e.g. `is not square; the central square is kept`. The name of the picture goes before it. */
  readonly text: string;
}

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Gray, or red, green and blue. */
  readonly channels: 1 | 3;
  /** [height, width, channels] row-major, from 0, black, to 2^depth - 1. */
  readonly samples: Uint8Array | Uint16Array;
  /** Bits of a sample that mean something: 8 for a Uint8Array. */
  readonly depth: number;
  readonly notes: readonly Note[];
}

/** Larger pictures are refused before they are decoded. A radiograph has 20 million pixels at most. */
const MAX_PIXELS = 100_000_000;
/** A line of pixels would be made square. */
const MAX_SIDE = 20_000;

/** Throws ERR_DATA_CORRUPT for a picture without pixels, or with too many to be one. */
export function checkSize(file: string, width: number, height: number): void {
  if (!(width > 0 && height > 0)) throw corrupt(file, `has no pixels: it is ${width}x${height}`);
  if (width * height <= MAX_PIXELS && Math.max(width, height) <= MAX_SIDE) return;
  const most = width * height > MAX_PIXELS ? `${MAX_PIXELS / 1e6} million` : `${MAX_SIDE} on a side`;
  throw corrupt(file, `declares ${width}x${height} pixels, more than ${most}`, {
    needed: 'a picture of a size that can be decoded',
    next: 'make it smaller',
  });
}

/** ERR_DATA_CORRUPT: `file` and what is wrong with it. */
export const corrupt = (
  file: string,
  what: string,
  { needed = 'an intact picture', next = 'export the picture again', cause }: Partial<Refusal> = {},
): ChestMnistError => new ChestMnistError('ERR_DATA_CORRUPT', { found: `${file} ${what}`, needed, next }, { cause });

interface Refusal {
  needed: string;
  next: string;
  cause: unknown;
}

/**
 * The bits that the values of a 16-bit picture use: 8, 10, 12, 14 or 16. Detectors have such depths, and many programs
 * write their values as they are.
 */
export function depthIn(samples: Uint16Array): number {
  let highest = 0;
  for (let i = 0; i < samples.length; i++) if (samples[i] > highest) highest = samples[i];
  return [8, 10, 12, 14].find((depth) => highest < 2 ** depth) ?? 16;
}

/** The note about a 16-bit picture whose depth was taken from its values. */
export const depthNote = (depth: number): Note => ({
  kind: `depth ${depth}`,
  text:
    depth === 16
      ? 'has 16 bits: 0 to 65535 become black to white'
      : `has 16 bits, and its highest value needs ${depth}: 0 to ${2 ** depth - 1} become black to white`,
});
