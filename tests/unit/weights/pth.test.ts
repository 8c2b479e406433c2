/** The .pth reader and writer, and its pickle interpreter: what torch wrote, what we write, and files that lie. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { ChestMnistError } from '../../../src/base/errors';
import { loadWeights, saveWeights } from '../../../src/weights';
import { openZip } from '../../../src/base/zip';
import { writeZip } from '../../../src/base/zip-writer';
import type { StateDict } from '../../../src/engine/contract';
import { Callable, Instance, unpickle, type PickleContext } from '../../../src/weights/pickle';
import { withPth } from '../../../src/weights/pth';
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
const incompatible = (action: () => unknown) => failure('ERR_WEIGHTS', action);

describe('reading what torch wrote', () => {
  it.each(['views', 'dtypes'] as const)('%s.pth has the values torch reads, in its order', async (name) => {
    // With values that are not finite, which only loadWeights refuses.
    const read = await withPth(fixture(`${name}.pth`), async ({ dicts: [{ tensors }] }) => {
      const state: StateDict = [];
      for (const tensor of tensors) state.push(await tensor.read());
      return state;
    });
    expect(described(read)).toEqual(withOneNan(expected[name]));
  });

  it.each([
    ['wrapped.pth', 'under state_dict, beside an optimizer, with the module. prefix'],
    ['medmnist.pth', 'under net'],
    ['legacy.pth', 'pickles in a row, as before PyTorch 1.6'],
    ['protocol4.pth', 'a newer pickle protocol'],
    ['objects.pth', 'beside argparse.Namespace, NumPy, paths, sets and counters'],
  ])('%s: %s', async (name) => {
    expect(await loadWeights(fixture(name))).toEqual([f32('fc.weight', [2, 3]), f32('fc.bias', [2], () => 0)]);
  });

  it('passes over what is no tensor', async () => {
    expect(await loadWeights(fixture('mixed.pth'))).toEqual([f32('x', [3], () => 1)]);
  });

  it('reads a state dict with its _metadata', async () => {
    const state = await loadWeights(fixture('metadata.pth'));
    expect(state.map(({ name, shape }) => [name, shape])).toEqual([
      ['weight', [2, 3]],
      ['bias', [2]],
    ]);
  });
});

describe('refusing', () => {
  it.each([
    ['refused-module.pth', /torch\.nn\.modules\.linear\.Linear/],
    ['refused-evil.pth', /posix\.system/],
    ['refused-expanded.pth', /x has an impossible shape/],
    ['refused-int32.pth', /x lies in a IntStorage/],
    ['refused-list.pth', /holds no dict/],
    ['refused-tar.pth', /a tar file/],
  ])('%s', async (name, reason) => {
    const error = await incompatible(() => loadWeights(fixture(name)));
    expect(error.found).toMatch(reason);
    expect(error.next).toMatch(/Python/);
  });

  it('executes nothing', () => {
    expect(existsSync('executed.txt')).toBe(false);
  });

  it.each(['medmnist.pth', 'legacy.pth', 'protocol4.pth'])('%s cut at any length', async (name) => {
    await failure('ERR_CONFIG', () => loadWeights(temporary('absent.pth')));
    const whole = readFileSync(fixture(name));
    const file = temporary('cut.pth');
    for (let length = 4; length < whole.length; length += 37) {
      writeFileSync(file, whole.subarray(0, length));
      await incompatible(() => loadWeights(file));
    }
  });
});

describe('writing', () => {
  const state = [
    f32('conv.weight', [2, 3, 2, 2], (i) => i / 7),
    { name: 'counter', dtype: 'I64' as const, shape: [], data: new BigInt64Array([2n ** 62n]) },
    f32('näme "quoted"', [1]),
    f32('empty', [0, 3]),
  ];

  it('is read again equal, and is the same file every time', async () => {
    const [file, again] = [temporary('ours.pth'), temporary('again.pt')];
    await saveWeights(file, state);
    await saveWeights(again, state);
    expect(described(await loadWeights(file))).toEqual(described(state));
    expect(readFileSync(file).equals(readFileSync(again))).toBe(true);
  });

  it('starts every record at a multiple of 64 bytes', async () => {
    const file = temporary('aligned.pth');
    await saveWeights(file, state);
    const bytes = readFileSync(file);
    let records = 0;
    for (let at = 0; bytes.readUInt32LE(at) === 0x04034b50; records++) {
      const data = at + 30 + bytes.readUInt16LE(at + 26) + bytes.readUInt16LE(at + 28);
      expect(data % 64).toBe(0);
      at = data + bytes.readUInt32LE(at + 22);
    }
    expect(records).toBe(state.length + 3);
  });
});

/** Pickle text put together by hand: strings are BINUNICODE, small integers BININT1. */
const pickle = (...parts: (number[] | string | Buffer)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? unicode(part) : Buffer.from(part))));
const unicode = (text: string) => {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x58, bytes.length, 0, 0, 0]), bytes]);
};
const global = (name: string) => Buffer.from(`c${name.replace(/\.(?=[^.]*$)/, '\n')}\n`);
const EMPTY_DICT = [0x7d];
const EMPTY_TUPLE = [0x29];
const REDUCE = [0x52];
const STOP = [0x2e];
const long = (value: number) => {
  const bytes = Buffer.alloc(10, 0x8a); // LONG1 of 8 bytes
  bytes[1] = 8;
  bytes.writeBigInt64LE(BigInt(value), 2);
  return bytes;
};

