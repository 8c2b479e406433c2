/** `explain`: the maps are about the network and the picture, add up to the logit, and the page of them holds in a browser. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { parseNpyHeader } from '../../src/base/npy';
import { explain, predict, saveWeights, train, type Explanation } from '../../src';
import { makeTrainer } from '../../src/engine/trainer';
import { CHROMIUM, launch, openPage, violations } from '../support/browser';
import { scratch } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';
import { npz, type Npy } from '../support/npz';
import { grayPng } from '../support/png';

const folder = scratch();
const at = (...names: string[]): string => path.join(folder(), ...names);
const CPU = { device: 'cpu', threads: 1 } as const;

/** Noise, with a bright square of six pixels that begins at (x, y). */
function withSquare(seed: number, x: number, y: number, flipped = false): Uint8Array {
  const pixels = Uint8Array.from({ length: 784 }, (_, i) => 60 + ((((i + 1) * (seed + 7) * 2654435761) >>> 24) % 80));
  for (let i = y; i < y + 6; i++) pixels.fill(240, i * 28 + x, i * 28 + x + 6);
  if (flipped) for (let i = 0; i < 28; i++) pixels.subarray(i * 28, i * 28 + 28).reverse();
  return pixels;
}
const plain = (seed: number): Uint8Array => withSquare(seed, 28, 28);

/** Whether there is a square, and whether the number of the image is even, which nothing shows. */
function split(count: number, first: number): [Npy, Npy] {
  const seeds = Array.from({ length: count }, (_, i) => first + i);
  const images = seeds.map((seed) =>
    seed % 3 === 0 ? plain(seed) : withSquare(seed, (seed * 5) % 23, (seed * 11) % 23),
  );
  return [
    { descr: '|u1', shape: [count, 28, 28], data: Buffer.concat(images) },
    {
      descr: '|u1',
      shape: [count, 2],
      data: Uint8Array.from(seeds.flatMap((seed) => [Number(seed % 3 !== 0), seed % 2])),
    },
  ];
}

/** Where the largest value of a map is, in pixels of the image. */
async function peakOf({ centers }: Explanation, file: string): Promise<{ x: number; y: number; values: Float32Array }> {
  const bytes = await readFile(file);
  const { dtype, shape, dataOffset } = parseNpyHeader(bytes, 'map', file);
  expect([dtype, shape]).toEqual(['<f4', [centers.length, centers.length]]);
  const values = new Float32Array(Uint8Array.from(bytes.subarray(dataOffset)).buffer);
  const most = values.indexOf(Math.max(...values));
  return { x: centers[most % centers.length], y: centers[Math.floor(most / centers.length)], values };
}

let explained: Explanation;
beforeAll(async () => {
  const names = ['train', 'val', 'test'].flatMap((name) => [`${name}_images`, `${name}_labels`]);
  const arrays = [...split(512, 0), ...split(60, 1000), ...split(30, 2000)];
  const data = await npz(folder(), 'squares.npz', Object.fromEntries(names.map((name, i) => [name, arrays[i]])));
  const options = { data, epochs: 4, batchSize: 32, out: folder(), name: 'run', report: false, resamples: 0, ...CPU };
  await train({ ...options, labelNames: ['square', 'even | <b>'] });
  const pictures = {
    'a.png': withSquare(5001, 3, 4),
    'flipped.png': withSquare(5001, 3, 4, true),
    'none.png': plain(5003),
  };
  for (const [name, pixels] of Object.entries(pictures))
    await writeFile(
      at(name),
      grayPng(28, 28, (x, y) => pixels[y * 28 + x]),
    );
  explained = await explain(at('run'), [at('a.png'), at('flipped.png'), at('none.png')], {
    output: at('maps'),
    ...CPU,
  });
});

test('occlusion finds the square that was planted, and its mirror image in the flipped picture', async () => {
  expect(explained).toMatchObject({ method: 'occlusion', bias: null, size: 28, scale: { from: 'validation' } });
  const [a, flipped] = explained.images.map(({ findings }) => findings.find(({ label }) => label === 'square')!);
  expect([a.above, flipped.above]).toEqual([true, true]);
  const [peak, mirrored] = [await peakOf(explained, a.map), await peakOf(explained, flipped.map)];
  // The square has its center at (6, 7); squares that cover it stand two pixels apart.
  expect(Math.hypot(peak.x - 6, peak.y - 7)).toBeLessThanOrEqual(3);
  expect(Math.hypot(mirrored.x - 22, mirrored.y - 7)).toBeLessThanOrEqual(3);
  expect(explained.scale.values[0]).toBeGreaterThan(0);
});

test('numbers are those of predict; a picture without a finding has its most probable one, marked', async () => {
  const { scores, decisions } = await predict(at('run'), [at('a.png'), at('flipped.png'), at('none.png')], CPU);
  for (const [i, { findings }] of explained.images.entries()) {
    const decided = ['square', 'even | <b>'].filter((_, label) => decisions[i * 2 + label] === 1);
    expect(findings.map(({ label }) => label)).toEqual(decided.length > 0 ? decided : [expect.any(String)]);
    for (const { label, probability, threshold, above, logit } of findings) {
      expect(probability).toBeCloseTo(scores[i * 2 + (label === 'square' ? 0 : 1)], 6);
      expect([threshold, above]).toEqual([0.5, decided.length > 0]);
      expect(1 / (1 + Math.exp(-logit))).toBeCloseTo(probability, 6);
    }
  }
  expect(explained.images[2].findings.some(({ label, above }) => label === 'square' && above)).toBe(false);
});

