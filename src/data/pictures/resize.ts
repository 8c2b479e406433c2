/**
 * Pillow's bicubic resizing with antialiasing, to the bit: the same weights in the same fixed point, rows before columns,
 * rounded to bytes in between. ChestMNIST's pictures were made so. Source: Pillow, src/libImaging/Resample.c.
 */
import { ROWS } from './rows';

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
  /** As rows.wat takes them. */
  readonly packed: Uint8Array;
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

/** Neither TypeScript's own library without a browser nor the types of Node have it. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

interface Rows {
  readonly memory: { readonly buffer: ArrayBuffer; readonly grow: (pages: number) => void };
  /** As rows.wat says. */
  readonly rows: (from: number, width: number, height: number, weights: number, toWidth: number, to: number) => void;
}
let rows: Rows | undefined;

/** Pixels that are in the memory of WebAssembly at a time, so that it does not grow with the picture. */
const AT_ONCE = 1 << 20;
/** Of a weight: those above are its high part. */
const LOW_BITS = 11;

/** Not by Buffer: pages of `export --format web` hold this file as it is. */
const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/** This is where the time goes: eight pixels at a time by WebAssembly, six times as fast as one by one. */
function alongRows(pixels: Uint8Array, height: number, width: number, toWidth: number): Uint8Array {
  rows ??= new WebAssembly.Instance(new WebAssembly.Module(fromBase64(ROWS))).exports as Rows;
  const { packed: weights } = windowOf(width, toWidth);
  const most = Math.min(height, Math.max(1, Math.floor(AT_ONCE / width)));
  const from = weights.byteLength;
  const to = from + most * width + 8;
  const missing = to + most * toWidth - rows.memory.buffer.byteLength;
  if (missing > 0) rows.memory.grow(Math.ceil(missing / 2 ** 16));
  const memory = new Uint8Array(rows.memory.buffer);
  memory.set(weights);
  const result = new Uint8Array(height * toWidth);
  for (let y = 0; y < height; y += most) {
    const count = Math.min(most, height - y);
    memory.set(pixels.subarray(y * width, (y + count) * width), from);
    rows.rows(from, width, count, 0, toWidth, to);
    result.set(memory.subarray(to, to + count * toWidth), y * toWidth);
  }
  return result;
}

/** The weights as rows.wat takes them: for each new position a start, a number of groups, and their weights in two parts. */
function pack({ starts, counts, weights, taps }: Omit<Window, 'packed'>): Uint8Array {
  const groups = counts.map((count) => Math.ceil(count / 8));
  const words = new Int16Array(groups.reduce((sum, count) => sum + 8 + 16 * count, 0));
  const heads = new Int32Array(words.buffer);
  let at = 0;
  starts.forEach((start, x) => {
    heads.set([start, groups[x]], at / 2);
    at += 8;
    for (let k = 0; k < counts[x]; k++) {
      const place = at + (k >> 3) * 16 + (k & 7);
      words[place] = weights[x * taps + k] & (2 ** LOW_BITS - 1);
      words[place + 8] = weights[x * taps + k] >> LOW_BITS;
    }
    at += 16 * groups[x];
  });
  return new Uint8Array(words.buffer);
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

/** Pictures of one source have one size, so that few are kept. */
const windows = new Map<string, Window>();
const MOST_WINDOWS = 8;
/** Larger ones are not kept. */
const MOST_KEPT = 1 << 14;

function windowOf(size: number, toSize: number): Window {
  const key = `${size} ${toSize}`;
  const known = windows.get(key);
  if (known) return known;
  const made = newWindow(size, toSize);
  if (windows.size === MOST_WINDOWS) windows.clear();
  if (size <= MOST_KEPT) windows.set(key, made);
  return made;
}

function newWindow(size: number, toSize: number): Window {
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
  const window = { starts, counts, weights, taps };
  return { ...window, packed: pack(window) };
}

/** Keys' cubic with a = -0.5. */
function bicubic(x: number): number {
  const a = -0.5;
  const distance = Math.abs(x);
  if (distance < 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  if (distance < 2) return (((distance - 5) * distance + 8) * distance - 4) * a;
  return 0;
}
