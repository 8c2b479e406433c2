import { mkdir, readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { formatNpyHeader, parseNpyHeader } from '../../../src/base/npy';
import { npzKeys, readNpz, writeNpz } from '../../../src/base/npz';
import { ChestMnistError } from '../../../src/base/errors';
import { fixture, header, npyBytes, refusal, scratch, write, zipBytes } from '../../support/data-files';

const at = scratch();
const npz = async (name: string, npy: Uint8Array, deflate = false): Promise<string> =>
  write(at(name), zipBytes([{ name: 'a.npy', content: npy, deflate }]));

describe('readNpz of files that NumPy wrote', () => {
  type Expected = Record<string, { dtype: string; shape: number[]; values: (number | boolean)[] }>;

  test.each(['dtypes.npz', 'dtypes_deflated.npz'])('%s: every dtype, value by value', async (name) => {
    const expected = JSON.parse(await readFile(fixture('dtypes.json'), 'utf8')) as Expected;
    const arrays = await readNpz(fixture(name));
    expect([...arrays.keys()]).toEqual(Object.keys(expected));
    for (const [key, { dtype, shape, values }] of Object.entries(expected)) {
      const array = arrays.get(key)!;
      expect({ key, dtype: array.dtype, shape: array.shape }).toEqual({ key, dtype, shape });
      expect(Array.from(array.data)).toEqual(values.map(Number));
    }
  });

  test.each([2, 3])('header version %d.0', async (major) => {
    const array = (await readNpz(fixture(`version_${major}.npz`))).get('a')!;
    expect(array).toMatchObject({ dtype: '<f4', shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) });
  });

  test('keys chooses, and what the file lacks is absent', async () => {
    const arrays = await readNpz(fixture('dtypes.npz'), { keys: ['f8', 'nothing', 'u1'] });
    expect([...arrays.keys()].sort()).toEqual(['f8', 'u1']);
    expect(await npzKeys(fixture('version_2.npz'))).toEqual(['a']);
  });

  test('check sees all headers before anything is read, and can refuse', async () => {
    const seen: string[] = [];
    const check = (headers: ReadonlyMap<string, { shape: number[] }>) => {
      seen.push(...headers.keys());
      throw new Error('not this one');
    };
    await expect(readNpz(fixture('version_2.npz'), { check })).rejects.toThrow('not this one');
    expect(seen).toEqual(['a']);
  });
});