/** Weights of a network that nothing was taught, of another seed. */
async function untaught(name: string, stem: 'torchvision' | 'cifar'): Promise<string> {
  const trainer = makeTrainer({ stem, labelCount: 2, imageSize: 28, seed: 9, ...CPU });
  await saveWeights(at(name), await trainer.stateDict());
  await trainer.dispose();
  return at(name);
}

test('other weights give another map; without their data the scale is that of the pictures, and that is said', async () => {
  const weights = await untaught('other.safetensors', 'torchvision');
  const other = await explain(weights, [at('a.png')], { output: at('other'), ...CPU, thresholds: 0 });
  expect(other).toMatchObject({
    scale: { from: 'pictures' },
    notes: expect.arrayContaining([expect.stringContaining('--data')]),
  });
  const [ours] = await Promise.all([peakOf(explained, explained.images[0].findings[0].map)]);
  const { values } = await peakOf(other, other.images[0].findings[0].map);
  const product = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const likeness =
    product(ours.values, values) / Math.sqrt(product(ours.values, ours.values) * product(values, values));
  expect(Math.abs(likeness)).toBeLessThan(0.9);
});

test.each([
  ['average', false],
  ['average', true],
  ['attention', false],
  ['attention', true],
] as const)('the evidence of a 4 x 4 layer adds up to the logit: %s head, exact %s', async (head, exact) => {
  const trainer = makeTrainer({ stem: 'cifar', head, labelCount: 3, imageSize: 28, seed: 2, exact, ...CPU });
  // Queries that are not zero: attention far from the average.
  const queried = (await trainer.stateDict()).map((entry) =>
    entry.name === 'query.weight'
      ? { ...entry, data: Float32Array.from({ length: entry.data.length }, (_, i) => Math.sin(i)) }
      : entry,
  );
  await trainer.loadStateDict(queried);
  const data = Buffer.concat([withSquare(1, 3, 4), withSquare(2, 9, 9), plain(3)]);
  const images = { data, shape: [3, 3, 28, 28], strides: [784, 0, 28, 1] } as const;
  const { logits, evidence } = await trainer.predict({ images, batchSize: 2, evidence: true });
  const bias = (await trainer.stateDict()).find(({ name }) => name === 'fc.bias')!.data as Float32Array;
  expect(exact ? trainer.execution : 'plain').toBe('plain');
  await trainer.dispose();
  expect(evidence).toHaveLength(3 * 3 * 16);
  for (let i = 0; i < 9; i++) {
    const mean = evidence!.subarray(i * 16, i * 16 + 16).reduce((sum, value) => sum + value, 0) / 16;
    expect(Math.abs(mean + bias[i % 3] - logits[i])).toBeLessThan(1e-5);
  }
});

test('evidence is the method of the CIFAR stem, and refused where the last layer is too small', async () => {
  const weights = await untaught('cifar.safetensors', 'cifar');
  const done = await explain(weights, [at('a.png')], { output: at('evidence'), thresholds: 0, ...CPU });
  expect(done).toMatchObject({ method: 'evidence', centers: [3.5, 10.5, 17.5, 24.5] });
  for (const [i, { map, logit }] of done.images[0].findings.entries()) {
    const { values } = await peakOf(done, map);
    expect(values.reduce((sum, value) => sum + value, 0) / 16 + done.bias![i]).toBeCloseTo(logit, 5);
  }
  const args = ['explain', at('run'), at('a.png'), '-o', at('none'), '--method', 'evidence'];
  const { code, stderr } = await chestmnist(args);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('has 1 x 1 positions') });
});

test('the command writes the files and names the page; a folder that holds something is refused', async () => {
  await writeFile(at('broken.png'), 'no picture');
  const args = ['explain', at('run'), at('a.png'), at('broken.png'), '-o', at('by command'), '--device', 'cpu'];
  const { code, stdout, stderr } = await chestmnist([...args, '--json']);
  expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('left out: ') });
  const printed = JSON.parse(stdout);
  const { skipped, ...stated } = printed;
  expect(skipped).toMatchObject([{ image: at('broken.png'), code: 'ERR_DATA_CORRUPT' }]);
  expect(JSON.parse(await readFile(at('by command', 'explain.json'), 'utf8'))).toEqual(stated);
  const [{ picture }] = printed.images[0].findings;
  const sharp = (await import('sharp')).default;
  expect(await sharp(picture).metadata()).toMatchObject({ format: 'png', width: 708 });
  expect(await chestmnist(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('is not empty') });
});

(CHROMIUM ? describe : describe.skip)('index.html in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  test.each([
    [390, 'light'],
    [768, 'dark'],
    [1280, 'dark'],
  ] as const)('at %i pixels in %s: no trouble, no sideways scrolling, axe finds nothing', async (width, scheme) => {
    const { page, troubles } = await openPage(browser, pathToFileURL(explained.page).href, width, scheme);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    const images = await page.evaluate('[...document.images].filter((image) => image.naturalWidth > 0).length');
    expect(images).toBe(3 + 2 * explained.images.reduce((sum, { findings }) => sum + findings.length, 0));
    expect(await violations(page)).toEqual([]);
    expect(troubles).toEqual([]);
    await page.close();
  });
});