describe('the pickle interpreter', () => {
  const context: PickleContext = {
    globals: new Map<string, unknown>([['a.double', new Callable(([x]) => Number(x) * 2)]]),
    persistent: (id) => ({ id }),
  };
  const run = (...parts: Parameters<typeof pickle>) => unpickle(pickle([0x80, 2], ...parts), context);

  it('builds the values of every opcode it knows', () => {
    expect(run([0x28, 0x4e, 0x88, 0x89, 0x4b, 7, 0x4d, 1, 2, 0x4a, 255, 255, 255, 255, 0x74], STOP)).toEqual([
      null,
      true,
      false,
      7,
      513,
      -1,
    ]);
    expect(run([0x47, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], STOP)).toBe(1.5);
    expect(run(long(-5), STOP)).toBe(-5);
    expect(run([0x8a, 0], STOP)).toBe(0);
    expect(run([0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1], STOP)).toBe(2n ** 64n);
    expect(run(EMPTY_DICT, 'k', 'v', [0x73], STOP)).toEqual(new Map([['k', 'v']]));
    expect(run(EMPTY_DICT, [0x28], 'a', [0x4b, 1], 'b', [0x4b, 2, 0x75], STOP)).toEqual(
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    );
    expect(run([0x5d, 0x4b, 1, 0x61, 0x28, 0x4b, 2, 0x4b, 3, 0x65], STOP)).toEqual([1, 2, 3]);
    expect(run('m', [0x71, 9, 0x68, 9, 0x86], STOP)).toEqual(['m', 'm']);
    expect(run('m', [0x72, 1, 1, 0, 0, 0x6a, 1, 1, 0, 0, 0x86], STOP)).toEqual(['m', 'm']);
    expect(run([0x4b, 1, 0x85, 0x51], STOP)).toEqual({ id: [1] });
    expect(run(global('a.double'), [0x4b, 4, 0x85], REDUCE, STOP)).toBe(8);
    expect(run(EMPTY_DICT, EMPTY_DICT, [0x62], STOP)).toEqual(new Map());
    // Protocols 3 to 5.
    const frame = [0x95, 0, 0, 0, 0, 0, 0, 0, 0];
    expect(run(frame, [0x8c, 1, 97, 0x94, 0x8d, 1, 0, 0, 0, 0, 0, 0, 0, 98, 0x94, 0x68, 0, 0x87], STOP)).toEqual([
      'a',
      'b',
      'a',
    ]);
    expect(run([0x43, 2, 1, 2], STOP)).toEqual(new Uint8Array([1, 2]));
    expect(run([0x8c, 1, 97, 0x8c, 6], Buffer.from('double'), [0x93, 0x4b, 4, 0x85], REDUCE, STOP)).toBe(8);
    expect(run([0x4b, 1, 0x32, 0x30], STOP)).toBe(1);
  });

  it('makes inert objects of what it does not know', () => {
    for (const name of ['builtins.eval', 'a.constructor', 'os.system']) {
      const made = run(global(name), [0x28], 'exit(1)', [0x74], REDUCE, STOP);
      expect(made).toBeInstanceOf(Instance);
      expect(made).toEqual(new Instance(name));
    }
    const counted = run(global('collections.Counter'), EMPTY_TUPLE, [0x81], 'k', 'v', [0x73], EMPTY_DICT, [0x62], STOP);
    expect((counted as Instance).items).toEqual(new Map([['k', 'v']]));
  });

  it.each<[string, Parameters<typeof pickle>, RegExp]>([
    ['a list of operations without end', [Buffer.alloc(2 ** 21 + 1, 0x4e)], /operations/],
    ['a global whose name is no text', [[0x4b, 1, 0x4b, 2, 0x93], STOP], /without text/],
    ['a call of what is no function', ['eval', EMPTY_TUPLE, REDUCE, STOP], /not a function/],
    ['a call without a tuple', [global('a.double'), [0x4b, 1], REDUCE, STOP], /not a function/],
    ['attributes on a tuple', [EMPTY_TUPLE, EMPTY_DICT, [0x62], STOP], /not a dict/],
    ['a change of a tuple', [EMPTY_TUPLE, [0x4b, 1, 0x61], STOP], /not a list/],
    ['an empty stack', [STOP], /pops an empty stack/],
    ['a value below a mark', [[0x4b, 1, 0x28, 0x85], STOP], /pops an empty stack/],
    ['a mark that was never set', [[0x74], STOP], /mark/],
    ['a memo that was never set', [[0x68, 3], STOP], /never stored/],
    ['items in odd number', [EMPTY_DICT, [0x28, 0x4b, 1, 0x75], STOP], /not a dict/],
    ['a text longer than the pickle', [[0x58, 255, 255, 255, 255, 65]], /ends early/],
    ['no end', [[0x4e]], /ends early/],
    ['a global without an end', [Buffer.from('ctorch')], /ends early/],
    ['INST, an old way to call', [Buffer.from('(ios\nsystem\n'), STOP], /opcode 0x69/],
    ['a length beyond 2^53', [[0x8d, 255, 255, 255, 255, 255, 255, 255, 255], STOP], /ends early/],
    ['a protocol that does not exist', [[0x80, 6], STOP], /protocol 6/],
  ])('refuses %s', (_, parts, reason) => {
    expect(() => run(...parts)).toThrow(reason);
  });
});