describe('refused arrays', () => {
  const bytes = new Uint8Array(6);
  test.each<[string, Buffer, string, RegExp]>([
    ['objects', npyBytes(header("'|O'", '(6,)'), bytes), 'ERR_DATA_SHAPE', /object array/],
    ['big-endian', npyBytes(header("'>i2'", '(3,)'), bytes), 'ERR_DATA_SHAPE', /big-endian/],
    ['a structured dtype', npyBytes(header("[('x', '|u1')]", '(6,)'), bytes), 'ERR_DATA_SHAPE', /structured/],
    ['text', npyBytes(header("'<U1'", '(1,)'), bytes), 'ERR_DATA_SHAPE', /<U1/],
    ['a long dtype', npyBytes(header(`'${'x'.repeat(9000)}'`, '(6,)'), bytes), 'ERR_DATA_SHAPE', /"x{57}\.\.\."/],
    ['an inherited name', npyBytes(header("'constructor'", '(6,)'), bytes), 'ERR_DATA_SHAPE', /constructor/],
    ['too few elements', npyBytes(header("'|u1'", '(7,)'), bytes), 'ERR_DATA_CORRUPT', /bytes for/],
    ['too many elements', npyBytes(header("'|u1'", '(5,)'), bytes), 'ERR_DATA_CORRUPT', /bytes for/],
    [
      'a shape of petabytes',
      npyBytes(header("'|u1'", '(1000000, 1000000, 1000)'), bytes),
      'ERR_DATA_CORRUPT',
      /bytes for/,
    ],
    [
      'a product beyond 2^53',
      npyBytes(header("'|u1'", '(4294967296, 4294967296)'), bytes),
      'ERR_DATA_CORRUPT',
      /shape/,
    ],
    ['a negative size', npyBytes(header("'|u1'", '(-6,)'), bytes), 'ERR_DATA_CORRUPT', /unreadable header/],
    ['a number for a tuple', npyBytes(header("'|u1'", '(6)'), bytes), 'ERR_DATA_CORRUPT', /shape/],
    ['code', npyBytes(header("'|u1'", '__import__("os")'), bytes), 'ERR_DATA_CORRUPT', /unreadable header/],
    [
      'a fourth key',
      npyBytes("{'descr': '|u1', 'fortran_order': False, 'shape': (6,), 'x': 1}", bytes),
      'ERR_DATA_CORRUPT',
      /unreadable/,
    ],
    [
      'a key twice',
      npyBytes("{'descr': '|u1', 'descr': '|u1', 'shape': (6,)}", bytes),
      'ERR_DATA_CORRUPT',
      /unreadable/,
    ],
    ['no dictionary', npyBytes('hello', bytes), 'ERR_DATA_CORRUPT', /unreadable/],
    ['version 4', npyBytes(header("'|u1'", '(6,)'), bytes, [4, 0]), 'ERR_DATA_CORRUPT', /version 4/],
    ['another magic', Buffer.alloc(64), 'ERR_DATA_CORRUPT', /does not start/],
    ['a header that is cut', npyBytes(header("'|u1'", '(6,)')).subarray(0, 40), 'ERR_DATA_CORRUPT', /cut short/],
    ['an endless header', npyBytes(' '.repeat(100_000), bytes, [2, 0]), 'ERR_DATA_CORRUPT', /cut short/],
    ['an empty entry', Buffer.alloc(0), 'ERR_DATA_CORRUPT', /does not start/],
    ['an integer beyond 2^53', npyBytes(header("'<i8'", '(1,)'), Buffer.alloc(8, 0x7f)), 'ERR_DATA_SHAPE', /2\^53/],
  ])('%s', async (_case, npy, code, found) => {
    const error = await refusal(readNpz(await npz('bad.npz', npy)));
    expect(error.found).toMatch(found);
    expect(error.code).toBe(code);
  });

  test('Fortran order is read; of one dimension it is the same bytes', async () => {
    const cube = npyBytes(header("'|u1'", '(2, 3, 1)', 'True'), Uint8Array.of(1, 4, 2, 5, 3, 6));
    expect((await readNpz(await npz('cube.npz', cube))).get('a')).toEqual({
      dtype: '|u1',
      shape: [2, 3, 1],
      fortranOrder: false,
      data: Uint8Array.of(1, 2, 3, 4, 5, 6),
    });
    const file = await npz('vector.npz', npyBytes(header("'|u1'", '(1, 6)', 'True'), Uint8Array.of(1, 2, 3, 4, 5, 6)));
    expect((await readNpz(file)).get('a')).toMatchObject({ shape: [1, 6], data: Uint8Array.of(1, 2, 3, 4, 5, 6) });
  });

  test('Fortran order becomes C order', async () => {
    // numpy.arange(12).reshape(2, 3, 2), the first index fastest.
    const stored = Uint8Array.of(0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11);
    const file = await npz('fortran.npz', npyBytes(header("'|u1'", '(2, 3, 2)', 'True'), stored));
    const { data, shape } = (await readNpz(file)).get('a')!;
    expect([shape, [...data]]).toEqual([[2, 3, 2], Array.from({ length: 12 }, (_, i) => i)]);
  });

  test("arrays larger than the machine's memory are refused by their headers", async () => {
    const memory = jest.spyOn(os, 'totalmem').mockReturnValue(300);
    const error = await refusal(readNpz(fixture('dtypes.npz')));
    expect(error).toMatchObject({ code: 'ERR_DATA_SHAPE', needed: expect.stringContaining('300 bytes') as string });
    memory.mockRestore();
  });

  test('any header text is parsed or refused, quickly', () => {
    const alphabet = fc.constantFrom(
      ...`{}(),:'"[]<|u1f8 TrueFalsdcptonhL0123456789\n`,
      'descr',
      'shape',
      'fortran_order',
    );
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 80 }), fc.boolean(), (pieces, wrap) => {
        const text = wrap ? `{'descr': '|u1', 'shape': (${pieces.join('')}), 'fortran_order': False}` : pieces.join('');
        try {
          const parsed = parseNpyHeader(npyBytes(text), 'a', 'file');
          expect(parsed.shape.every((n) => Number.isSafeInteger(n) && n >= 0)).toBe(true);
        } catch (error) {
          if (!(error instanceof ChestMnistError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
    // A pattern that backtracks would not come to an end here.
    for (const piece of ['(', '1', '1,', ' ', '1L ,', "'"]) {
      expect(() => parseNpyHeader(npyBytes(header("'|u1'", `(${piece.repeat(9000)}`)), 'a', 'file')).toThrow(
        ChestMnistError,
      );
    }
  });

  test('a formatted header is parsed back, elements aligned to 64 bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('|u1', '<i4', '<f4', '<f8'),
        fc.array(fc.nat(1000), { maxLength: 5 }),
        (dtype, shape) => {
          const bytes = formatNpyHeader(dtype, shape);
          expect(bytes.length % 64).toBe(0);
          expect(parseNpyHeader(bytes, 'a', 'file')).toMatchObject({ dtype, shape, dataOffset: bytes.length });
        },
      ),
    );
  });
});

