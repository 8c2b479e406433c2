/** The safetensors reader and writer: what Python wrote, what we write, and files that lie. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { ChestMnistError } from '../../../src/base/errors';
import type { StateDict } from '../../../src/engine/contract';
import { loadWeights, readSafetensors, saveWeights } from '../../../src/weights';
import {
  described,
  expected,
  f32,
  failure,
  FIXTURES,
  temporaryFolder,
  withOneNan,
} from '../../support/weights-fixtures';

const temporary = temporaryFolder();
const fixture = (name: string) => path.join(FIXTURES, name);
const byName = <T extends { name: string }>(entries: T[]) => [...entries].sort((a, b) => (a.name < b.name ? -1 : 1));

/** A file of a header given as text, and zeros as data. */
function handmade(header: string, dataBytes: number, declared = Buffer.byteLength(header)): string {
  const file = temporary('handmade.safetensors');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(declared));
  writeFileSync(file, Buffer.concat([length, Buffer.from(header), Buffer.alloc(dataBytes)]));
  return file;
}
const tensor = (begin: number, end: number, shape: unknown = [(end - begin) / 4], dtype: unknown = 'F32') =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

describe('reading what Python wrote', () => {
  it.each(['views', 'dtypes'] as const)('%s.safetensors has the values torch reads', async (name) => {
    // With values that are not finite, which only loadWeights refuses.
    const { state } = await readSafetensors(fixture(`${name}.safetensors`));
    expect(byName(described(state))).toEqual(byName(withOneNan(expected[name])));
  });

  it('returns the metadata', async () => {
    expect((await readSafetensors(fixture('views.safetensors'))).metadata).toEqual({ format: 'pt', by: 'python' });
    expect((await readSafetensors(fixture('dtypes.safetensors'))).metadata).toEqual({});
  });
});

describe('writing', () => {
  const state: StateDict = [
    f32('odd', [3]),
    { name: 'counter', dtype: 'I64', shape: [], data: new BigInt64Array([-(2n ** 63n)]) },
    f32('b.0', [2, 2], (i) => -i / 3),
    f32('__proto__', [1]),
    f32('empty', [0, 4]),
  ];

  it('keeps order, values, metadata and alignment', async () => {
    const file = temporary('ours.safetensors');
    await saveWeights(file, state, { labels: '["a"]', format: 'other' });
    const read = await readSafetensors(file);
    expect(read.state.map(({ name }) => name)).toEqual(state.map(({ name }) => name));
    expect(described(read.state)).toEqual(described(state));
    expect(read.metadata).toEqual({ labels: '["a"]', format: 'pt' });
    const bytes = readFileSync(file);
    const headerBytes = Number(bytes.readBigUInt64LE());
    expect(headerBytes % 8).toBe(0);
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes));
    for (const { name, dtype } of state) {
      expect(header[name].data_offsets[0] % (dtype === 'I64' ? 8 : 4)).toBe(0);
    }
  });

  it('is told from a pickle, which begins with 0x80, by its header alone', async () => {
    const file = temporary('0x80.safetensors');
    let first = 0;
    for (let length = 0; length < 256 && first !== 0x80; length++) {
      await saveWeights(file, state, { text: 'x'.repeat(length) });
      first = readFileSync(file)[0];
    }
    expect(first).toBe(0x80);
    expect(await loadWeights(file)).toHaveLength(state.length);
  });

  it('replaces a file whole and leaves nothing beside it', async () => {
    const folder = temporary('replace');
    mkdirSync(folder);
    const file = path.join(folder, 'w.safetensors');
    await saveWeights(file, state);
    await saveWeights(file, [f32('only', [1])]);
    expect((await loadWeights(file)).map(({ name }) => name)).toEqual(['only']);
    expect(readdirSync(folder)).toEqual(['w.safetensors']);
  });

  it('leaves the old file when it cannot write the new one', async () => {
    const file = temporary('kept.safetensors');
    await saveWeights(file, state);
    const before = readFileSync(file);
    await failure('ERR_WEIGHTS', () => saveWeights(file, [{ ...f32('a', [2]), shape: [3] }]));
    await failure('ERR_WEIGHTS', () => saveWeights(file, [{ ...f32('a', [2]), dtype: 'I64' }]));
    await failure('ERR_WEIGHTS', () => saveWeights(file, [f32('a', [2]), f32('a', [2])]));
    await failure('ERR_OUTPUT', () => saveWeights(path.join(file, 'below.safetensors'), state));
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('refuses an extension it does not know', async () => {
    const { found } = await failure('ERR_CONFIG', () => saveWeights(temporary('w.h5'), state));
    expect(found).toContain('w.h5');
  });
});

