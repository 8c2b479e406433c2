/**
 * NumPy .npz files: named arrays in a zip. Reading checks every header before it allocates memory, and inflates off the
 * event loop straight into the array; writing is atomic. Not here: what the arrays mean (data/medmnist.ts).
 */
import { totalmem } from 'node:os';
import { ChestMnistError } from './errors';
import {
  checkText,
  dtypeOf,
  DTYPES,
  elementsOf,
  formatNpyHeader,
  MAX_HEADER_BYTES,
  parseNpyHeader,
  type NpyData,
  type NpyHeader,
} from './npy';
import { corrupt, openZip, type ZipArchive } from './zip';
import { writeZip } from './zip-writer';

export interface NpyArray {
  /** NumPy's dtype string: `|b1 |u1 |i1 <u2 <i2 <u4 <i4 <u8 <i8 <f2 <f4 <f8`. */
  readonly dtype: string;
  readonly shape: number[];
  /** Of the elements in `data`: false for all that readNpz returns. */
  readonly fortranOrder: boolean;
  /**
   * The elements in C order; `|b1` as Uint8Array, `<f2` as Float32Array, 64-bit integers as Float64Array (beyond
   * 2^53 refused).
   */
  readonly data: NpyData;
}

export interface ReadNpzOptions {
  /** Read only these. A key that is not in the file is absent from the result. Default: all. */
  keys?: readonly string[];
  /** Called with all headers before any array is allocated; throw to refuse the file. */
  check?: (headers: ReadonlyMap<string, NpyHeader>) => void;
}

/**
 * Reads the arrays of an .npz file, in the file's order. Throws ERR_DATA_MISSING (no such file), ERR_DATA_CORRUPT (not
 * an npz, truncated, wrong CRC, wrong sizes), ERR_DATA_SHAPE (object arrays, big-endian, other dtypes).
 */
export async function readNpz(path: string, options: ReadNpzOptions = {}): Promise<Map<string, NpyArray>> {
  const zip = await openZip(path);
  try {
    const keys = keysOf(zip).filter((key) => options.keys?.includes(key) ?? true);
    const headers = new Map<string, NpyHeader>();
    for (const key of keys) headers.set(key, await readHeader(zip, key, path));
    options.check?.(headers);
    checkMemory(headers, path);
    // Waits for all reads, so that none is running when the file is closed.
    const arrays = await Promise.allSettled(
      [...headers].map(async ([key, header]) => [key, await readArray(zip, key, header, path)] as const),
    );
    return new Map(
      arrays.map((result) => {
        if (result.status === 'rejected') throw result.reason;
        return result.value;
      }),
    );
  } finally {
    await zip.close();
  }
}

/** The names of the arrays of an .npz file, in the file's order. */
export async function npzKeys(path: string): Promise<string[]> {
  const zip = await openZip(path);
  await zip.close();
  return keysOf(zip);
}

/** Longest array of text that is read: names, not books. */
const MAX_TEXT_BYTES = 1 << 22;

/**
 * The entries of an array of text [N], as numpy.array(names) writes it; undefined when the file has no such array. Errors
 * as readNpz.
 */
export async function readNpzTexts(path: string, key: string): Promise<string[] | undefined> {
  const zip = await openZip(path);
  try {
    const name = `${key}.npy`;
    const size = zip.entries.find((entry) => entry.name === name)?.uncompressedSize;
    if (size === undefined) return undefined;
    const header = parseNpyHeader(await zip.head(name, MAX_HEADER_BYTES), key, path, checkText);
    const width = Number(header.dtype.slice(2));
    const length = header.length * width;
    if (header.shape.length !== 1 || length * 4 > MAX_TEXT_BYTES || size !== header.dataOffset + length * 4)
      throw corrupt(
        path,
        `array ${key} has ${size} bytes for ${header.dtype} [${header.shape.join(', ')}]`,
        'one row of names',
      );
    const bytes = new Uint8Array(length * 4);
    await zip.readInto(name, header.dataOffset, bytes);
    const characters = new Uint32Array(bytes.buffer);
    if (characters.some((character) => character > 0x10ffff))
      throw corrupt(path, `array ${key} holds no text`, 'names');
    return Array.from({ length: header.length }, (_, i) =>
      String.fromCodePoint(...characters.subarray(i * width, (i + 1) * width)).replace(/\0+$/, ''),
    );
  } finally {
    await zip.close();
  }
}

const keysOf = (zip: ZipArchive): string[] =>
  zip.entries.filter(({ name }) => name.endsWith('.npy')).map(({ name }) => name.slice(0, -4));

