/**
 * Reader and writer of the safetensors format: 8 bytes little-endian header length, a JSON header, the tensor data.
 * The reader checks everything: ranges must lie in the file, tile it without gap or overlap, and agree with dtype and
 * shape. Source: the format description of huggingface/safetensors.
 */
import { writeAtomically, writeChunks } from '../base/atomic';
import type { StateDict, StateEntry } from '../engine/contract';
import type { Contents } from './contents';
import { reasonOf, shown, weightsError } from './errors';
import { readBytes, withFile } from './file';
import { SAFETENSORS_LOAD } from './python';
import { bytesOf, checkSavable, elementCount, isReadDtype, ITEM_BYTES, toEntry } from './tensor';

/** A resnet18's header has about 12 kB. */
const MAX_HEADER_BYTES = 4 * 2 ** 20;
const METADATA = '__metadata__';

/** Dtypes that are only skipped, with the bits of an element. */
const OTHER_BITS: Readonly<Record<string, number>> = {
  ...{ BOOL: 8, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6 },
  ...{ I16: 16, U16: 16, I32: 32, U32: 32, U64: 64, C64: 64 },
};

interface Range {
  name: string;
  dtype: string;
  shape: number[];
  begin: number;
  end: number;
}

/** A safetensors file: its tensors in header order, and the strings of `__metadata__`. */
export interface Safetensors {
  state: StateDict;
  metadata: Record<string, string>;
}

const damaged = (file: string, what: string, cause?: unknown) =>
  weightsError(
    {
      found: `${file} is not a valid safetensors file: ${what}`,
      needed: 'a file as saveWeights or Python safetensors writes it',
      next: 'save or copy the weights again',
    },
    cause,
  );

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * JSON.parse silently keeps the last of two equal names. Here the number of names in the text must equal the number
 * after parsing.
 */
function parseStrictly(text: string): Record<string, unknown> {
  const header: unknown = JSON.parse(text);
  if (!isObject(header)) throw new Error('the header is not a JSON object');
  const written = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"/g, '').split(':').length - 1;
  const members = (value: unknown, depth = 1): number => {
    if (!isObject(value)) return 0;
    if (depth > 3) throw new Error('the header is nested deeper than the format allows');
    return Object.values(value).reduce((sum: number, member) => sum + 1 + members(member, depth + 1), 0);
  };
  if (written !== members(header)) throw new Error('the header has a duplicate name');
  return header;
}

function metadataOf(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value) || !Object.values(value).every((text) => typeof text === 'string')) {
    throw new Error('__metadata__ is not an object of strings');
  }
  return value as Record<string, string>;
}

const unread = (name: string, dtype: unknown): Error =>
  new Error(`${shown(name)} has dtype ${shown(String(dtype))}, not one of ${Object.keys(ITEM_BYTES).join(', ')}`);

function rangeOf(name: string, value: unknown, dataBytes: number): Range {
  const { dtype, shape, data_offsets: offsets } = isObject(value) ? value : {};
  const isOther = typeof dtype === 'string' && Object.hasOwn(OTHER_BITS, dtype);
  const bits = isReadDtype(dtype) ? 8 * ITEM_BYTES[dtype] : isOther ? OTHER_BITS[dtype] : undefined;
  if (bits === undefined) throw unread(name, dtype);
  const count = elementCount(shape);
  if (count === undefined) throw new Error(`${shown(name)} has an impossible shape`);
  const [begin, end] = Array.isArray(offsets) && offsets.length === 2 ? (offsets as unknown[]) : [];
  const inside = Number.isSafeInteger(begin) && Number.isSafeInteger(end) && (begin as number) >= 0;
  if (!inside || (end as number) > dataBytes || ((end as number) - (begin as number)) * 8 !== count * bits) {
    throw new Error(`the data_offsets of ${shown(name)} do not fit its shape, its dtype or the file`);
  }
  return { name, dtype: dtype as string, shape: shape as number[], begin: begin as number, end: end as number };
}

/** Every byte of the data must belong to exactly one tensor. */
function checkTiling(ranges: readonly Range[], dataBytes: number): void {
  let covered = 0;
  for (const { name, begin, end } of [...ranges].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered)
      throw new Error(`${begin < covered ? 'an overlap' : 'a gap'} in the data before ${shown(name)}`);
    covered = end;
  }
  if (covered !== dataBytes) throw new Error(`${dataBytes - covered} bytes of data belong to no tensor`);
}

