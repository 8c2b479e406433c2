import { copyFile, mkdir, truncate } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { CHESTMNIST, CHESTMNIST_LABELS, limitSplit, loadDataset } from '../../../src/data';
import { hashFile } from '../../../src/base/checksum';
import { readNpz, writeNpz } from '../../../src/base/npz';
import { fixture, refusal, scratch, write, zipBytes } from '../../support/data-files';

const at = scratch();
type Arrays = Record<string, { shape: number[]; data: Uint8Array | Float32Array }>;

/** A right data set of `size` pixels, with some arrays replaced or (undefined) left out. */
async function file(
  replaced: Record<string, Arrays[string] | undefined> = {},
  size = 28,
  labels = 14,
): Promise<string> {
  const arrays: Arrays = {};
  for (const [split, count] of Object.entries({ train: 5, val: 3, test: 4 })) {
    arrays[`${split}_images`] = { shape: [count, size, size], data: new Uint8Array(count * size * size).fill(count) };
    arrays[`${split}_labels`] = { shape: [count, labels], data: new Uint8Array(count * labels).fill(1, 0, labels) };
  }
  const all = Object.entries({ ...arrays, ...replaced }).filter(
    (entry): entry is [string, Arrays[string]] => !!entry[1],
  );
  await writeNpz(at('my set.npz'), Object.fromEntries(all), { compress: true });
  return at('my set.npz');
}

const zeros = (...shape: number[]) => ({ shape, data: new Uint8Array(shape.reduce((p, n) => p * n, 1)) });

