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

/** Eight rows at a time share each weight: this is where the time goes, and it halves it. */
function alongRows(given: Uint8Array, height: number, width: number, toWidth: number): Uint8Array {
  const { starts, counts, weights, taps } = windowOf(width, toWidth);
  const pixels = height < 8 ? new Uint8Array(8 * width) : given;
  if (height < 8) pixels.set(given);
  const result = new Uint8Array(Math.max(8, height) * toWidth);
  const half = 1 << (PRECISION - 1);
  for (let y = 0; y < height; y += 8) {
    // The last eight overlap those before them where fewer are left.
    const top = Math.max(0, Math.min(y, height - 8));
    for (let x = 0; x < toWidth; x++) {
      const end = x * taps + counts[x];
      let [a, b, c, d, e, f, g, h] = [half, half, half, half, half, half, half, half];
      for (let k = x * taps, at = top * width + starts[x]; k < end; k++, at++) {
        const weight = weights[k];
        a = (a + Math.imul(pixels[at], weight)) | 0;
        b = (b + Math.imul(pixels[at + width], weight)) | 0;
        c = (c + Math.imul(pixels[at + 2 * width], weight)) | 0;
        d = (d + Math.imul(pixels[at + 3 * width], weight)) | 0;
        e = (e + Math.imul(pixels[at + 4 * width], weight)) | 0;
        f = (f + Math.imul(pixels[at + 5 * width], weight)) | 0;
        g = (g + Math.imul(pixels[at + 6 * width], weight)) | 0;
        h = (h + Math.imul(pixels[at + 7 * width], weight)) | 0;
      }
      const to = top * toWidth + x;
      result[to] = byteOf(a);
      result[to + toWidth] = byteOf(b);
      result[to + 2 * toWidth] = byteOf(c);
      result[to + 3 * toWidth] = byteOf(d);
      result[to + 4 * toWidth] = byteOf(e);
      result[to + 5 * toWidth] = byteOf(f);
      result[to + 6 * toWidth] = byteOf(g);
      result[to + 7 * toWidth] = byteOf(h);
    }
  }
  return result.subarray(0, height * toWidth);
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