async function readHeader(zip: ZipArchive, key: string, path: string): Promise<NpyHeader> {
  const name = `${key}.npy`;
  const header = parseNpyHeader(await zip.head(name, MAX_HEADER_BYTES), key, path);
  const needed = header.dataOffset + header.length * DTYPES[header.dtype].bytes;
  const size = zip.entries.find((entry) => entry.name === name)?.uncompressedSize;
  if (size !== needed) {
    const found = `array ${key} has ${size} bytes for ${header.dtype} [${header.shape.join(', ')}]`;
    throw corrupt(path, found, `${needed} bytes`);
  }
  return header;
}

/** A small, valid file can hold an all-zero array of terabytes. */
function checkMemory(headers: ReadonlyMap<string, NpyHeader>, path: string): void {
  let bytes = 0;
  for (const { dtype, length } of headers.values()) bytes += length * DTYPES[dtype].bytes;
  if (bytes <= totalmem()) return;
  throw new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${path}: its arrays need ${bytes} bytes`,
    needed: `at most this machine's memory, ${totalmem()} bytes`,
    next: 'check that this is the right file, or split it',
  });
}

async function readArray(zip: ZipArchive, key: string, header: NpyHeader, path: string): Promise<NpyArray> {
  const { dtype, shape, dataOffset, length } = header;
  const bytes = allocate(length * DTYPES[dtype].bytes, key, path);
  await zip.readInto(`${key}.npy`, dataOffset, bytes);
  return { dtype, shape, fortranOrder: false, data: elementsOf(header, bytes, key, path) };
}

function allocate(bytes: number, key: string, path: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new ChestMnistError(
      'ERR_DATA_SHAPE',
      {
        found: `${path}: array ${key} needs ${bytes} bytes, which this Node cannot allocate`,
        needed: 'a smaller array or more memory',
        next: 'close other programs, or store fewer rows',
      },
      { cause },
    );
  }
}

/** Numbers; texts, which NumPy reads as `<U`; or bytes in pieces, of which one at a time is held. */
type WritableData =
  | Uint8Array
  | Float32Array
  | Float64Array
  | Int32Array
  | readonly string[]
  | { readonly bytes: AsyncIterable<Uint8Array> };

const isTexts = (data: WritableData): data is readonly string[] => Array.isArray(data);

/** Texts as NumPy's `<U`: each of the length of the longest, in code points of four bytes. */
function ucs4(texts: readonly string[]): { dtype: string; elements: Uint32Array } {
  const points = texts.map((text) => Array.from(text, (character) => character.codePointAt(0)!));
  const length = points.reduce((most, { length }) => Math.max(most, length), 1);
  const elements = new Uint32Array(texts.length * length);
  points.forEach((text, i) => elements.set(text, i * length));
  return { dtype: `<U${length}`, elements };
}

/**
 * Writes arrays (C order) as an .npz file that `numpy.load` reads; deflated with `compress`, else stored. Atomic: the
 * file appears whole or not at all. Throws ERR_DATA_SHAPE when a shape and its data disagree, ERR_CONFIG beyond 4 GiB.
 */
export async function writeNpz(
  path: string,
  entries: Record<string, { shape: readonly number[]; data: WritableData }>,
  options: { compress?: boolean } = {},
): Promise<void> {
  const files = Object.entries(entries).map(([key, { shape, data }]) => {
    const name = `${key}.npy`;
    if ('bytes' in data) return { name, parts: streamed(key, shape, data.bytes) };
    checkLength(key, shape, data.length);
    const { dtype, elements } = isTexts(data) ? ucs4(data) : { dtype: dtypeOf(data), elements: data };
    const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
    return { name, parts: [formatNpyHeader(dtype, shape), bytes] };
  });
  await writeZip(path, files, options);
}

function checkLength(key: string, shape: readonly number[], found: number): void {
  const length = shape.reduce((product, n) => product * n, 1);
  if (length === found) return;
  throw new ChestMnistError('ERR_DATA_SHAPE', {
    found: `array ${key} has ${found} elements for shape [${shape.join(', ')}]`,
    needed: `${length} elements`,
    next: 'pass the shape of the array',
  });
}

/** An array of uint8 whose pieces come as they are written. */
async function* streamed(
  key: string,
  shape: readonly number[],
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield formatNpyHeader('|u1', shape);
  let length = 0;
  for await (const piece of pieces) {
    length += piece.length;
    yield piece;
  }
  checkLength(key, shape, length);
}
