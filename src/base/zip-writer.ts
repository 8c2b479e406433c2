/**
 * Writes a zip file with stored or deflated entries, without zip64 and therefore below 4 GiB. Times and attributes are
 * constant, so that the same content gives the same bytes. Format: PKWARE APPNOTE 6.3.10, sections 4.3.7 to 4.3.16.
 */
import type { FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { crc32, createDeflateRaw } from 'node:zlib';
import { ChestMnistError } from './errors';
import { writeAtomically } from './atomic';

type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface ZipInput {
  readonly name: string;
  /** The content, in pieces that are written in order; a sequence is asked for one at a time, so that none is kept. */
  readonly parts: Pieces;
}

export interface ZipOptions {
  /** Deflate the entries instead of storing them. */
  compress?: boolean;
  /** Start each entry's content at a multiple of this many bytes, by an extra field before it, as PyTorch does. */
  align?: number;
}

const CHUNK_BYTES = 1 << 20;
const LIMIT = 0xffff_ffff;
/** 1980-01-01 00:00, the earliest that the format can hold. */
const DOS_DATE = 0x0021;
const UTF8_NAMES = 0x0800;

interface Written {
  readonly name: Buffer;
  /** The extra field of the local header. */
  readonly extra: Buffer;
  readonly method: number;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly offset: number;
}

/** Writes `inputs` to `path`, atomically. Throws ERR_CONFIG when the file would reach 4 GiB. */
export async function writeZip(path: string, inputs: readonly ZipInput[], options: ZipOptions = {}): Promise<void> {
  await writeAtomically(path, async (handle) => {
    const written: Written[] = [];
    let position = 0;
    for (const { name, parts } of inputs) {
      const entry = await writeEntry(handle, position, Buffer.from(name), parts, options);
      position += 30 + entry.name.length + entry.extra.length + entry.compressedSize;
      if (Math.max(position, entry.size) > LIMIT) {
        throw new ChestMnistError('ERR_CONFIG', {
          found: `${path} would be larger than 4 GiB`,
          needed: 'less data in one file',
          next: 'store fewer images or a smaller size',
        });
      }
      written.push(entry);
    }
    const directory = Buffer.concat(written.map(directoryRecord));
    await writeAll(handle, Buffer.concat([directory, endRecord(written.length, directory.length, position)]), position);
  });
}

async function writeEntry(
  handle: FileHandle,
  offset: number,
  name: Buffer,
  parts: Pieces,
  { compress, align }: ZipOptions,
): Promise<Written> {
  let crc = 0;
  let size = 0;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for await (const part of parts) {
      for (let start = 0; start < part.length; start += CHUNK_BYTES) {
        const piece = part.subarray(start, start + CHUNK_BYTES);
        crc = crc32(piece, crc);
        size += piece.length;
        yield piece;
      }
    }
  }
  const extra = align === undefined ? Buffer.alloc(0) : padding(offset + 30 + name.length, align);
  const start = offset + 30 + name.length + extra.length;
  let compressedSize = 0;
  for await (const chunk of compress ? deflate(pieces()) : pieces()) {
    await writeAll(handle, chunk, start + compressedSize);
    compressedSize += chunk.length;
  }
  const entry = { name, extra, method: compress ? 8 : 0, crc, compressedSize, size, offset };
  await writeAll(handle, localHeader(entry), offset);
  return entry;
}

/** An extra field of PyTorch's kind (`FB`) after which the content starts at a multiple of `align`. */
function padding(at: number, align: number): Buffer {
  const length = (align - ((at + 4) % align)) % align;
  const extra = Buffer.alloc(4 + length, 'Z');
  extra.write('FB', 'latin1');
  extra.writeUInt16LE(length, 2);
  return extra;
}

function deflate(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  const stream = createDeflateRaw({ level: 6, chunkSize: CHUNK_BYTES });
  pipeline(Readable.from(pieces), stream, () => undefined);
  return stream;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

/** Version needed, flags, method, time, date, CRC, sizes, name and extra lengths: common to both headers. */
function commonFields(entry: Written, extraLength: number): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(UTF8_NAMES, 2);
  fields.writeUInt16LE(entry.method, 4);
  fields.writeUInt16LE(DOS_DATE, 8);
  fields.writeUInt32LE(entry.crc, 10);
  fields.writeUInt32LE(entry.compressedSize, 14);
  fields.writeUInt32LE(entry.size, 18);
  fields.writeUInt16LE(entry.name.length, 22);
  fields.writeUInt16LE(extraLength, 24);
  return fields;
}

function localHeader(entry: Written): Buffer {
  const fields = commonFields(entry, entry.extra.length);
  return Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, entry.name, entry.extra]);
}

function directoryRecord(entry: Written): Buffer {
  const rest = Buffer.alloc(14); // comment length, disk, internal and external attributes, offset
  rest.writeUInt32LE(entry.offset, 10);
  return Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), commonFields(entry, 0), rest, entry.name]);
}

function endRecord(count: number, directoryBytes: number, directoryOffset: number): Buffer {
  const record = Buffer.alloc(22);
  record.write('PK\x05\x06', 'latin1');
  record.writeUInt16LE(count, 8);
  record.writeUInt16LE(count, 10);
  record.writeUInt32LE(directoryBytes, 12);
  record.writeUInt32LE(directoryOffset, 16);
  return record;
}
