/**
 * Reads zip files that may be hostile: yauzl parses the directory, Node's zlib inflates off the event loop. Every size
 * is checked against the file before memory is allocated, every byte against the CRC. Not here: npy and pickles.
 * Format: PKWARE APPNOTE 6.3.10 (zip64 included; encryption and methods other than stored and deflated refused).
 */
import { constants } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { fromRandomAccessReaderPromise, RandomAccessReader, type Entry } from 'yauzl';
import { readRemedy } from './disk';
import { ChestMnistError } from './errors';
import { openRegular } from './input';

export interface ZipEntry {
  readonly name: string;
  /** 0 stored, 8 deflated. Entries with another method are listed but cannot be read. */
  readonly method: number;
  readonly compressedSize: number;
  readonly uncompressedSize: number;
}

export interface ZipArchive {
  readonly entries: readonly ZipEntry[];
  /** A whole entry as a new array. A larger one than `maxBytes` is refused before anything is allocated. */
  read(name: string, options?: { maxBytes?: number }): Promise<Uint8Array<ArrayBuffer>>;
  /** Reads what follows the first `skip` bytes of an entry into `target`, which must have exactly that length. */
  readInto(name: string, skip: number, target: Uint8Array): Promise<void>;
  /** An entry piece by piece. Ends without error only when size and CRC match the directory. */
  chunks(name: string): AsyncGenerator<Uint8Array, void, undefined>;
  /** At most the first `bytes` of an entry, without checking its CRC. */
  head(name: string, bytes: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Deflate cannot expand by more than this (RFC 1951: 258 bytes from 2 bits); a directory that claims more is wrong. */
const MAX_DEFLATE_RATIO = 1032;
const MAX_ENTRIES = 65_536;
const FIRST_BYTES = 1 << 16;
const CHUNK_BYTES = 1 << 20;
const INFLATED_BYTES = 1 << 19;
/** Reads in parallel: most of their time is spent on memory pages that are touched for the first time. */
const READ_AHEAD = 4;
const LOCAL_HEADER_BYTES = 30;

export function corrupt(file: string, found: string, needed: string, cause?: unknown): ChestMnistError {
  return new ChestMnistError(
    'ERR_DATA_CORRUPT',
    {
      found: `${file}: ${found}`,
      needed,
      next: 'get the file from its source again, then check its size and checksum',
    },
    { cause },
  );
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Positioned reads for yauzl on a handle that we own and close. */
class HandleReader extends RandomAccessReader {
  constructor(private readonly handle: FileHandle) {
    super();
  }
  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    this.handle.read(buffer, offset, length, position).then(
      ({ bytesRead }) => callback(null, bytesRead),
      (error: Error) => callback(error),
    );
  }
}

/** Opens a zip file and checks its whole directory. Errors: ERR_DATA_MISSING (no such file), ERR_DATA_CORRUPT. */
export async function openZip(path: string): Promise<ZipArchive> {
  const handle = await openFile(path);
  try {
    const { size } = await handle.stat();
    const directory = await readDirectory(path, handle, size);
    return archiveOf(path, handle, directory);
  } catch (error) {
    await handle.close();
    throw error instanceof ChestMnistError
      ? error
      : corrupt(
          path,
          `not a readable zip file (${reasonOf(error)})`,
          'a whole zip file (.npz and .pth are zip files)',
          error,
        );
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await openRegular(path);
  } catch (error) {
    throw new ChestMnistError(
      'ERR_DATA_MISSING',
      {
        found: `${path} cannot be opened (${reasonOf(error)})`,
        needed: 'a readable file',
        next: 'check the path',
        ...readRemedy(error),
      },
      { cause: error },
    );
  }
}

interface Directory {
  readonly entries: ReadonlyMap<string, Entry>;
  /** Offset of the compressed bytes of an entry; checks its local header. */
  dataStart(entry: Entry): Promise<number>;
}

async function readDirectory(path: string, handle: FileHandle, size: number): Promise<Directory> {
  const zip = await fromRandomAccessReaderPromise(new HandleReader(handle), size, { autoClose: false });
  const entries = new Map<string, Entry>();
  for await (const entry of zip.eachEntry()) {
    const { fileName: name, compressedSize, uncompressedSize } = entry;
    if (entries.has(name)) throw corrupt(path, `two entries are named ${name}`, 'each name once');
    if (entries.size === MAX_ENTRIES) throw corrupt(path, `more than ${MAX_ENTRIES} entries`, `at most ${MAX_ENTRIES}`);
    if (compressedSize > size || uncompressedSize > Math.max(compressedSize, compressedSize * MAX_DEFLATE_RATIO)) {
      throw corrupt(
        path,
        `${name} claims ${uncompressedSize} bytes from ${compressedSize} bytes of a file of ${size}`,
        'sizes that a deflated or stored entry can have',
      );
    }
    entries.set(name, entry);
  }
  // With overlapping entries a small file could expand to terabytes (a zip bomb without nesting).
  const inFileOrder = [...entries.values()].sort(
    (a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader,
  );
  let end = 0;
  for (const entry of inFileOrder) {
    if (entry.relativeOffsetOfLocalHeader < end) {
      throw corrupt(path, `${entry.fileName} overlaps the entry before it`, 'entries that do not overlap');
    }
    end = entry.relativeOffsetOfLocalHeader + LOCAL_HEADER_BYTES + entry.fileNameLength + entry.compressedSize;
  }
  if (end > size)
    throw corrupt(path, `entries end at byte ${end} of a file of ${size}`, 'a file that is not truncated');
  return {
    entries,
    async dataStart(entry) {
      const header = await zip.readLocalFileHeaderPromise(entry, {});
      if (!header.fileName.equals(entry.fileNameRaw)) {
        throw new Error(`its local header is named ${header.fileName.toString()}`);
      }
      return header.fileDataStart;
    },
  };
}

function archiveOf(path: string, handle: FileHandle, directory: Directory): ZipArchive {
  function find(name: string): Entry {
    const entry = directory.entries.get(name);
    if (entry) return entry;
    const names = [...directory.entries.keys()];
    throw corrupt(path, `no entry ${name} among ${names.length} (${names.slice(0, 8).join(', ')})`, `an entry ${name}`);
  }

  async function* chunks(name: string, place?: Place): AsyncGenerator<Uint8Array, void, undefined> {
    const entry = find(name);
    let length = 0;
    let crc = 0;
    try {
      if (entry.isEncrypted()) throw new Error('it is encrypted');
      const stored = entry.compressionMethod === 0;
      const raw = rawChunks(handle, await directory.dataStart(entry), entry.compressedSize, stored ? place : undefined);
      for await (const chunk of decode(raw, entry.compressionMethod)) {
        length += chunk.length;
        if (length > entry.uncompressedSize)
          throw new Error(`it inflates to more than ${entry.uncompressedSize} bytes`);
        crc = crc32(chunk, crc);
        yield chunk;
      }
      if (length !== entry.uncompressedSize) throw new Error(`${length} bytes instead of ${entry.uncompressedSize}`);
      if (crc !== entry.crc32) throw new Error('its CRC-32 is wrong');
    } catch (error) {
      throw corrupt(
        path,
        `entry ${name} cannot be read (${reasonOf(error)})`,
        'an intact stored or deflated entry',
        error,
      );
    }
  }

  async function read(name: string, options: { maxBytes?: number } = {}): Promise<Uint8Array<ArrayBuffer>> {
    const { uncompressedSize } = find(name);
    const limit = Math.min(options.maxBytes ?? Infinity, constants.MAX_LENGTH);
    if (uncompressedSize > limit)
      throw corrupt(path, `${name} has ${uncompressedSize} bytes`, `at most ${limit} bytes`);
    const bytes = new Uint8Array(uncompressedSize);
    await readInto(name, 0, bytes);
    return bytes;
  }

  async function readInto(name: string, skip: number, target: Uint8Array): Promise<void> {
    const { uncompressedSize } = find(name);
    const expected = skip + target.length;
    if (uncompressedSize !== expected)
      throw corrupt(path, `${name} has ${uncompressedSize} bytes`, `${expected} bytes`);
    // A stored entry is read straight into `target`, without a copy.
    const place: Place = (from, size) =>
      from < skip ? Buffer.allocUnsafe(Math.min(size, skip - from)) : target.subarray(from - skip, from - skip + size);
    let position = -skip;
    for await (const chunk of chunks(name, place)) {
      if (chunk.buffer !== target.buffer) target.set(chunk.subarray(Math.max(-position, 0)), Math.max(position, 0));
      position += chunk.length;
    }
  }

  async function head(name: string, bytes: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of chunks(name)) {
      parts.push(chunk);
      length += chunk.length;
      if (length >= bytes) break;
    }
    return Buffer.concat(parts).subarray(0, bytes);
  }

  const entries = [...directory.entries.values()].map((entry) => ({
    name: entry.fileName,
    method: entry.compressionMethod,
    compressedSize: entry.compressedSize,
    uncompressedSize: entry.uncompressedSize,
  }));
  return { entries, read, readInto, chunks, head, close: () => handle.close() };
}

/** The memory to read up to `size` bytes into, from offset `from` of an entry on. */
type Place = (from: number, size: number) => Uint8Array;

/** The raw bytes of an entry. Often only the first are needed: reading ahead begins after the first chunk. */
async function* rawChunks(
  handle: FileHandle,
  start: number,
  length: number,
  place: Place = (_, size) => Buffer.allocUnsafe(size),
): AsyncGenerator<Uint8Array, void, undefined> {
  const reads: Promise<Uint8Array>[] = [];
  let from = 0;
  const begin = (): void => {
    const buffer = place(from, Math.min(from === 0 ? FIRST_BYTES : CHUNK_BYTES, length - from));
    if (buffer.length === 0) throw new Error('it is longer than its directory states');
    const read = readWhole(handle, buffer, start + from);
    read.catch(() => undefined); // reported where it is awaited, if it still is
    reads.push(read);
    from += buffer.length;
  };
  try {
    for (let ahead = 1; ; ahead = READ_AHEAD) {
      while (reads.length < ahead && from < length) begin();
      const read = reads.shift();
      if (!read) return;
      yield await read;
    }
  } finally {
    await Promise.allSettled(reads); // no read may write into memory after the caller has left
  }
}

async function readWhole(handle: FileHandle, buffer: Uint8Array, position: number): Promise<Uint8Array> {
  for (let done = 0; done < buffer.length;) {
    const { bytesRead } = await handle.read(buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0) throw new Error('the file ends inside it');
    done += bytesRead;
  }
  return buffer;
}

function decode(raw: AsyncIterable<Uint8Array>, method: number): AsyncIterable<Uint8Array> {
  if (method === 0) return raw;
  if (method !== 8) throw new Error(`compression method ${method}`);
  const inflate = createInflateRaw({ chunkSize: INFLATED_BYTES });
  // An error on either side destroys `inflate`, so the error is thrown where `inflate` is iterated.
  pipeline(Readable.from(raw), inflate, () => undefined);
  return inflate;
}
