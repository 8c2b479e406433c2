/**
 * Occlusion: how much a logit falls when a square of the image is covered by the image's mean (Zeiler and Fergus 2014,
 * "Visualizing and Understanding Convolutional Networks"). It needs nothing of the network but its logits.
 */

/** Side of the square and distance between two of them, as parts of the side of the image: 6 and 2 of 28 pixels. */
const SQUARE = 6 / 28;
const STEP = 2 / 28;

/** Where squares stand along an axis; the same when the image is flipped. */
export interface Squares {
  side: number;
  /** First pixel of each, from 0 to the last place where one fits. */
  starts: number[];
}

export function squaresOf(side: number): Squares {
  const square = Math.max(1, Math.round(side * SQUARE));
  const last = side - square;
  const steps = Math.max(1, Math.round(last / Math.max(1, Math.round(side * STEP))));
  const half = (i: number): number => Math.round((i * last) / steps);
  // The second half mirrors the first, so that rounding does not move it.
  const starts = Array.from({ length: steps + 1 }, (_, i) => (2 * i <= steps ? half(i) : last - half(steps - i)));
  return { side: square, starts };
}

/** The image itself, then a copy for each square, row by row: uint8 [1 + n * n, side, side, channels]. */
export function occluded(image: Uint8Array, side: number, channels: number, squares: Squares): Uint8Array {
  const { starts } = squares;
  const result = new Uint8Array(image.length * (1 + starts.length ** 2));
  const mean = meanOf(image, channels);
  result.set(image);
  let at = image.length;
  for (const top of starts) {
    for (const left of starts) {
      result.set(image, at);
      for (let y = top; y < top + squares.side; y++) {
        for (let x = left; x < left + squares.side; x++) result.set(mean, at + (y * side + x) * channels);
      }
      at += image.length;
    }
  }
  return result;
}

/** The mean of each channel, as a pixel. */
function meanOf(image: Uint8Array, channels: number): Uint8Array {
  return Uint8Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let i = c; i < image.length; i += channels) sum += image[i];
    return Math.round((sum * channels) / image.length);
  });
}

/** From the log-odds of occluded's images, [1 + n * n, labels]: for each label the fall of its own, [n, n]. */
export function falls(odds: ArrayLike<number>, labelCount: number): Float32Array[] {
  const cells = odds.length / labelCount - 1;
  return Array.from({ length: labelCount }, (_, label) =>
    Float32Array.from({ length: cells }, (_, cell) => odds[label] - odds[(cell + 1) * labelCount + label]),
  );
}