describe('writeNpz', () => {
  const random = (n: number) => Float64Array.from({ length: n }, (_, i) => Math.sin(i) * 1e3);

  test.each([false, true])('compress: %s: what is written is read back', async (compress) => {
    const arrays = {
      u1: { shape: [2, 3], data: Uint8Array.from([1, 2, 3, 253, 254, 255]) },
      i4: { shape: [2], data: Int32Array.of(-(2 ** 31), 2 ** 31 - 1) },
      f4: { shape: [300_000], data: Float32Array.from(random(300_000)) },
      f8: { shape: [2, 1, 2], data: random(7).subarray(2, 6) },
      none: { shape: [0, 14], data: new Uint8Array() },
    };
    const file = at(`written/${compress}.npz`);
    await writeNpz(file, arrays, { compress });
    const read = await readNpz(file);
    expect([...read.keys()]).toEqual(Object.keys(arrays));
    for (const [key, { shape, data }] of Object.entries(arrays)) {
      expect(read.get(key)!.shape).toEqual(shape);
      const got = read.get(key)!.data;
      expect(got.constructor).toBe(data.constructor);
      // toEqual takes seconds for so many elements.
      expect(Buffer.compare(new Uint8Array(got.buffer), new Uint8Array(data.slice().buffer))).toBe(0);
    }
    expect(await readdir(dirname(file))).toEqual(expect.not.arrayContaining([expect.stringContaining('.tmp')]));
  });

  test('the same content gives the same bytes', async () => {
    for (const name of ['one.npz', 'two.npz']) await writeNpz(at(name), { a: { shape: [3], data: random(3) } });
    expect(await readFile(at('one.npz'))).toEqual(await readFile(at('two.npz')));
  });

  test('a shape that does not fit is refused, and an existing file stays as it was', async () => {
    await writeNpz(at('kept.npz'), { a: { shape: [3], data: random(3) } });
    const before = await readFile(at('kept.npz'));
    const error = await refusal(writeNpz(at('kept.npz'), { a: { shape: [4], data: random(3) } }));
    expect(error.code).toBe('ERR_DATA_SHAPE');
    expect(await readFile(at('kept.npz'))).toEqual(before);
  });

  test('what fails after it was written leaves no temporary file', async () => {
    await mkdir(at('taken/a.npz/full'), { recursive: true });
    const error = await refusal(writeNpz(at('taken/a.npz'), { a: { shape: [3], data: random(3) } }));
    expect(error.code).toBe('ERR_OUTPUT');
    expect(await readdir(at('taken'))).toEqual(['a.npz']);
  });

  test('a place that cannot be written gives ERR_OUTPUT and leaves nothing', async () => {
    await write(at('file'), Buffer.from('x'));
    const error = await refusal(writeNpz(at('file/a.npz'), { a: { shape: [3], data: random(3) } }));
    expect(error.code).toBe('ERR_OUTPUT');
    expect(error.found).toContain('cannot be written');
  });
});
