import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { encode } from 'jpeg-js';
import { PNG } from 'pngjs';
import { writeNpz } from '../../../src/base/npz';
import { readImages } from '../../../src/data/pictures';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'images-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, bytes: Uint8Array | string): Promise<string> {
  const full = path.join(folder, name);
  await writeFile(full, bytes);
  return full;
}

/** RGBA of a picture whose gray value is value(x, y). */
function rgba(width: number, height: number, value: (x: number, y: number) => number): Buffer {
  const data = Buffer.alloc(width * height * 4, 255);
  for (let i = 0; i < width * height; i++) data.fill(value(i % width, Math.floor(i / width)), 4 * i, 4 * i + 3);
  return data;
}
function png(width: number, height: number, value: (x: number, y: number) => number): Buffer {
  const picture = new PNG({ width, height });
  rgba(width, height, value).copy(picture.data);
  return PNG.sync.write(picture);
}
/** A .npy file, version 1.0. */
function npy(descr: string, shape: number[], data: Uint8Array, order = 'False'): Buffer {
  const text = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape.join(', ')},), }`.padEnd(117) + '\n';
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.from([text.length, 0]),
    Buffer.from(text),
    data,
  ]);
}
const ramp = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => i % 251);

test('a PNG of the right size is taken pixel by pixel', async () => {
  const { names, images } = await readImages(
    await file(
      'a.png',
      png(28, 28, (x, y) => x + 5 * y),
    ),
    28,
  );
  expect(names).toEqual([path.join(folder, 'a.png')]);
  expect([...images.subarray(0, 3), images[29]]).toEqual([0, 1, 2, 6]);
});

test('a larger one is averaged over areas', async () => {
  // 2x2 blocks of 0, 10, 20, 30 have mean 15.
  const { images } = await readImages(
    await file(
      'b.png',
      png(56, 56, (x, y) => 10 * (x % 2) + 20 * (y % 2)),
    ),
    28,
  );
  expect(new Set(images)).toEqual(new Set([15]));
});

test('the central square is kept', async () => {
  const wide = await readImages(
    await file(
      'c.png',
      png(40, 28, (x) => (x >= 6 && x < 34 ? 200 : 0)),
    ),
    28,
  );
  expect(new Set(wide.images)).toEqual(new Set([200]));
  const tall = await readImages(
    await file(
      'd.png',
      png(28, 40, (_, y) => (y >= 6 && y < 34 ? 90 : 0)),
    ),
    28,
  );
  expect(new Set(tall.images)).toEqual(new Set([90]));
});

test('a JPEG, known by its content and not its name', async () => {
  const { data } = encode({ data: rgba(32, 32, () => 120), width: 32, height: 32 }, 95);
  const { images } = await readImages(await file('e.png', data), 28);
  for (const pixel of images) expect(Math.abs(pixel - 120)).toBeLessThanOrEqual(1);
});

test('.npy and .npz: every image has a name', async () => {
  const one = await readImages(await file('one.npy', npy('|u1', [28, 28], ramp(784))), 28);
  expect(one.names).toEqual([path.join(folder, 'one.npy')]);
  expect(one.images).toEqual(ramp(784));
  const two = await readImages(await file('two.npy', npy('|u1', [2, 28, 28, 1], ramp(1568))), 28);
  expect(two.names.map((name) => name.slice(-3))).toEqual(['[0]', '[1]']);
  expect(two.images).toEqual(ramp(1568));
  const archive = path.join(folder, 'x.npz');
  await writeNpz(archive, {
    test_images: { shape: [2, 28, 28], data: ramp(1568) },
    test_labels: { shape: [2, 3], data: new Uint8Array(6) },
  });
  const { names, images } = await readImages(archive, 28);
  expect(names).toEqual([`${archive}#test_images[0]`, `${archive}#test_images[1]`]);
  expect(images).toEqual(ramp(1568));
});

