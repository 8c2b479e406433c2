/**
 * A picture as a network takes it: 8 bits, gray or RGB, a square of one size. The order is Pillow's where a picture is
 * converted, cropped and resized. Not here: decoding (decode.ts).
 */
import type { Fit } from './options';
import type { Note, Picture } from './picture';
import { resize } from './resize';

export interface Preparation {
  /** Pixels of each side of the result. */
  readonly size: number;
  readonly fit: Fit;
  /** 1 for gray, by ITU-R BT.601 as in Pillow; 3 for RGB, three equal channels where the picture is gray. */
  readonly channels: 1 | 3;
}

export interface Prepared {
  /** [size, size, channels] uint8. */
  readonly pixels: Uint8Array;
  readonly notes: readonly Note[];
}

const FITTED: Readonly<Record<Fit, string>> = {
  crop: 'only its central square is used',
  pad: 'black bars make it square',
  stretch: 'it is stretched to a square',
};

export function prepare(picture: Picture, { size, fit, channels }: Preparation): Prepared {
  const { width, height } = picture;
  const bytes = bytesOf(picture);
  const planes =
    channels === 1 ? [grayOf(bytes, picture)] : [0, 1, 2].map((channel) => planeOf(bytes, picture, channel));
  const squares = planes.map((plane) => {
    const [fitted, shape] = fitting(plane, [height, width], fit);
    return resize(fitted, shape, [size, size]);
  });
  const notes =
    width === height ? [] : [{ kind: 'square', text: `is not square (${width}x${height}): ${FITTED[fit]}` }];
  if (channels === 1) return { pixels: squares[0], notes };
  const pixels = new Uint8Array(size * size * 3);
  squares.forEach((square, c) => square.forEach((value, i) => (pixels[i * 3 + c] = value)));
  return { pixels, notes };
}

/** The samples in 8 bits. */
function bytesOf({ samples, depth }: Picture): Uint8Array {
  if (samples.BYTES_PER_ELEMENT === 1) return samples as Uint8Array;
  const most = 2 ** depth - 1;
  const table = Uint8Array.from({ length: most + 1 }, (_, value) => Math.round((value * 255) / most));
  const bytes = new Uint8Array(samples.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = table[samples[i]];
  return bytes;
}

/** One channel; a gray picture has one for all. */
function planeOf(bytes: Uint8Array, { channels }: Picture, channel: number): Uint8Array {
  if (channels === 1) return bytes;
  const plane = new Uint8Array(bytes.length / channels);
  for (let i = 0; i < plane.length; i++) plane[i] = bytes[i * channels + channel];
  return plane;
}

function grayOf(bytes: Uint8Array, { channels }: Picture): Uint8Array {
  if (channels === 1) return bytes;
  const gray = new Uint8Array(bytes.length / 3);
  for (let i = 0, at = 0; i < gray.length; i++, at += 3) {
    gray[i] = (19595 * bytes[at] + 38470 * bytes[at + 1] + 7471 * bytes[at + 2] + 0x8000) >> 16;
  }
  return gray;
}

/** The part of a channel that is resized to the square, and its shape. */
function fitting(
  plane: Uint8Array,
  [height, width]: readonly [number, number],
  fit: Fit,
): [plane: Uint8Array, shape: [height: number, width: number]] {
  if (fit === 'stretch' || width === height) return [plane, [height, width]];
  const side = fit === 'crop' ? Math.min(width, height) : Math.max(width, height);
  const square = new Uint8Array(side * side);
  // Where the smaller of the two lies in the larger one.
  const left = Math.floor(Math.abs(width - side) / 2);
  const top = Math.floor(Math.abs(height - side) / 2);
  for (let y = 0; y < Math.min(height, side); y++) {
    if (fit === 'crop') {
      const from = (top + y) * width + left;
      square.set(plane.subarray(from, from + side), y * side);
    } else square.set(plane.subarray(y * width, (y + 1) * width), (top + y) * side + left);
  }
  return [square, [side, side]];
}