describe('.pth files that lie', () => {
  /** A .pth of one tensor `x` of a float storage, with every number chosen. */
  async function lying(options: {
    count?: number;
    offset?: Buffer;
    shape?: number[];
    strides?: number[];
    record?: number;
    key?: string;
    tensors?: number;
    names?: string[];
    extra?: [string, Buffer][];
    compress?: boolean;
  }): Promise<string> {
    const {
      count = 4,
      offset = long(0),
      shape = [2, 2],
      strides = [2, 1],
      record = 16,
      key = '0',
      tensors = 1,
    } = options;
    const tuple = (items: readonly number[]) => pickle([0x28], ...items.map(long), [0x74]);
    const tensor = pickle(
      global('torch._utils._rebuild_tensor_v2'),
      [0x28, 0x28],
      'storage',
      global('torch.FloatStorage'),
      key,
      'cpu',
      long(count),
      [0x74, 0x51],
      offset,
      tuple(shape),
      tuple(strides),
      [0x89],
      global('collections.OrderedDict'),
      EMPTY_TUPLE,
      REDUCE,
      [0x74],
      REDUCE,
    );
    const items = Array.from({ length: tensors }, (_, i) => pickle(i ? `x${i}` : 'x', tensor));
    const root = pickle([0x80, 2], EMPTY_DICT, [0x28], ...items, [0x75], STOP);
    const file = temporary(`lying-${crc32(root)}.pth`);
    const entries: [string, Buffer][] = [
      ['a/data.pkl', root],
      [`a/data/0`, Buffer.alloc(record)],
      ...(options.extra ?? []),
    ];
    await writeZip(
      file,
      entries.map(([name, bytes]) => ({ name, parts: [bytes] })),
      { compress: options.compress },
    );
    return file;
  }

  it('is a sound file when nothing lies', async () => {
    expect(await loadWeights(await lying({}))).toEqual([f32('x', [2, 2], () => 0)]);
    expect(await loadWeights(await lying({ shape: [], strides: [] }))).toEqual([f32('x', [], () => 0)]);
    expect(await loadWeights(await lying({ shape: [1, 4], strides: [2 ** 29, 1] }))).toEqual([
      f32('x', [1, 4], () => 0),
    ]);
  });

  it.each<[string, Parameters<typeof lying>[0], RegExp]>([
    ['an offset beyond the storage', { offset: long(1) }, /beyond its storage/],
    ['a negative offset', { offset: long(-1) }, /impossible/],
    ['an offset beyond 2^53', { offset: Buffer.concat([Buffer.from([0x8a, 9]), Buffer.alloc(9, 1)]) }, /impossible/],
    ['strides beyond the storage', { strides: [3, 1] }, /beyond its storage/],
    ['negative strides', { strides: [-2, 1] }, /impossible/],
    ['too few strides', { strides: [1] }, /impossible/],
    ['strides that would wrap', { strides: [2 ** 52, 1] }, /impossible/],
    ['a shape that would wrap', { shape: [2 ** 32, 2 ** 32], strides: [0, 0] }, /impossible/],
    ['one element seen a billion times', { shape: [32768, 32768], strides: [0, 0] }, /impossible/],
    ['a storage larger than its record', { count: 400 }, /16 bytes for 400/],
    ['a storage of two billion', { count: 2 ** 31 }, /describes a storage in an unknown form/],
    ['a record that is not there', { key: '7' }, /no bytes/],
    ['a key that leaves the folder', { key: '../../etc/passwd' }, /describes a storage in an unknown form/],
    ['two data.pkl', { extra: [['b/data.pkl', Buffer.from('N.')]] }, /2 data\.pkl/],
    ['a big-endian file', { extra: [['a/byteorder', Buffer.from('big')]] }, /byte order is big/],
    ['compressed records', { compress: true, record: 1600, count: 400 }, /compressed/],
  ])('%s', async (_, options, reason) => {
    expect((await incompatible(async () => loadWeights(await lying(options)))).found).toMatch(reason);
  });

  it('copies no more than twice the file, however many strided views it claims', async () => {
    const size = 512;
    const views = { count: size * size, record: 4 * size * size, shape: [size, size], strides: [1, size] };
    expect(await loadWeights(await lying({ ...views, tensors: 2 }))).toHaveLength(2);
    const { found } = await incompatible(async () => loadWeights(await lying({ ...views, tensors: 40 })));
    expect(found).toMatch(/many views/);
  });

  it('refuses a pickle of more operations than a checkpoint has', async () => {
    const file = temporary('large.pth');
    await writeZip(file, [{ name: 'a/data.pkl', parts: [Buffer.alloc(2 ** 21 + 1, 0x7d)] }]);
    expect((await incompatible(() => loadWeights(file))).found).toMatch(/operations/);
  });

  it('any change of its pickle is read or refused, never a crash', async () => {
    const zip = await openZip(fixture('views.pth'));
    const entries = await Promise.all(zip.entries.map(async ({ name }) => ({ name, bytes: await zip.read(name) })));
    await zip.close();
    const length = entries.find(({ name }) => name === 'views/data.pkl')!.bytes.length;
    const file = temporary('changed.pth');
    const change = fc.record({ at: fc.nat(length - 1), byte: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const changed = entries.map(({ name, bytes }) => ({ name, parts: [Buffer.from(bytes)] }));
        const pickle = changed.find(({ name }) => name === 'views/data.pkl')!.parts[0];
        for (const { at, byte } of changes) pickle[at] = byte;
        await writeZip(file, changed);
        const outcome = await loadWeights(file).catch((error: unknown) => error);
        if (outcome instanceof Error) expect((outcome as ChestMnistError).code).toBe('ERR_WEIGHTS');
      }),
      { numRuns: 300 },
    );
  });

  it('any change of the file is read or refused, never a crash', async () => {
    const whole = readFileSync(fixture('medmnist.pth'));
    const file = temporary('changed-zip.pth');
    const change = fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = Buffer.from(whole);
        for (const { at, byte } of changes) bytes[at] = byte;
        writeFileSync(file, bytes);
        const outcome = await loadWeights(file).catch((error: unknown) => error);
        if (outcome instanceof Error) expect((outcome as ChestMnistError).code).toBe('ERR_WEIGHTS');
      }),
      { numRuns: 300 },
    );
  });
});