test.each([
  ['no file', 'none.png', undefined, 'ERR_DATA_MISSING'],
  ['empty', 'empty.png', '', 'ERR_DATA_CORRUPT'],
  ['text', 'text.png', 'hello, I am a picture', 'ERR_DATA_CORRUPT'],
  ['a truncated PNG', 'cut.png', png(64, 64, (x) => x).subarray(0, 90), 'ERR_DATA_CORRUPT'],
  ['a PNG header alone', 'head.png', png(64, 64, (x) => x).subarray(0, 20), 'ERR_DATA_CORRUPT'],
  ['a truncated JPEG', 'cut.jpg', Buffer.from('ffd8ffe000104a464946', 'hex'), 'ERR_DATA_CORRUPT'],
  ['a short .npy', 'short.npy', npy('|u1', [28, 28], ramp(700)), 'ERR_DATA_CORRUPT'],
  ['a float .npy', 'float.npy', npy('<f4', [14, 14], ramp(784)), 'ERR_DATA_SHAPE'],
  ['Fortran order', 'fortran.npy', npy('|u1', [28, 28], ramp(784), 'True'), 'ERR_DATA_SHAPE'],
  ['colour', 'colour.npy', npy('|u1', [1, 16, 16, 3], ramp(768)), 'ERR_DATA_SHAPE'],
  ['no image', 'zero.npy', npy('|u1', [0, 28, 28], ramp(0)), 'ERR_DATA_SHAPE'],
])('refuses %s', async (_what, name, bytes, code) => {
  const full = bytes === undefined ? path.join(folder, name) : await file(name, bytes);
  await expect(readImages(full, 28)).rejects.toMatchObject({ code });
});

test.each([
  ['more pixels than are read', 60_000, 60_000],
  ['pixels that so few bytes cannot hold', 4000, 4000],
  ['rows of no width, two thousand million of them', 0, 2 ** 31 + 7],
])('a PNG that declares %s is refused before anything is allocated', async (_what, width, height) => {
  const bomb = png(28, 28, () => 0);
  bomb.writeUInt32BE(width, 16);
  bomb.writeUInt32BE(height, 20);
  bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
  const before = process.memoryUsage().arrayBuffers;
  await expect(readImages(await file('bomb.png', bomb), 28)).rejects.toMatchObject({
    code: 'ERR_DATA_CORRUPT',
    found: expect.stringMatching(/cannot be in|are more than/),
  });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2e6);
});

test('a JPEG that declares pixels which so few bytes cannot hold is refused', async () => {
  const { data } = encode({ width: 28, height: 28, data: rgba(28, 28, (x) => x) }, 90);
  const frame = data.indexOf(Buffer.from('ffc0', 'hex'));
  data.writeUInt16BE(7900, frame + 5);
  data.writeUInt16BE(7900, frame + 7);
  await expect(readImages(await file('bomb.jpg', data), 28)).rejects.toMatchObject({
    code: 'ERR_DATA_CORRUPT',
    found: expect.stringContaining('maxResolutionInMP'),
  });
});

test('a JPEG whose sampling factors ask for far more memory than its pixels take is refused', async () => {
  const found = 'ffd8ffffc0104a46494600010100ffd9000100010000ffdb0084000d090a0b0a080d0b0a0b0e0e0d0f13';
  await expect(readImages(await file('factors.jpg', Buffer.from(found, 'hex')), 28)).rejects.toMatchObject({
    code: 'ERR_DATA_CORRUPT',
    found: expect.stringContaining('maxMemoryUsageInMB'),
  });
});

test('pictures of one colour, which compress the most, are read', async () => {
  const { data } = encode({ width: 400, height: 400, data: rgba(400, 400, () => 0) }, 1);
  expect(new Set((await readImages(await file('black.jpg', data), 28)).images).size).toBe(1);
  const black = await file(
    'black.png',
    png(700, 700, () => 0),
  );
  expect((await readImages(black, 28)).images).toEqual(new Uint8Array(784));
});

test('an .npz without images says what it has', async () => {
  const archive = path.join(folder, 'labels.npz');
  await writeNpz(archive, { labels: { shape: [2, 3], data: new Uint8Array(6) } });
  await expect(readImages(archive, 28)).rejects.toMatchObject({
    code: 'ERR_DATA_SHAPE',
    found: expect.stringContaining('labels'),
  });
});