/** The header and the data of a safetensors file, checked; ERR_CONFIG or ERR_WEIGHTS. */
function parse(file: string): Promise<{ ranges: Range[]; metadata: Record<string, string>; data: Uint8Array }> {
  return withFile(file, async (handle, size) => {
    const prefix = await readBytes(handle, 0, 8);
    if (prefix.length < 8) throw damaged(file, `it has ${prefix.length} bytes`);
    const declared = new DataView(prefix.buffer).getBigUint64(0, true);
    if (declared > BigInt(Math.min(MAX_HEADER_BYTES, size - 8))) {
      throw damaged(
        file,
        `it declares a header of ${declared} bytes in a file of ${size} (at most ${MAX_HEADER_BYTES})`,
      );
    }
    const start = 8 + Number(declared);
    let metadata: Record<string, string>;
    let ranges: Range[];
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(await readBytes(handle, 8, Number(declared)));
      const header = parseStrictly(text);
      metadata = metadataOf(Object.hasOwn(header, METADATA) ? header[METADATA] : undefined);
      ranges = Object.entries(header)
        .filter(([name]) => name !== METADATA)
        .map(([name, value]) => rangeOf(name, value, size - start));
      checkTiling(ranges, size - start);
    } catch (error) {
      throw damaged(file, reasonOf(error), error);
    }
    const data = await readBytes(handle, start, size - start);
    if (data.length !== size - start) throw damaged(file, 'it was truncated while it was read');
    return { ranges, metadata, data };
  });
}

function entryOf(file: string, { name, dtype, shape, begin, end }: Range, data: Uint8Array): StateEntry {
  if (!isReadDtype(dtype)) throw damaged(file, unread(name, dtype).message);
  return toEntry(name, dtype, shape, data.subarray(begin, end));
}

/**
 * Reads a safetensors file whole. F32 and I64 stay as they are; F16, BF16 and F64 become F32.
 * ERR_CONFIG when it cannot be opened; ERR_WEIGHTS when it is damaged or has other dtypes.
 */
export async function readSafetensors(file: string): Promise<Safetensors> {
  const { ranges, metadata, data } = await parse(file);
  return { state: ranges.map((range) => entryOf(file, range, data)), metadata };
}

/** What a safetensors file holds; tensors of other dtypes matter only when they are read. Errors as readSafetensors. */
export async function safetensorsContents(file: string): Promise<Contents> {
  const { ranges, metadata, data } = await parse(file);
  const tensors = ranges.map((range) => ({
    ...{ name: range.name, shape: range.shape },
    read: () => entryOf(file, range, data),
  }));
  return { dicts: [{ path: [], tensors, metadata }], python: SAFETENSORS_LOAD };
}

/**
 * Writes a safetensors file atomically, with `metadata` and `format: pt`. The header keeps the order of `state`; in the
 * data I64 comes before F32, so that every tensor is aligned.
 */
export async function writeSafetensors(
  file: string,
  state: StateDict,
  metadata: Record<string, string> = {},
): Promise<void> {
  const pieces = encodeSafetensors(state, metadata);
  await writeAtomically(file, (handle) => writeChunks(handle, pieces));
}

/** The bytes of a safetensors file: length, header, then one piece per tensor, sharing the tensor's memory. */
export function encodeSafetensors(state: StateDict, metadata: Record<string, string>): Uint8Array[] {
  checkSavable(state);
  const header = new Map<string, unknown>([[METADATA, { ...metadata, format: 'pt' }]]);
  const byAlignment = [...state].sort((a, b) => ITEM_BYTES[b.dtype] - ITEM_BYTES[a.dtype]);
  const offsets = new Map<string, [number, number]>();
  let end = 0;
  const data = byAlignment.map((entry) => {
    const bytes = bytesOf(entry);
    offsets.set(entry.name, [end, (end += bytes.length)]);
    return bytes;
  });
  for (const { name, dtype, shape } of state) header.set(name, { dtype, shape, data_offsets: offsets.get(name) });

  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(padded);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(padded.length));
  return [prefix, padded, ...data];
}
