/**
 * Raw little-endian tensor bytes -> state dict entries. Float32 and int64 stay as they are; float16, bfloat16 and
 * float64 become float32 (the first two exactly, float64 rounded to nearest). Other dtypes do not occur in a resnet18.
 */
import { types } from 'node:util';
import { checkArgument, rule, show } from '../base/arguments';
import type { StateEntry } from '../engine/contract';
import { shown, weightsError } from './errors';
import { halfToFloat } from './half';

/** Dtypes that can be read, by safetensors' names, with their size in bytes. */
export const ITEM_BYTES = { F32: 4, F64: 8, F16: 2, BF16: 2, I64: 8 } as const;
export type ReadDtype = keyof typeof ITEM_BYTES;

/** The largest tensor file, and the most bytes of tensors in one: 1 GiB, about 20 times a resnet18. */
export const MAX_BYTES = 2 ** 30;
const MAX_RANK = 8;

export const isReadDtype = (dtype: unknown): dtype is ReadDtype =>
  typeof dtype === 'string' && Object.hasOwn(ITEM_BYTES, dtype);

/**
 * Number of elements of a shape from a file. Undefined unless it is an array of sizes whose product, without zeros, is in
 * bounds.
 */
export function elementCount(shape: unknown): number | undefined {
  if (!Array.isArray(shape) || shape.length > MAX_RANK) return undefined;
  let count = 1;
  for (const size of shape as unknown[]) {
    if (!Number.isSafeInteger(size) || (size as number) < 0) return undefined;
    count *= (size as number) || 1;
    if (count > MAX_BYTES) return undefined;
  }
  return shape.includes(0) ? 0 : count;
}

type Words = Uint16Array | Uint32Array | BigUint64Array;

/** The bytes as words of the dtype's size; a view when aligned, else a copy. */
function wordsOf(bytes: Uint8Array, itemBytes: number): Words {
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % itemBytes === 0 ? bytes : new Uint8Array(bytes);
  if (itemBytes === 2) return new Uint16Array(buffer, byteOffset, byteLength / 2);
  if (itemBytes === 4) return new Uint32Array(buffer, byteOffset, byteLength / 4);
  return new BigUint64Array(buffer, byteOffset, byteLength / 8);
}

/** A strided view made contiguous. The caller has checked that every element lies inside `bytes`. */
export function gather(
  bytes: Uint8Array,
  itemBytes: number,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
): Uint8Array {
  const source = wordsOf(bytes, itemBytes);
  const count = shape.reduce((product, size) => product * size, 1);
  const target = new (source.constructor as new (length: number) => Words)(count);
  const index = shape.map(() => 0);
  const last = shape.length - 1;
  const [rowSize, rowStride] = [shape[last] ?? 1, strides[last] ?? 1];
  let from = offset;
  for (let at = 0; at < count; at += rowSize) {
    for (let i = 0; i < rowSize; i++) target[at + i] = source[from + i * rowStride];
    for (let axis = last - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return new Uint8Array(target.buffer);
}

/**
 * An entry of `bytes` (C order, exactly as long as the shape requires). F32 and I64 share the memory of `bytes` when it
 * is aligned. ERR_WEIGHTS when the length and the shape disagree.
 */
export function toEntry(name: string, dtype: ReadDtype, shape: readonly number[], bytes: Uint8Array): StateEntry {
  const count = elementCount(shape);
  if (count === undefined || bytes.byteLength !== count * ITEM_BYTES[dtype]) {
    throw weightsError({
      found: `${bytes.byteLength} bytes for ${shown(name)} with dtype ${dtype} and shape [${shape.join(', ')}]`,
      needed: 'as many bytes as dtype and shape require',
      next: 'save the weights again: the file is damaged',
    });
  }
  const words = wordsOf(bytes, ITEM_BYTES[dtype]);
  const { buffer, byteOffset } = words;
  switch (dtype) {
    case 'I64':
      return { name, dtype: 'I64', shape, data: new BigInt64Array(buffer as ArrayBuffer, byteOffset, count) };
    case 'F32':
      return { name, dtype: 'F32', shape, data: new Float32Array(buffer as ArrayBuffer, byteOffset, count) };
    case 'F64':
      return { name, dtype: 'F32', shape, data: Float32Array.from(new Float64Array(buffer, byteOffset, count)) };
    case 'F16':
      return { name, dtype: 'F32', shape, data: Float32Array.from(words as Uint16Array, halfToFloat) };
    case 'BF16': {
      const bits = Uint32Array.from(words as Uint16Array, (word) => word << 16);
      return { name, dtype: 'F32', shape, data: new Float32Array(bits.buffer) };
    }
  }
}

/** The values of an entry as bytes, sharing memory. ERR_WEIGHTS when dtype, shape and data disagree. */
export function bytesOf({ name, dtype, shape, data }: StateEntry): Uint8Array {
  const count = elementCount(shape);
  // Not instanceof: in a test runner's context, arrays of the addon have other constructors.
  const kind = types.isFloat32Array(data) ? 'F32' : types.isBigInt64Array(data) ? 'I64' : 'neither';
  if (kind !== dtype || count !== data.length) {
    throw weightsError({
      found: `${shown(name)}: ${data.length} values (${kind}) for dtype ${show(dtype)} and shape ${show(shape)}`,
      needed: 'a Float32Array for F32 or a BigInt64Array for I64, with one value per element',
      next: 'fix the entry before saving',
    });
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The most entries of a saved state dict: far more than a resnet18's 122, and within the limits of both formats. */
const MAX_ENTRIES = 4096;

const isTensor = (data: unknown): boolean => types.isFloat32Array(data) || types.isBigInt64Array(data);
const STATE = rule(
  'an array of entries { name, dtype, shape, data } with data a Float32Array or a BigInt64Array',
  (value) =>
    Array.isArray(value) &&
    value.every((entry: Partial<StateEntry> | null) => typeof entry?.name === 'string' && isTensor(entry.data)),
);

/** ERR_WEIGHTS when an entry is malformed, when a name is a duplicate or reserved, or when number or total size are out of bounds. */
export function checkSavable(state: readonly StateEntry[]): void {
  checkArgument('state', state, STATE, 'ERR_WEIGHTS');
  const names = new Set(state.map(({ name }) => name));
  const bytes = state.reduce((sum, entry) => sum + bytesOf(entry).byteLength, 0);
  if (names.size === state.length && !names.has('__metadata__') && state.length <= MAX_ENTRIES && bytes <= MAX_BYTES)
    return;
  throw weightsError({
    found: `a state dict of ${state.length} entries with ${names.size} names and ${bytes} bytes`,
    needed: `at most ${MAX_ENTRIES} entries and ${MAX_BYTES} bytes, each name once and none of them __metadata__`,
    next: 'save only the state dict of the model',
  });
}
