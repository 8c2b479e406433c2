/** Zip and npy files made byte by byte, so that every field of them can lie. Not for production: zip-writer.ts is. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { ChestMnistError } from '../../src/base/errors';
import { REPOSITORY } from './reference';

export const fixture = (name: string): string => path.join(REPOSITORY, 'tests', 'fixtures', 'data', name);
export const fixtureBytes = (name: string): Promise<Buffer> => readFile(fixture(name));

/** A folder that is gone after the tests of a file. */
export function scratch(): (name: string) => string {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'chestmnist-data-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return (name) => path.join(folder, name);
}

/** What the zip says of an entry where it differs from the truth. */
export interface Entry {
  name: string;
  content: Uint8Array;
  deflate?: boolean;
  /** Written instead of the content, compressed or not. */
  raw?: Uint8Array;
  crc?: number;
  size?: number;
  compressedSize?: number;
  method?: number;
  flags?: number;
  offset?: number;
  localName?: string;
  zip64?: boolean;
}

export function zipBytes(entries: readonly Entry[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  for (const entry of entries) {
    const raw = Buffer.from(entry.raw ?? (entry.deflate ? deflateRawSync(entry.content) : entry.content));
    const size = entry.size ?? entry.content.length;
    const compressedSize = entry.compressedSize ?? raw.length;
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(entry.flags ?? 0, 2);
    fields.writeUInt16LE(entry.method ?? (entry.deflate ? 8 : 0), 4);
    fields.writeUInt32LE(entry.crc ?? crc32(entry.content), 10);
    fields.writeUInt32LE(compressedSize > 0xfffffffe ? 0xffffffff : compressedSize, 14);
    fields.writeUInt32LE(size > 0xfffffffe ? 0xffffffff : size, 18);
    fields.writeUInt16LE(Buffer.byteLength(entry.localName ?? entry.name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(entry.localName ?? entry.name), raw]);
    const extra = Buffer.alloc(entry.zip64 ? 28 : 0);
    if (entry.zip64) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      extra.writeBigUInt64LE(BigInt(size), 4);
      extra.writeBigUInt64LE(BigInt(compressedSize), 12);
      extra.writeBigUInt64LE(BigInt(entry.offset ?? position), 20);
      fields.writeUInt32LE(0xffffffff, 14);
      fields.writeUInt32LE(0xffffffff, 18);
    }
    fields.writeUInt16LE(Buffer.byteLength(entry.name), 22);
    fields.writeUInt16LE(extra.length, 24);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(entry.zip64 ? 0xffffffff : (entry.offset ?? position), 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), fields, rest, Buffer.from(entry.name), extra]));
    parts.push(local);
    position += local.length;
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(position, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

/** A version 1.0 .npy file with this text as its header. */
export function npyBytes(
  header: string,
  data: Uint8Array = new Uint8Array(),
  version: [number, number] = [1, 0],
): Buffer {
  const text = Buffer.from(`${header}\n`, 'latin1');
  const length = Buffer.alloc(version[0] === 1 ? 2 : 4);
  if (version[0] === 1) length.writeUInt16LE(text.length);
  else length.writeUInt32LE(text.length);
  return Buffer.concat([Buffer.from('\x93NUMPY', 'latin1'), Buffer.from(version), length, text, data]);
}

export const header = (descr: string, shape: string, fortran = 'False'): string =>
  `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }`;

/** The ChestMnistError that a promise rejects with; fails when it does not, or with another class. */
export async function refusal(promise: Promise<unknown>): Promise<ChestMnistError> {
  const error: unknown = await promise.then(
    () => new Error('it was accepted'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ChestMnistError)) throw error;
  for (const part of [error.found, error.needed, error.next]) expect(part).not.toBe('');
  return error;
}

export const write = async (file: string, bytes: Uint8Array): Promise<string> => {
  await writeFile(file, bytes);
  return file;
};
