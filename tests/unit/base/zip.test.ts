import { execFileSync } from 'node:child_process';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { openZip } from '../../../src/base/zip';
import { ChestMnistError } from '../../../src/base/errors';
import { countTurns } from '../../support/turns';
import { fixtureBytes, refusal, scratch, write, zipBytes, type Entry } from '../../support/data-files';

const at = scratch();
const hello = Buffer.from('hello, hello, hello');

async function readAll(file: string): Promise<Map<string, Uint8Array>> {
  const zip = await openZip(file);
  try {
    const contents = new Map<string, Uint8Array>();
    for (const { name } of zip.entries) contents.set(name, await zip.read(name));
    return contents;
  } finally {
    await zip.close();
  }
}

const readBytes = async (bytes: Uint8Array): Promise<Map<string, Uint8Array>> =>
  readAll(await write(at('case.zip'), bytes));

describe('openZip', () => {
  test('lists and reads stored and deflated entries of several chunks', async () => {
    const large = Buffer.from(Uint8Array.from({ length: 9_000_001 }, (_, i) => Math.imul(i, i) >>> 11));
    const file = await write(
      at('both.zip'),
      zipBytes([
        { name: 'stored', content: large },
        { name: 'folder/deflated', content: large, deflate: true },
        { name: 'empty', content: Buffer.alloc(0) },
        { name: 'empty deflated', content: Buffer.alloc(0), deflate: true },
      ]),
    );
    const zip = await openZip(file);
    expect(zip.entries[1]).toEqual({
      name: 'folder/deflated',
      method: 8,
      compressedSize: deflateRawSync(large).length,
      uncompressedSize: large.length,
    });
    expect(Buffer.from(await zip.read('stored')).equals(large)).toBe(true);
    expect(Buffer.from(await zip.read('folder/deflated')).equals(large)).toBe(true);
    expect(await zip.read('empty')).toHaveLength(0);
    expect(await zip.read('empty deflated')).toHaveLength(0);
    for (const name of ['stored', 'folder/deflated']) {
      expect(await zip.head(name, 10)).toEqual(large.subarray(0, 10));
      // Where an npy header ends, and beyond the first piece that is read.
      for (const skip of [128, 100_000]) {
        const rest = Buffer.alloc(large.length - skip);
        await zip.readInto(name, skip, rest);
        expect(rest.equals(large.subarray(skip))).toBe(true);
      }
      await expect(zip.readInto(name, 0, Buffer.alloc(5))).rejects.toThrow(ChestMnistError);
    }
    await zip.close();
  });

  test('zip64 sizes and offsets are read', async () => {
    const contents = await readBytes(
      zipBytes([
        { name: 'a', content: hello, deflate: true, zip64: true },
        { name: 'b', content: hello, zip64: true },
      ]),
    );
    expect(Buffer.from(contents.get('a')!).equals(hello)).toBe(true);
    expect(Buffer.from(contents.get('b')!).equals(hello)).toBe(true);
  });

  test('maxBytes refuses before reading', async () => {
    const zip = await openZip(await write(at('max.zip'), zipBytes([{ name: 'a', content: hello }])));
    expect(await zip.read('a', { maxBytes: hello.length })).toHaveLength(hello.length);
    expect((await refusal(zip.read('a', { maxBytes: hello.length - 1 }))).code).toBe('ERR_DATA_CORRUPT');
    expect((await refusal(zip.read('b'))).found).toContain('no entry b');
    await zip.close();
  });

  const one = (lie: Partial<Entry>): Buffer => zipBytes([{ name: 'a', content: hello, ...lie }]);
  const zeros = Buffer.alloc(1_000_000);
  test.each<[string, Uint8Array, RegExp]>([
    ['an empty file', Buffer.alloc(0), /not a readable zip/],
    ['not a zip', Buffer.from('PNG or anything else, long enough to hold an end record'), /not a readable zip/],
    ['a wrong CRC', one({ crc: 1 }), /CRC-32/],
    ['a wrong CRC, deflated', one({ crc: 1, deflate: true }), /CRC-32/],
    ['a size below the truth', one({ deflate: true, size: 5 }), /inflates to more than 5 bytes/],
    ['a size above the truth', one({ deflate: true, size: 25 }), /19 bytes instead of 25/],
    ['a stored size that differs', one({ size: 25 }), /size mismatch/],
    [
      'a bomb: a small claim, a million zeros',
      zipBytes([{ name: 'a', content: zeros, deflate: true, size: 10 }]),
      /more than 10/,
    ],
    ['a claim no deflate can reach', one({ deflate: true, size: 4_000_000_000 }), /claims 4000000000 bytes/],
    ['a zip64 claim of petabytes', one({ deflate: true, zip64: true, size: 2 ** 52 }), /claims/],
    ['more compressed bytes than the file has', one({ deflate: true, compressedSize: 10_000 }), /claims|truncated/],
    ['a broken deflate stream', one({ deflate: true, raw: Buffer.alloc(19, 0xff) }), /cannot be read/],
    [
      'a deflate stream that stops',
      one({ deflate: true, raw: deflateRawSync(hello).subarray(0, 6) }),
      /cannot be read/,
    ],
    ['encryption', one({ flags: 1, size: 7 }), /encrypted/],
    ['another method', one({ method: 12 }), /compression method 12/],
    ['another local name', one({ localName: 'b' }), /local header is named b/],
    [
      'two entries of one name',
      zipBytes([
        { name: 'a', content: hello },
        { name: 'a', content: hello },
      ]),
      /two entries/,
    ],
    [
      'entries that overlap',
      zipBytes([
        { name: 'a', content: hello },
        { name: 'b', content: hello, offset: 4 },
      ]),
      /overlaps/,
    ],
    ['an offset beyond the file', one({ offset: 1_000_000 }), /entries end at byte/],
    ['a path that climbs', one({ name: '../a' }), /not a readable zip/],
  ])('%s gives ERR_DATA_CORRUPT', async (_case, bytes, found) => {
    const error = await refusal(readBytes(bytes));
    expect(error.code).toBe('ERR_DATA_CORRUPT');
    expect(error.found).toMatch(found);
  });

  test('a lying claim of 4 GB allocates nothing', async () => {
    const before = process.memoryUsage().arrayBuffers;
    await refusal(readBytes(one({ deflate: true, size: 4_000_000_000 })));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
  });

  test('a file cut anywhere is refused', async () => {
    const bytes = await fixtureBytes('set.npz');
    for (let end = 0; end < bytes.length; end += 97) {
      expect((await refusal(readBytes(bytes.subarray(0, end)))).code).toBe('ERR_DATA_CORRUPT');
    }
  });

  test('no file, a folder, a pipe: ERR_DATA_MISSING, at once', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    for (const file of [at('absent.npz'), at('.'), at('pipe')]) {
      const error = await refusal(openZip(file));
      expect(error.code).toBe('ERR_DATA_MISSING');
      expect(error.found).toContain(file);
    }
  });

  test('any change of any bytes is either harmless or a ChestMnistError', async () => {
    const bytes = zipBytes([
      { name: 'a', content: hello, deflate: true },
      { name: 'b', content: hello, zip64: true },
    ]);
    const change = fc.record({ at: fc.nat(bytes.length - 1), value: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(40), async (changes, cut) => {
        const mutated = Buffer.from(bytes);
        for (const { at: place, value } of changes) mutated[place] = value;
        try {
          for (const content of (
            await readBytes(mutated.subarray(0, bytes.length - (cut > 20 ? cut - 20 : 0)))
          ).values()) {
            expect(Buffer.from(content).equals(hello)).toBe(true);
          }
        } catch (error) {
          if (!(error instanceof ChestMnistError)) throw error;
          expect(error.code).toBe('ERR_DATA_CORRUPT');
        }
      }),
      { numRuns: 400 },
    );
  });

  test('a large entry is inflated off the event loop', async () => {
    const content = Buffer.alloc(40_000_000);
    for (let i = 0; i < content.length; i += 3) content[i] = (i * 2654435761) >>> 24;
    const file = await write(at('large.zip'), zipBytes([{ name: 'a', content, deflate: true }]));
    const turns = countTurns();
    await readAll(file);
    expect(turns()).toBeGreaterThan(100); // inflated on it, 40 MB let a few pass: one for each read of the file
  });
});
