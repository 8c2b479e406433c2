/**
 * Pillow's bicubic resizing with antialiasing, to the bit: the same weights in the same fixed point, rows before columns,
 * rounded to bytes in between. ChestMNIST's pictures were made so. Source: Pillow, src/libImaging/Resample.c.
 */

/** Of a weight after the point: a byte times a weight, summed with overshoot, fits 32 bits. */
const PRECISION = 22;

/** For each new position: where its old ones begin, and their weights. */
interface Window {
  readonly starts: Int32Array;
  /** Old positions under each new one. */
  readonly counts: Int32Array;
  /** [new positions, taps] row-major. */
  readonly weights: Int32Array;
  readonly taps: number;
}

/** Resizes one channel [height, width] uint8 to [toHeight, toWidth]. The same size gives the same array. */
export function resize(
  pixels: Uint8Array,
  [height, width]: readonly [height: number, width: number],
  [toHeight, toWidth]: readonly [height: number, width: number],
): Uint8Array {
  const rows = width === toWidth ? pixels : alongRows(pixels, height, width, toWidth);
  return height === toHeight ? rows : alongColumns(rows, height, toWidth, toHeight);
}

function alongRows(pixels: Uint8Array, height: number, width: number, toWidth: number): Uint8Array {
  const { starts, counts, weights, taps } = windowOf(width, toWidth);
  const result = new Uint8Array(height * toWidth);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < toWidth; x++) {
      const from = y * width + starts[x];
      const count = counts[x];
      const base = x * taps;
      let sum = 1 << (PRECISION - 1);
      for (let k = 0; k < count; k++) sum = (sum + pixels[from + k] * weights[base + k]) | 0;
      result[y * toWidth + x] = byteOf(sum);
    }
  }
  return result;
}

function alongColumns(pixels: Uint8Array, height: number, width: number, toHeight: number): Uint8Array {
  const { starts, counts, weights, taps } = windowOf(height, toHeight);
  const result = new Uint8Array(toHeight * width);
  const sums = new Int32Array(width);
  for (let y = 0; y < toHeight; y++) {
    sums.fill(1 << (PRECISION - 1));
    for (let k = 0; k < counts[y]; k++) {
      const from = (starts[y] + k) * width;
      const weight = weights[y * taps + k];
      for (let x = 0; x < width; x++) sums[x] += pixels[from + x] * weight;
    }
    for (let x = 0; x < width; x++) result[y * width + x] = byteOf(sums[x]);
  }
  return result;
}

const byteOf = (sum: number): number => Math.min(255, Math.max(0, sum >> PRECISION));

function windowOf(size: number, toSize: number): Window {
  const scale = size / toSize;
  const stretch = Math.max(scale, 1);
  const support = 2 * stretch;
  const taps = Math.ceil(support) * 2 + 1;
  const [starts, counts] = [new Int32Array(toSize), new Int32Array(toSize)];
  const weights = new Int32Array(toSize * taps);
  for (let i = 0; i < toSize; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(size, Math.trunc(center + support + 0.5)) - start;
    const exact = Array.from({ length: count }, (_, k) => bicubic((k + start - center + 0.5) / stretch));
    const total = exact.reduce((sum, weight) => sum + weight, 0);
    exact.forEach((weight, k) => {
      const fixed = (weight / total) * 2 ** PRECISION;
      weights[i * taps + k] = Math.trunc(fixed + (fixed < 0 ? -0.5 : 0.5));
    });
    [starts[i], counts[i]] = [start, count];
  }
  return { starts, counts, weights, taps };
}

/** Keys' cubic with a = -0.5. */
function bicubic(x: number): number {
  const a = -0.5;
  const distance = Math.abs(x);
  if (distance < 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  if (distance < 2) return (((distance - 5) * distance + 8) * distance - 4) * a;
  return 0;
}