describe('files that lie', () => {
  const cases: [string, string, number, RegExp][] = [
    ['an overlap', `{"a":${tensor(0, 8)},"b":${tensor(4, 12)}}`, 12, /overlap in the data before b/],
    ['a gap', `{"a":${tensor(0, 4)},"b":${tensor(8, 12)}}`, 12, /gap in the data before b/],
    ['data that belong to nothing', `{"a":${tensor(0, 4)}}`, 12, /8 bytes of data belong to no tensor/],
    ['data beyond the end', `{"a":${tensor(0, 400)}}`, 12, /data_offsets of a/],
    ['negative offsets', `{"a":${tensor(-4, 0)}}`, 0, /data_offsets of a/],
    ['fractional offsets', `{"a":${tensor(0.5, 4.5, [1])}}`, 5, /data_offsets of a/],
    ['a shape larger than its data', `{"a":${tensor(0, 4, [1000])}}`, 4, /data_offsets of a/],
    ['a shape beyond any memory', `{"a":${tensor(0, 4, [2 ** 40, 2 ** 40])}}`, 4, /impossible shape/],
    [
      'a shape that wraps to a small number',
      `{"a":${tensor(0, 4, [2 ** 32, 2 ** 32, 2 ** 32])}}`,
      4,
      /impossible shape/,
    ],
    ['a negative size', `{"a":${tensor(0, 4, [-1, -1])}}`, 4, /impossible shape/],
    ['a shape that is no list', `{"a":${tensor(0, 4, 'x')}}`, 4, /impossible shape/],
    ['another dtype', `{"a":${tensor(0, 4, [4], 'U8')}}`, 4, /dtype U8/],
    ['a dtype of the prototype', `{"a":${tensor(0, 4, [1], 'toString')}}`, 4, /dtype toString/],
    ['a name twice', `{"a":${tensor(0, 4)},"a":${tensor(0, 4)}}`, 4, /a duplicate name/],
    ['a name twice, once escaped', `{"a":${tensor(0, 4)},"\\u0061":${tensor(0, 4)}}`, 4, /a duplicate name/],
    ['a tensor that is no object', `{"a":[1,2,3]}`, 0, /dtype undefined/],
    ['metadata that is no text', `{"__metadata__":{"a":{}}}`, 0, /__metadata__/],
    ['a header nested without end', '{"a":'.repeat(400_000), 0, /./],
    [
      'a header that is closed and nested deep',
      `${'{"a":'.repeat(200_000)}{}${'}'.repeat(200_000)}`,
      0,
      /nested deeper/,
    ],
    ['a header that is a list', '[]', 0, /./],
    ['a header that is no JSON', '{"a"', 0, /./],
  ];
  it.each(cases)('%s', async (_, header, dataBytes, reason) => {
    const { found } = await failure('ERR_WEIGHTS', () => loadWeights(handmade(header, dataBytes)));
    expect(found).toMatch(reason);
  });

  it.each([2 ** 40, 5 * 2 ** 20, 100])('a header length of %i', async (declared) => {
    const file = handmade('{}', 20, declared);
    expect((await failure('ERR_WEIGHTS', () => loadWeights(file))).found).toContain(String(declared));
  });

  it('keeps names of the prototype as names', async () => {
    const file = handmade(`{"__proto__":${tensor(0, 4)},"constructor":${tensor(4, 8)}}`, 8);
    expect((await loadWeights(file)).map(({ name }) => name)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });

  it('a file that is not there, a folder, an empty file, other content', async () => {
    await failure('ERR_CONFIG', () => loadWeights(temporary('absent.safetensors')));
    await failure('ERR_CONFIG', () => loadWeights(FIXTURES));
    const file = temporary('empty');
    writeFileSync(file, '');
    expect((await failure('ERR_WEIGHTS', () => loadWeights(file))).found).toContain('neither');
    writeFileSync(file, 'GIF89a and so on');
    expect((await failure('ERR_WEIGHTS', () => loadWeights(file))).found).toContain('neither');
  });

  it('any change of bytes, or cut, is read or refused, never a crash', async () => {
    const original = readFileSync(fixture('views.safetensors'));
    const file = temporary('changed.safetensors');
    const change = fc.record({ at: fc.nat(original.length - 1), byte: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 1, maxLength: 6 }),
        fc.nat(original.length),
        async (changes, end) => {
          const bytes = Buffer.from(original);
          for (const { at, byte } of changes) bytes[at] = byte;
          writeFileSync(file, end % 4 === 0 ? bytes.subarray(0, end) : bytes);
          const outcome = await readSafetensors(file).catch((error: unknown) => error);
          if (outcome instanceof Error) {
            expect(outcome).toBeInstanceOf(ChestMnistError);
            expect((outcome as ChestMnistError).code).toBe('ERR_WEIGHTS');
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});
