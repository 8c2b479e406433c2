/**
 * Reads and writes the .npy header: dtype, order and shape of one array. Parsing is strict and evaluates no Python.
 * Source: NEP 1 and numpy.lib.format, versions 1.0, 2.0 and 3.0.
 */
import { types } from 'node:util';
import { ChestMnistError } from './errors';
import { corrupt } from './zip';

/** Element types that can be read. 64-bit integers become Float64Array (beyond 2^53 refused), float16 Float32Array. */
export type NpyData =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

export interface NpyHeader {
  /** NumPy's dtype string, e.g. `|u1`, `<f4`. */
  readonly dtype: string;
  readonly shape: number[];
  /** Whether the elements are stored so that the first index moves fastest. */
  readonly fortranOrder: boolean;
  /** Offset of the first element in the file. */
  readonly dataOffset: number;
  /** Number of elements: the product of the shape. */
  readonly length: number;
}

interface Dtype {
  readonly bytes: number;
  /** Views little-endian bytes that start at offset 0 of `buffer`; null for 64-bit integers, which elementsOf converts. */
  readonly view: (buffer: ArrayBuffer) => NpyData | null;
}

/** By NumPy's dtype string. */
export const DTYPES: Readonly<Record<string, Dtype>> = {
  '|b1': { bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  '|u1': { bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  '|i1': { bytes: 1, view: (buffer) => new Int8Array(buffer) },
  '<u2': { bytes: 2, view: (buffer) => new Uint16Array(buffer) },
  '<i2': { bytes: 2, view: (buffer) => new Int16Array(buffer) },
  '<u4': { bytes: 4, view: (buffer) => new Uint32Array(buffer) },
  '<i4': { bytes: 4, view: (buffer) => new Int32Array(buffer) },
  '<u8': { bytes: 8, view: () => null },
  '<i8': { bytes: 8, view: () => null },
  '<f2': { bytes: 2, view: (buffer) => Float32Array.from(new Uint16Array(buffer), fromHalf) },
  '<f4': { bytes: 4, view: (buffer) => new Float32Array(buffer) },
  '<f8': { bytes: 8, view: (buffer) => new Float64Array(buffer) },
};

/** The value of a 16-bit float (IEEE 754) from its bits; a float32 holds it exactly. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** Longest header accepted, far beyond what NumPy writes for the dtypes above. */
export const MAX_HEADER_BYTES = 1 << 16;
const MAX_DIMENSIONS = 32;
const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
/** One `'key': value` of the header's dictionary and the comma or brace after it. */
const ITEM =
  /\s*(?:'(descr|fortran_order|shape)'|"(descr|fortran_order|shape)")\s*:\s*('[^']*'|"[^"]*"|True|False|\([\d\s,L]*\)|\[[^\]]*\])\s*(,|(?=\}))/y;

/**
 * Parses the header at the start of `bytes`. `name` and `file` appear in error messages. Throws ERR_DATA_CORRUPT or
 * ERR_DATA_SHAPE.
 */
export function parseNpyHeader(bytes: Uint8Array, name: string, file: string, check = checkDtype): NpyHeader {
  const broken = (found: string) => corrupt(file, `array ${name}: ${found}`, 'a NumPy array (.npy version 1.0 to 3.0)');
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 12 || !view.subarray(0, 6).equals(MAGIC)) throw broken('does not start as a .npy file');
  const major = view[6];
  if (major < 1 || major > 3 || view[7] !== 0) throw broken(`has .npy version ${major}.${view[7]}`);
  const start = major === 1 ? 10 : 12;
  const dataOffset = start + (major === 1 ? view.readUInt16LE(8) : view.readUInt32LE(8));
  if (dataOffset > Math.min(view.length, MAX_HEADER_BYTES)) throw broken(`header of ${dataOffset} bytes is cut short`);
  const text = view.toString(major === 3 ? 'utf8' : 'latin1', start, dataOffset);

  const items = parseDictionary(text);
  const [descr, order, tuple] = [items?.get('descr'), items?.get('fortran_order'), items?.get('shape')];
  if (items?.size !== 3 || !descr || !order || !tuple)
    throw broken(`unreadable header ${JSON.stringify(text.slice(0, 100))}`);
  if (order !== 'True' && order !== 'False') throw broken(`fortran_order ${order.slice(0, 100)}`);
  const shape = parseShape(tuple);
  if (!shape) throw broken(`shape ${tuple.slice(0, 100)}`);
  const length = shape.reduce((product, n) => product * n, 1);

  const dtype = check(descr, name, file);
  // With at most one dimension above 1, both orders have the same bytes.
  const fortranOrder = order === 'True' && shape.filter((n) => n !== 1).length > 1;
  return { dtype, shape, fortranOrder, dataOffset, length };
}

/**
 * The elements in C order from their bytes, which are used in place where they can be. `name` and `file` are for errors.
 * Throws ERR_DATA_CORRUPT for a wrong number of bytes, ERR_DATA_SHAPE for integers beyond 2^53.
 */
export function elementsOf(header: NpyHeader, bytes: Uint8Array, name: string, file: string): NpyData {
  const { dtype, shape, fortranOrder, length } = header;
  const needed = length * DTYPES[dtype].bytes;
  if (bytes.length !== needed) {
    throw corrupt(
      file,
      `array ${name} has ${bytes.length} bytes for ${dtype} [${shape.join(', ')}]`,
      `${needed} bytes`,
    );
  }
  const isOwn = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  const buffer = (isOwn ? bytes.buffer : new Uint8Array(bytes).buffer) as ArrayBuffer;
  const data = DTYPES[dtype].view(buffer) ?? fromInt64(buffer, dtype === '<i8', name, file);
  return fortranOrder ? inOrderOfC(data, shape) : data;
}

/** The first index of Fortran's order varies fastest, that of C's slowest. */
function inOrderOfC(data: NpyData, shape: readonly number[]): NpyData {
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, n) => product * n, 1));
  const result = data.slice();
  const index = shape.map(() => 0);
  for (let i = 0, from = 0; i < result.length; i++) {
    result[i] = data[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return result;
}

const EXACT = Number.MAX_SAFE_INTEGER;

/** 64-bit integers as doubles, without a BigInt per element. */
function fromInt64(buffer: ArrayBuffer, signed: boolean, key: string, path: string): Float64Array {
  const low = new Uint32Array(buffer);
  const high = signed ? new Int32Array(buffer) : low;
  const values = new Float64Array(low.length / 2);
  for (let i = 0; i < values.length; i++) {
    const value = high[2 * i + 1] * 2 ** 32 + low[2 * i];
    if (value > EXACT || value < -EXACT) {
      throw new ChestMnistError('ERR_DATA_SHAPE', {
        found: `${path}: array ${key} holds an integer beyond 2^53 at element ${i}`,
        needed: 'integers that a double holds exactly',
        next: 'check what the array holds',
      });
    }
    values[i] = value;
  }
  return values;
}

/** The dtype of an array of text, `<U` and the most characters of an entry, for parseNpyHeader. */
export function checkText(descr: string, name: string, file: string): string {
  const dtype = descr.slice(1, -1);
  if (/^<U[1-9]\d{0,6}$/.test(dtype)) return dtype;
  throw wrongLayout(
    file,
    name,
    `has dtype ${JSON.stringify(shown(dtype))}`,
    'text (<U)',
    'numpy.array(names, dtype=str)',
  );
}

function parseDictionary(text: string): Map<string, string> | undefined {
  const items = new Map<string, string>();
  const open = /^\s*\{/.exec(text);
  if (!open) return undefined;
  let position = open[0].length;
  for (let i = 0; i < 3; i++) {
    ITEM.lastIndex = position;
    const match = ITEM.exec(text);
    if (!match) return undefined;
    position = ITEM.lastIndex;
    items.set(match[1] ?? match[2], match[3]);
    if (match[4] === '') break;
  }
  return /^\s*\}\s*$/.test(text.slice(position)) ? items : undefined;
}

/** `(3, 4)`, `(3,)` or `()`. The L of Python 2's long integers is accepted, as in NumPy. */
function parseShape(tuple: string): number[] | undefined {
  if (!/^\(\s*(?:\d+L?\s*,\s*)*(?:\d+L?\s*)?\)$/.test(tuple) || /^\(\s*\d+L?\s*\)$/.test(tuple)) return undefined;
  const shape = (tuple.match(/\d+/g) ?? []).map(Number);
  const product = shape.reduce((p, n) => p * n, 1);
  return shape.length <= MAX_DIMENSIONS && shape.every(Number.isSafeInteger) && Number.isSafeInteger(product)
    ? shape
    : undefined;
}

function checkDtype(descr: string, name: string, file: string): string {
  const dtype = descr.slice(1, -1);
  const readable = /^['"]/.test(descr);
  if (readable && Object.hasOwn(DTYPES, dtype)) return dtype;
  const needed = `one of ${Object.keys(DTYPES).join(' ')}`;
  if (!readable) throw wrongLayout(file, name, 'has a structured dtype', needed, 'numpy.asarray of one field');
  if (/^\|?O/.test(dtype)) {
    throw wrongLayout(
      file,
      name,
      'is an object array (pickled; never loaded here)',
      needed,
      'array.astype(numpy.uint8)',
    );
  }
  if (/^>/.test(dtype))
    throw wrongLayout(
      file,
      name,
      `is big-endian (${shown(dtype)})`,
      needed,
      "array.astype(array.dtype.newbyteorder('<'))",
    );
  throw wrongLayout(file, name, `has dtype ${JSON.stringify(shown(dtype))}`, needed, 'array.astype');
}

/** Shortened for a message: the dtype in a header may have 64 kB. */
const shown = (dtype: string): string => (dtype.length > 60 ? `${dtype.slice(0, 57)}...` : dtype);

function wrongLayout(file: string, name: string, found: string, needed: string, remedy: string): ChestMnistError {
  return new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${file}: array ${name} ${found}`,
    needed,
    next: `convert it in Python with ${remedy} and save it again`,
  });
}

/** NumPy's dtype string for a typed array. */
export function dtypeOf(data: Uint8Array | Int32Array | Float32Array | Float64Array): string {
  // Not instanceof: in a test runner's context, arrays of the addon have other constructors.
  if (types.isUint8Array(data)) return '|u1';
  if (types.isInt32Array(data)) return '<i4';
  return types.isFloat32Array(data) ? '<f4' : '<f8';
}

/** A version 1.0 header in C order, padded so that the elements start at a multiple of 64 bytes. */
export function formatNpyHeader(dtype: string, shape: readonly number[]): Buffer {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dictionary = `{'descr': '${dtype}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const total = Math.ceil((10 + dictionary.length + 1) / 64) * 64;
  const header = Buffer.alloc(total, ' ', 'latin1');
  MAGIC.copy(header);
  header.set([1, 0], 6);
  header.writeUInt16LE(total - 10, 8);
  header.write(dictionary, 10, 'latin1');
  header[total - 1] = 0x0a;
  return header;
}
