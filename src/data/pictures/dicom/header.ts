/**
 * The data elements of a DICOM file that say what its pixels are. The one other that is ever read is patient.ts's. Parsing is
 * dicom-parser's. Not here: the pixels (frame.ts), their meaning (gray.ts, colour.ts).
 */
import { inflateRawSync } from 'node:zlib';
import type { DataSet } from 'dicom-parser';
import { corrupt } from '../picture';
import { BIG_ENDIAN, codingOf, EXPLICIT, IMPLICIT, nameOf, type Coding } from './syntaxes';

export interface Header {
  readonly set: DataSet;
  readonly coding: Coding;
  readonly isBigEndian: boolean;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Photometric Interpretation, e.g. `MONOCHROME1`. */
  readonly photometric: string;
  /** Whether the channels are stored one after the other. */
  readonly isPlanar: boolean;
  readonly bitsAllocated: 8 | 16;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly isSigned: boolean;
  readonly frames: number;
}

const PREAMBLE = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]);
/** A deflated file may hold at most this many bytes. */
const MOST_BYTES = 2 ** 30;

/** Reads the header of a DICOM file. Throws ERR_DATA_CORRUPT for what is no picture, or of a form that is not read. */
export async function readHeader(file: string, bytes: Buffer): Promise<Header> {
  const set = await parse(file, bytes);
  const number = (tag: string): number | undefined => set.uint16(tag);
  const syntax = set.string('x00020010') ?? IMPLICIT;
  if (set.elements.x7fe00010 === undefined) {
    throw corrupt(file, 'is DICOM without pixels: a report, a waveform or an index', {
      needed: 'a DICOM file with Pixel Data of 8 or 16 bits',
      next: 'leave it out',
    });
  }
  const coding = codingOf(syntax);
  if (coding === undefined) {
    throw corrupt(file, `has the transfer syntax ${nameOf(syntax)}`, {
      needed: 'uncompressed, RLE, JPEG, JPEG-LS or JPEG 2000 pixels',
      next: 'convert it, for example with gdcmconv --raw',
    });
  }
  const photometric = set.string('x00280004')?.toUpperCase() ?? 'MONOCHROME2';
  const channels = number('x00280002') ?? 1;
  const [bitsAllocated, bitsStored] = [number('x00280100'), number('x00280101') ?? number('x00280100')];
  const highBit = number('x00280102') ?? (bitsStored ?? 0) - 1;
  const isUsable =
    channels === (/^MONOCHROME|^PALETTE/.test(photometric) ? 1 : 3) &&
    (bitsAllocated === 8 || bitsAllocated === 16) &&
    bitsStored! >= 1 &&
    highBit >= bitsStored! - 1 &&
    highBit < bitsAllocated;
  if (!isUsable) {
    const bits = `${photometric} of ${bitsAllocated} bits allocated, ${bitsStored} stored, ${highBit} the highest`;
    throw corrupt(file, `has ${channels} samples per pixel, ${bits}`, {
      needed: 'one gray sample or three of colour, of 8 or 16 bits',
      next: 'export it as such',
    });
  }
  return {
    set,
    coding,
    isBigEndian: syntax === BIG_ENDIAN,
    width: number('x00280011') ?? 0,
    height: number('x00280010') ?? 0,
    channels,
    photometric,
    isPlanar: number('x00280006') === 1,
    bitsAllocated,
    bitsStored: bitsStored!,
    highBit,
    isSigned: number('x00280103') === 1,
    frames: Math.max(1, set.intString('x00280008') ?? 1),
  };
}

/** With or without a preamble and a file meta information. */
async function parse(file: string, bytes: Buffer): Promise<DataSet> {
  const { parseDicom } = await import('dicom-parser');
  const hasPreamble = bytes.toString('latin1', 128, 132) === 'DICM';
  const isMeta = bytes.readUInt16LE(0) === 2;
  const isExplicit = /^[A-Z]{2}$/.test(bytes.toString('latin1', 4, 6));
  try {
    if (hasPreamble) return parseDicom(bytes, { inflater });
    if (isMeta) return parseDicom(Buffer.concat([PREAMBLE, bytes]), { inflater });
    // Group 2 with nothing but the syntax, so that the parser finds what it needs.
    return parseDicom(Buffer.concat([PREAMBLE, metaOf(isExplicit ? EXPLICIT : IMPLICIT), bytes]));
  } catch (cause) {
    throw corrupt(file, `is DICOM that cannot be read (${reasonOf(cause)})`, { cause });
  }
}

const inflater = ((bytes: Buffer, position: number) =>
  Buffer.concat([
    bytes.subarray(0, position),
    inflateRawSync(bytes.subarray(position), { maxOutputLength: MOST_BYTES }),
  ])) as unknown as (bytes: Uint8Array, position: number) => void; // its type forgets the result

/** File meta information: one element (0002,0010), explicit. */
function metaOf(syntax: string): Buffer {
  const value = Buffer.from(syntax.length % 2 === 0 ? syntax : `${syntax}\0`, 'latin1');
  return Buffer.concat([Buffer.from([2, 0, 0x10, 0, 0x55, 0x49, value.length, 0]), value]);
}

/** dicom-parser throws texts, and objects around them. */
const reasonOf = (cause: unknown): string => {
  const inner = (cause as { exception?: unknown })?.exception ?? cause;
  return inner instanceof Error || typeof (inner as Error)?.message === 'string'
    ? (inner as Error).message
    : String(inner);
};