describe('a path', () => {
  test('gives three splits, names, MD5 and the absolute path', async () => {
    const dataset = await loadDataset(await file());
    expect(dataset).toMatchObject({ name: 'my set', size: 28, path: at('my set.npz') });
    // Fourteen columns do not make it ChestMNIST.
    expect(dataset.labels).toEqual(Array.from({ length: 14 }, (_, label) => `label_${label}`));
    expect(dataset.md5).toBe(await hashFile(at('my set.npz'), 'md5'));
    expect(dataset.splits.val).toMatchObject({ count: 3, size: 28, labelCount: 14 });
    expect(dataset.splits.val.images).toEqual(new Uint8Array(3 * 784).fill(3));
    expect([...dataset.splits.val.truth].slice(0, 15)).toEqual([...new Array<number>(14).fill(1), 0]);
  });

  test('a name that would command a terminal or end a line is not the name of the data', async () => {
    const odd = at('a\nb\x1b[2J\u202e.npz');
    await copyFile(await file(), odd);
    expect(await loadDataset(odd)).toMatchObject({ name: 'a-b-[2J-', path: odd });
  });

  test('other numbers of labels and larger images', async () => {
    const dataset = await loadDataset(await file({}, 30, 2));
    expect(dataset).toMatchObject({ size: 30, labels: ['label_0', 'label_1'] });
  });

  test('a trailing axis of one channel is the same images', async () => {
    const dataset = await loadDataset(await file({ val_images: zeros(3, 28, 28, 1) }));
    expect(dataset.splits.val).toMatchObject({ count: 3, size: 28 });
  });

  test.each(['set_bool.npz', 'set_int64.npz'])('%s: labels become uint8 of 0 and 1', async (name) => {
    const { truth: labels } = (await loadDataset(fixture(name))).splits.train;
    expect(labels).toBeInstanceOf(Uint8Array);
    expect([...labels]).toEqual([...(await readNpz(fixture(name))).get('train_labels')!.data]);
    expect(new Set(labels)).toEqual(new Set([0, 1]));
  });

  const label = (value: number) => {
    const data = new Float32Array(70);
    data[16] = value;
    return { shape: [5, 14], data };
  };
  test.each<[string, Record<string, Arrays[string] | undefined>, string, string]>([
    ['missing arrays', { val_labels: undefined }, 'has no val_labels', 'train_images, train_labels'],
    ['float images', { train_images: { shape: [5, 28, 28], data: new Float32Array(5 * 784) } }, 'dtype <f4', 'uint8'],
    [
      'labels that are no whole numbers',
      { test_labels: { shape: [4, 14], data: new Float32Array(56).fill(0.5, 17, 18) } },
      'test_labels holds 0.5 at [1, 3]',
      '0 and 1',
    ],
    ['labels below 0', { train_labels: label(-1) }, 'train_labels holds -1 at [1, 2]', '0 and 1'],
    [
      'an empty split',
      { val_images: zeros(0, 28, 28), val_labels: zeros(0, 14) },
      'val_images is empty',
      'at least one',
    ],
    ['another count of labels', { train_labels: zeros(4, 14) }, 'train_labels has shape [4, 14]', 'of the 5 images'],
    ['another width of labels', { test_labels: zeros(4, 13) }, 'test_labels has shape [4, 13]', '14 columns'],
    ['one column in one split', { train_labels: zeros(5) }, 'val_labels has shape [3, 14]', '1 columns'],
    ['three dimensions of labels', { train_labels: zeros(5, 1, 14) }, 'train_labels has shape [5, 1, 14]', '[N, L]'],
    ['labels of no column', { train_labels: zeros(5, 0) }, 'train_labels has shape [5, 0]', '[N, L]'],
    ['a label of 2', { train_labels: label(2) }, 'train_labels holds 2 at [1, 2]', '0 and 1'],
    ['an odd size', { train_images: zeros(5, 29, 29) }, '[5, 29, 29]', 'an even size'],
    ['a size below 28', { train_images: zeros(5, 26, 26) }, '[5, 26, 26]', 'at least 28'],
    ['oblong images', { train_images: zeros(5, 28, 30) }, '[5, 28, 30]', 'square'],
    ['RGB in one split', { train_images: zeros(5, 28, 28, 3) }, 'val_images has shape [3, 28, 28]', 'RGB'],
    ['channels first', { train_images: zeros(5, 3, 28, 28) }, '[5, 3, 28, 28]', 'RGB [N, H, H, 3]'],
    ['flat images', { train_images: zeros(5, 784) }, '[5, 784]', 'square images'],
    ['sizes that differ', { val_images: zeros(3, 30, 30) }, 'val_images has shape [3, 30, 30]', 'train_images, 28'],
  ])('%s', async (_case, replaced, found, needed) => {
    const error = await refusal(loadDataset(await file(replaced)));
    expect(error.code).toBe('ERR_DATA_SHAPE');
    expect(error.found).toContain(at('my set.npz'));
    expect(error.found).toContain(found);
    expect(error.needed).toContain(needed);
  });

  test.each([
    ['set_float.npz', 'train_images has dtype <f4'],
    ['set_object.npz', 'train_labels is an object array'],
    ['set_big_endian.npz', 'train_labels is big-endian'],
    ['set_structured.npz', 'train_labels has a structured dtype'],
    ['set_text.npz', 'train_labels has dtype'],
  ])('%s, as NumPy writes it', async (name, found) => {
    const error = await refusal(loadDataset(fixture(name)));
    expect(error.code).toBe('ERR_DATA_SHAPE');
    expect(error.found).toContain(found);
  });

  test('missing, truncated, not a zip, a zip of something else', async () => {
    expect(await refusal(loadDataset(at('absent.npz')))).toMatchObject({ code: 'ERR_DATA_MISSING' });
    expect(await refusal(loadDataset('no_such_name'))).toMatchObject({
      code: 'ERR_DATA_MISSING',
      next: expect.stringContaining('./no_such_name') as string,
    });
    await truncate(await file(), 500);
    expect((await refusal(loadDataset(at('my set.npz')))).code).toBe('ERR_DATA_CORRUPT');
    await write(at('text.npz'), Buffer.from('hello'));
    expect((await refusal(loadDataset(at('text.npz')))).code).toBe('ERR_DATA_CORRUPT');
    await write(at('other.npz'), zipBytes([{ name: 'readme.txt', content: Buffer.from('hello') }]));
    expect((await refusal(loadDataset(at('other.npz')))).found).toContain('no arrays');
  });

  test('a bomb of zeros that claims images is refused by its headers, before it is inflated', async () => {
    const bomb = await file({ train_images: zeros(50_000, 28, 28) });
    const before = process.memoryUsage().arrayBuffers;
    expect((await refusal(loadDataset(bomb))).found).toContain('train_labels');
    // Half of what the images would take.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  });
});

describe('a name', () => {
  const saved = { ...process.env };
  beforeEach(async () => {
    jest.spyOn(os, 'homedir').mockReturnValue(at('home'));
    process.env.CHESTMNIST_DATA = at('data');
    process.env.XDG_CACHE_HOME = at('cache');
    await mkdir(at('data'), { recursive: true });
  });
  afterEach(() => {
    jest.restoreAllMocks();
    process.env = { ...saved };
  });

  test('missing: says where it looked, the address, the checksum and how to get it', async () => {
    const error = await refusal(loadDataset('chestmnist', { size: 64 }));
    expect(error.code).toBe('ERR_DATA_MISSING');
    for (const folder of [path.resolve('.'), at('data'), path.join(at('home'), '.medmnist'), at('cache/chestmnist')]) {
      expect(error.found).toContain(folder);
    }
    expect(error.needed).toContain('https://zenodo.org/records/10519652/files/chestmnist_64.npz?download=1');
    expect(error.needed).toContain('9de6cd0b934ebb5b7426cfba5efbae16');
    expect(error.next).toContain('chestmnist data fetch chestmnist --size 64');
    expect(error.next).toContain('by hand');
  });

  test.each(['data/chestmnist.npz', 'home/.medmnist/chestmnist.npz', 'cache/chestmnist/chestmnist.npz'])(
    'found in %s, and refused when its MD5 is not the catalogue’s',
    async (place) => {
      await mkdir(path.dirname(at(place)), { recursive: true });
      await copyFile(fixture('set.npz'), at(place));
      const error = await refusal(loadDataset('chestmnist'));
      expect(error.code).toBe('ERR_DATA_CHECKSUM');
      expect(error.found).toContain(at(place));
      expect(error.found).toContain(await hashFile(fixture('set.npz'), 'md5'));
      expect(error.needed).toContain('02c8a6516a18b556561a56cbdd36c4a8');
      await truncate(at(place), 100);
      expect((await refusal(loadDataset('chestmnist'))).code).toBe('ERR_DATA_CHECKSUM');
      await import('node:fs/promises').then(({ rm }) => rm(at(place)));
    },
  );

  test('a size that ChestMNIST does not come in', async () => {
    expect((await refusal(loadDataset('chestmnist', { size: 32 }))).code).toBe('ERR_CONFIG');
  });

  test('the right MD5 is accepted', async () => {
    await copyFile(fixture('set.npz'), at('data/chestmnist.npz'));
    const known = CHESTMNIST.files[0] as { md5: string };
    const { md5 } = known;
    known.md5 = await hashFile(fixture('set.npz'), 'md5');
    expect(await loadDataset('chestmnist')).toMatchObject({ name: 'chestmnist', md5: known.md5, size: 28 });
    known.md5 = md5;
  });
});

test('an aborted signal stops it', async () => {
  const reason = new Error('enough');
  await expect(loadDataset(fixture('set.npz'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

describe('limitSplit', () => {
  test('takes the first images without copying', async () => {
    const { train } = (await loadDataset(fixture('set.npz'))).splits;
    const two = limitSplit(train, 2);
    expect(two).toMatchObject({ count: 2, size: 28, labelCount: 14 });
    expect(two.images).toEqual(train.images.slice(0, 2 * 784));
    expect(two.truth).toEqual(train.truth.slice(0, 28));
    expect(two.images.buffer).toBe(train.images.buffer);
    expect(limitSplit(train, 99)).toBe(train);
    for (const n of [0, -1, 1.5, NaN])
      expect(() => limitSplit(train, n)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
  });
});

test('the catalogue holds the published facts', () => {
  const { train, val, test: tested } = CHESTMNIST.splits;
  expect([train.count, val.count, tested.count]).toEqual([78468, 11219, 22433]);
  expect(train.count + val.count + tested.count).toBe(112120);
  expect(CHESTMNIST_LABELS).toHaveLength(14);
  expect(CHESTMNIST_LABELS[12]).toBe('pleural');
  expect(CHESTMNIST.files.map(({ file: name }) => name)).toEqual([
    'chestmnist.npz',
    'chestmnist_64.npz',
    'chestmnist_128.npz',
    'chestmnist_224.npz',
  ]);
  for (const { positives, count, unlabelled } of [train, val, tested]) {
    expect(positives).toHaveLength(14);
    expect(Math.max(...positives) + unlabelled).toBeLessThanOrEqual(count);
  }
});
