/** Pictures as files: their kinds, depths and shapes, arrays, and what is refused. By Pillow: tests/parity/pictures.test.ts. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { writeNpz } from '../../../src/base/npz';
import { decode } from '../../../src/data/pictures/decode';
import { readPictures } from '../../../src/data/pictures/read';
import { npy } from '../../support/npz';
import { grayPng, png } from '../../support/png';

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
const GRAY = { size: 28, fit: 'crop', channels: 1 } as const;
const ramp = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => i % 251);
const kindsOf = (notes: readonly { kind: string }[]): string[] => notes.map(({ kind }) => kind);

describe('squares', () => {
  test('a picture of the right size is taken pixel by pixel', async () => {
    const source = await file(
      'a.png',
      grayPng(28, 28, (x, y) => x + 5 * y),
    );
    const { names, images, notes } = await readPictures(source, GRAY);
    expect(names).toEqual([source]);
    expect([...images.subarray(0, 3), images[29]]).toEqual([0, 1, 2, 6]);
    expect(notes).toEqual([]);
  });

  test('one that is not: its central square, black bars, or stretched; and it is said', async () => {
    const wide = await file(
      'wide.png',
      grayPng(40, 28, (x) => (x >= 6 && x < 34 ? 200 : 0)),
    );
    const tall = await file(
      'tall.png',
      grayPng(28, 40, (_, y) => (y >= 6 && y < 34 ? 90 : 0)),
    );
    const crop = await readPictures(wide, GRAY);
    expect(new Set(crop.images)).toEqual(new Set([200]));
    expect(crop.notes).toMatchObject([{ kind: 'square', text: expect.stringContaining('40x28') }]);
    expect(new Set((await readPictures(tall, GRAY)).images)).toEqual(new Set([90]));
    const padded = await readPictures(wide, { ...GRAY, size: 40, fit: 'pad' });
    const row = (y: number): number[] => [...padded.images.subarray(y * 40, (y + 1) * 40)];
    expect([5, 6, 33, 34].map((y) => row(y)[20])).toEqual([0, 200, 200, 0]);
    expect([row(20)[5], row(20)[6]]).toEqual([0, 200]);
    const { images } = await readPictures(wide, { ...GRAY, fit: 'stretch' });
    expect([images[28 * 14], images[28 * 14 + 14]]).toEqual([0, 200]);
  });

  test('gray and RGB, of gray and of colour', async () => {
    const samples = Array.from({ length: 28 * 28 * 3 }, (_, i) => [250, 100, 7][i % 3]);
    const colour = await file('colour.png', png(28, 28, samples, { colour: 2 }));
    const gray = await file(
      'gray.png',
      grayPng(28, 28, (x) => x),
    );
    expect((await readPictures(colour, GRAY)).images[0]).toBe((19595 * 250 + 38470 * 100 + 7471 * 7 + 0x8000) >> 16);
    expect([...(await readPictures(colour, { ...GRAY, channels: 3 })).images.subarray(0, 6)]).toEqual([
      ...[250, 100, 7, 250, 100, 7],
    ]);
    expect([...(await readPictures(gray, { ...GRAY, channels: 3 })).images.subarray(0, 6)]).toEqual([0, 0, 0, 1, 1, 1]);
  });
});

describe('16 bits', () => {
  const wide = (top: number, chunks = {}): Promise<string> =>
    file(
      '16.png',
      png(
        28,
        28,
        Array.from({ length: 784 }, (_, i) => Math.round((i / 783) * top)),
        { depth: 16, chunks },
      ),
    );

  test.each([
    [65535, 16],
    [40000, 16],
    [16383, 14],
    [4095, 12],
    [3000, 12],
    [1023, 10],
    [255, 8],
  ])('the highest value, %d, decides the depth: %d', async (top, depth) => {
    const { images, notes } = await readPictures(await wide(top), GRAY);
    expect(images[783]).toBe(Math.round((top * 255) / (2 ** depth - 1)));
    expect(kindsOf(notes)).toEqual([`depth ${depth}`]);
  });

  test('colour and alpha', async () => {
    const rgba = [60000, 300, 5, 0, 1, 2, 65535, 9];
    const six = await decode(await file('rgba16.png', png(2, 1, rgba, { depth: 16, colour: 6 })));
    expect([six.channels, six.depth, ...six.samples]).toEqual([3, 16, 60000, 300, 5, 1, 2, 65535]);
    const four = await decode(await file('la16.png', png(2, 1, [4000, 0, 7, 65535], { depth: 16, colour: 4 })));
    expect([four.channels, four.depth, ...four.samples]).toEqual([1, 12, 4000, 7]);
    const two = await decode(await file('rgb16.png', png(1, 1, [1, 2, 1023], { depth: 16, colour: 2 })));
    expect([two.channels, two.depth, ...two.samples]).toEqual([3, 10, 1, 2, 1023]);
  });

  test('significant bits that are declared: of values as they are, and of values that were scaled', async () => {
    const sBIT = Uint8Array.of(12);
    expect((await decode(await wide(1000, { sBIT }))).depth).toBe(12);
    expect((await decode(await wide(60000, { sBIT }))).depth).toBe(16);
  });
});

test('a JPEG, known by its content and not its name', async () => {
  const data = await sharp({ create: { width: 32, height: 32, channels: 3, background: '#787878' } })
    .jpeg()
    .toBuffer();
  const { images } = await readPictures(await file('e.png', data), GRAY);
  for (const pixel of images) expect(Math.abs(pixel - 120)).toBeLessThanOrEqual(1);
});

describe('arrays', () => {
  const read = async (name: string, bytes: Buffer, more = {}): Promise<Awaited<ReturnType<typeof readPictures>>> =>
    readPictures(await file(name, bytes), { ...GRAY, ...more });

  test('every image has a name', async () => {
    const one = await read('one.npy', npy({ descr: '|u1', shape: [28, 28], data: ramp(784) }));
    expect(one.names).toEqual([path.join(folder, 'one.npy')]);
    expect(one.images).toEqual(Buffer.from(ramp(784)));
    const two = await read('two.npy', npy({ descr: '|u1', shape: [2, 28, 28, 1], data: ramp(1568) }));
    expect(two.names.map((name) => name.slice(-3))).toEqual(['[0]', '[1]']);
    expect(two.images).toEqual(Buffer.from(ramp(1568)));
    const archive = path.join(folder, 'x.npz');
    await writeNpz(archive, {
      test_images: { shape: [2, 28, 28], data: ramp(1568) },
      test_labels: { shape: [2, 3], data: new Uint8Array(6) },
    });
    const { names, images } = await readPictures(archive, GRAY);
    expect(names).toEqual([`${archive}#test_images[0]`, `${archive}#test_images[1]`]);
    expect(images).toEqual(Buffer.from(ramp(1568)));
  });

  test('one RGB picture as numpy saves it is one picture', async () => {
    const { names, images } = await read(
      'rgb.npy',
      npy({ descr: '|u1', shape: [28, 28, 3], data: ramp(2352).map((_, i) => [9, 80, 200][i % 3]) }),
    );
    expect(names).toHaveLength(1);
    expect(new Set(images)).toEqual(new Set([(19595 * 9 + 38470 * 80 + 7471 * 200 + 0x8000) >> 16]));
  });

  test('a shape that may be two things is asked about, and --layout answers', async () => {
    const bytes = npy({ descr: '|u1', shape: [3, 28, 28], data: ramp(2352) });
    await expect(read('three.npy', bytes)).rejects.toMatchObject({
      code: 'ERR_DATA_SHAPE',
      found: expect.stringContaining('CHW or NHW'),
      next: expect.stringMatching(/layout/),
    });
    expect((await read('three.npy', bytes, { layout: 'NHW' })).names).toHaveLength(3);
    const planar = await read('three.npy', bytes, { layout: 'CHW' });
    expect(planar.names).toEqual([path.join(folder, 'three.npy')]);
    const [red, green, blue] = [0, 784, 1568].map((at) => ramp(2352)[at]);
    expect(planar.images[0]).toBe((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16);
    await expect(read('three.npy', bytes, { layout: 'NHWC' })).rejects.toMatchObject({ code: 'ERR_DATA_SHAPE' });
    // In MedMNIST's files the first axis is that of the images.
    const archive = path.join(folder, 'three.npz');
    await writeNpz(archive, { images: { shape: [3, 28, 28], data: ramp(2352) } });
    expect((await readPictures(archive, GRAY)).names).toHaveLength(3);
  });

  test('Fortran order, float16, float32 and uint16 are what numpy shows', async () => {
    const fortran = Uint8Array.from({ length: 784 }, (_, i) => ramp(784)[(i % 28) * 28 + Math.floor(i / 28)]);
    const image = await read('f.npy', npy({ descr: '|u1', shape: [28, 28], data: fortran, fortran: true }));
    expect(image.images).toEqual(Buffer.from(ramp(784)));
    const float32 = Float32Array.from(ramp(784), (value) => value / 255);
    const bytes = new Uint8Array(float32.buffer);
    expect((await read('f4.npy', npy({ descr: '<f4', shape: [28, 28], data: bytes }))).images).toEqual(
      Buffer.from(ramp(784)),
    );
    const half = new Uint16Array(784).fill(0x3800); // 0.5
    const halves = await read('f2.npy', npy({ descr: '<f2', shape: [28, 28], data: new Uint8Array(half.buffer) }));
    expect([new Set(halves.images), kindsOf(halves.notes)]).toEqual([new Set([128]), ['fraction']]);
    const twelve = Uint16Array.from(ramp(784), (value) => value * 16);
    const u2 = await read('u2.npy', npy({ descr: '<u2', shape: [28, 28], data: new Uint8Array(twelve.buffer) }));
    expect([u2.images[250], kindsOf(u2.notes)]).toEqual([Math.round((4000 * 255) / 4095), ['depth 12']]);
  });

  test('values that are no picture are refused with their range', async () => {
    for (const values of [
      [-1.5, 2.2],
      [NaN, 0.5],
      [0, 70000],
    ]) {
      const data = new Uint8Array(Float32Array.from({ length: 784 }, (_, i) => values[i % 2]).buffer);
      await expect(read('z.npy', npy({ descr: '<f4', shape: [28, 28], data }))).rejects.toMatchObject({
        code: 'ERR_DATA_SHAPE',
        found: expect.stringMatching(/has values from (?:-1.5 to 2.2|NaN to NaN|0 to 70000)/),
      });
    }
  });

  test('an .npz without images says what it has', async () => {
    const archive = path.join(folder, 'labels.npz');
    await writeNpz(archive, { labels: { shape: [2, 3], data: new Uint8Array(6) } });
    await expect(readPictures(archive, GRAY)).rejects.toMatchObject({
      code: 'ERR_DATA_SHAPE',
      found: expect.stringContaining('labels'),
    });
  });
});

const whole = grayPng(64, 64, (x, y) => (x * y) % 256);

test.each([
  ['no file', 'none.png', undefined, 'ERR_DATA_MISSING', /cannot be read/],
  ['an empty file', 'empty.png', '', 'ERR_DATA_CORRUPT', /is empty/],
  ['text', 'text.png', 'hello, I am a picture', 'ERR_DATA_CORRUPT', /is text/],
  ['a page', 'page.jpg', '<!DOCTYPE html><html>404</html>', 'ERR_DATA_CORRUPT', /HTML/],
  ['a GIF', 'x.png', 'GIF89a\x01\0\x01\0', 'ERR_DATA_CORRUPT', /is a GIF/],
  [
    'a PNG cut in its pixels',
    'cut.png',
    whole.subarray(0, whole.length - 300),
    'ERR_DATA_CORRUPT',
    /cannot be decoded/,
  ],
  ['a PNG header alone', 'head.png', whole.subarray(0, 20), 'ERR_DATA_CORRUPT', /ends within its header/],
  ['a cut JPEG', 'cut.jpg', Buffer.from('ffd8ffe000104a464946', 'hex'), 'ERR_DATA_CORRUPT', /cannot be decoded/],
  ['a cut TIFF', 'cut.tif', 'II*\0\x08\0\0\0', 'ERR_DATA_CORRUPT', /cannot be decoded/],
  ['a cut WebP', 'cut.webp', 'RIFF\x24\0\0\0WEBPVP8 ', 'ERR_DATA_CORRUPT', /cannot be decoded/],
  [
    'a short .npy',
    'short.npy',
    npy({ descr: '|u1', shape: [28, 28], data: ramp(700) }),
    'ERR_DATA_CORRUPT',
    /700 bytes/,
  ],
  ['no image', 'zero.npy', npy({ descr: '|u1', shape: [0, 28, 28], data: ramp(0) }), 'ERR_DATA_SHAPE', /no picture/],
  ['five axes', 'five.npy', npy({ descr: '|u1', shape: [1, 1, 1, 9, 9], data: ramp(81) }), 'ERR_DATA_SHAPE', /shape/],
])('refuses %s, and names the file with its folder', async (_what, name, bytes, code, found) => {
  const full = bytes === undefined ? path.join(folder, name) : await file(name, bytes);
  const refusal: unknown = await readPictures(full, GRAY).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code, found: expect.stringMatching(found) });
  expect((refusal as { found: string }).found).toContain(full);
});

test('a JPEG cut anywhere in its pixels is refused', async () => {
  const noise = {
    create: {
      width: 64,
      height: 64,
      channels: 3,
      background: 'gray',
      noise: { type: 'gaussian', sigma: 40, mean: 128 },
    },
  } as const;
  for (const progressive of [false, true]) {
    const data = await sharp(noise).jpeg({ progressive }).toBuffer();
    for (const part of [0.3, 0.6, 0.9]) {
      const cut = await file('part.jpg', data.subarray(0, Math.floor(data.length * part)));
      await expect(readPictures(cut, GRAY)).rejects.toMatchObject({ code: 'ERR_DATA_CORRUPT' });
    }
  }
});

test.each([
  ['more pixels than are read', 60_000, 60_000],
  ['pixels that so few bytes cannot hold', 4000, 4000],
  ['rows of no width, two thousand million of them', 0, 2 ** 31 + 7],
])('a PNG that declares %s is refused before anything is allocated', async (_what, width, height) => {
  const bomb = grayPng(28, 28, () => 0);
  bomb.writeUInt32BE(width, 16);
  bomb.writeUInt32BE(height, 20);
  bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
  const before = process.memoryUsage().arrayBuffers;
  await expect(readPictures(await file('bomb.png', bomb), GRAY)).rejects.toMatchObject({
    code: 'ERR_DATA_CORRUPT',
    found: expect.stringMatching(/cannot be in/),
  });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2e6);
});

test('a JPEG that declares pixels which so few bytes cannot hold is refused', async () => {
  const data = await sharp({ create: { width: 28, height: 28, channels: 3, background: 'gray' } })
    .jpeg()
    .toBuffer();
  const frame = data.indexOf(Buffer.from('ffc0', 'hex'));
  data.writeUInt16BE(7900, frame + 5);
  data.writeUInt16BE(7900, frame + 7);
  await expect(readPictures(await file('bomb.jpg', data), GRAY)).rejects.toMatchObject({
    code: 'ERR_DATA_CORRUPT',
    found: expect.stringContaining('cannot be in its'),
  });
});

test('a true picture with more pixels than are read is refused', async () => {
  const data = await sharp({ create: { width: 12000, height: 9000, channels: 3, background: 'gray' } })
    .webp()
    .toBuffer();
  await expect(readPictures(await file('large.webp', data), GRAY)).rejects.toMatchObject({
    code: 'ERR_DATA_CORRUPT',
    found: expect.stringContaining('12000x9000 pixels, more than 100 million'),
  });
});

test('pictures of one colour, which compress the most, are read', async () => {
  const black = { create: { width: 700, height: 700, channels: 3, background: 'black' } } as const;
  for (const format of ['png', 'jpeg', 'webp', 'tiff'] as const) {
    const source = await file(`black.${format}`, await sharp(black).toFormat(format).toBuffer());
    expect((await readPictures(source, GRAY)).images).toEqual(Buffer.alloc(784));
  }
});

test('pages, frames and transparency are said', async () => {
  const clear = Buffer.from([10, 20, 30, 0, 200, 210, 220, 128]);
  const source = await file('alpha.png', png(2, 1, clear, { colour: 6 }));
  expect(await decode(source)).toMatchObject({ channels: 3, notes: [{ kind: 'alpha' }] });
  expect([...(await decode(source)).samples]).toEqual([10, 20, 30, 200, 210, 220]);
  const gray = await decode(await file('gray-alpha.png', png(2, 1, [10, 0, 200, 128], { colour: 4 })));
  expect([gray.channels, ...gray.samples]).toEqual([1, 10, 200]);
});
