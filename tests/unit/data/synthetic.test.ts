import { createHash } from 'node:crypto';
import { CHESTMNIST, loadDataset, SPLIT_NAMES, synthesize, type Dataset, type Split } from '../../../src/data';
import { chestXray14Combinations } from '../../../src/data/synthetic/chestxray14';
import { countTurns } from '../../support/turns';

const L = 14;
const counts = { train: 400, val: 200, test: 300 };

function positives({ truth: labels }: Split): number[] {
  const sums = new Array<number>(L).fill(0);
  labels.forEach((value, i) => (sums[i % L] += value));
  return sums;
}

const masksOf = ({ truth: labels, count }: Split): number[] =>
  Array.from({ length: count }, (_, i) =>
    labels.subarray(i * L, (i + 1) * L).reduce((mask, bit, l) => mask | (bit << l), 0),
  );

const digest = (dataset: Dataset): string => {
  const md5 = createHash('md5');
  for (const name of SPLIT_NAMES) md5.update(dataset.splits[name].images).update(dataset.splits[name].truth);
  return md5.digest('hex');
};

test('the same bytes on every machine and in every version: golden checksums', () => {
  expect(synthesize({ seed: 0, counts }).md5).toBe('d7d613cf932de6f0bfd430fbd2f782b4');
  expect(synthesize({ seed: 7, size: 64, counts: { train: 30, val: 1, test: 28 } }).md5).toBe(
    '0d06c667dd7d5e9a906e0c9f55d741de',
  );
});

test('shape, names and MD5', () => {
  const dataset = synthesize({ counts });
  expect(dataset).toMatchObject({ name: 'synthetic', size: 28, labels: CHESTMNIST.labels, md5: digest(dataset) });
  for (const name of SPLIT_NAMES) {
    const { images, truth: labels, count, size, labelCount } = dataset.splits[name];
    expect({ count, size, labelCount }).toEqual({ count: counts[name], size: 28, labelCount: L });
    expect([images.length, labels.length]).toEqual([count * 784, count * L]);
    expect(labels.every((value) => value === 0 || value === 1)).toBe(true);
    const mean = images.reduce((sum, value) => sum + value, 0) / images.length;
    expect(mean).toBeGreaterThan(80);
    expect(mean).toBeLessThan(180);
  }
});

test('another seed gives other images and labels, the same seed the same', () => {
  const [a, b, c] = [1, 1, 2 ** 53 - 1].map((seed) => synthesize({ seed, counts }));
  expect(a.md5).toBe(b.md5);
  expect(a.md5).not.toBe(c.md5);
  expect(a.splits.train.truth).not.toEqual(c.splits.train.truth);
  expect(a.splits.train.images.subarray(0, 784)).not.toEqual(a.splits.val.images.subarray(0, 784));
});

test('loadDataset makes the same, reports progress, leaves the event loop free and can be aborted', async () => {
  const seen: number[] = [];
  const turns = countTurns();
  const dataset = await loadDataset('synthetic', { seed: 3, counts, onProgress: (done) => seen.push(done) });
  expect(dataset.md5).toBe(synthesize({ seed: 3, counts }).md5);
  expect(seen.at(-1)).toBe(900);
  expect(turns()).toBeGreaterThanOrEqual(seen.length);
  const abort = new AbortController();
  const reason = new Error('enough');
  const stopped = loadDataset('synthetic', { signal: abort.signal, onProgress: () => abort.abort(reason) });
  await expect(stopped).rejects.toBe(reason);
});

test('full splits have the real prevalences, exactly', () => {
  const { val, test: tested } = CHESTMNIST.splits;
  const dataset = synthesize({ counts: { train: 1, val: val.count, test: tested.count } });
  for (const name of ['val', 'test'] as const) {
    expect(positives(dataset.splits[name])).toEqual(CHESTMNIST.splits[name].positives);
    expect(masksOf(dataset.splits[name]).filter((mask) => mask === 0)).toHaveLength(CHESTMNIST.splits[name].unlabelled);
  }
});

test.each([28, 64, 200, 1000, 5000])('a split of %d: rounded prevalences, every label with both values', (count) => {
  const { val } = synthesize({ seed: count, counts: { train: 1, val: count, test: 1 } }).splits;
  const facts = CHESTMNIST.splits.val;
  expect(positives(val)).toEqual(facts.positives.map((n) => Math.max(1, Math.round((n * count) / facts.count))));
  expect(masksOf(val).filter((mask) => mask === 0)).toHaveLength(Math.round((facts.unlabelled * count) / facts.count));
});

test.each([1, 2, 3, 5, 13, 27])('a split of %d images is made', (count) => {
  expect(synthesize({ counts: { train: count, val: count, test: count } }).splits.test.count).toBe(count);
});

test('label combinations occur as often as in ChestX-ray14', () => {
  const combinations = chestXray14Combinations();
  const real = new Map(combinations.map(({ mask, count }) => [mask, count]));
  // The table itself, by the totals that NIH publishes.
  const total = combinations.reduce((sum, { count }) => sum + count, 0);
  const withLabel = (label: number) =>
    combinations.reduce((sum, { mask, count }) => sum + ((mask >> label) & 1) * count, 0);
  expect({ total, without: real.get(0), different: real.size }).toEqual({
    total: 112_120,
    without: 60_361,
    different: 801,
  });
  expect(Array.from({ length: L }, (_, label) => withLabel(label))).toEqual([
    11_559, 2776, 13_317, 19_894, 5782, 6331, 1431, 5302, 4667, 2303, 2516, 1686, 3385, 227,
  ]);
  const { test: split } = synthesize({ counts: { train: 1, val: 1, test: 22433 } }).splits;
  const made = new Map<number, number>();
  for (const mask of masksOf(split)) made.set(mask, (made.get(mask) ?? 0) + 1);
  let distance = 0;
  for (const mask of new Set([...made.keys(), ...real.keys()])) {
    distance += Math.abs((made.get(mask) ?? 0) / split.count - (real.get(mask) ?? 0) / total) / 2;
  }
  // Total variation distance; the splits of ChestMNIST differ from the whole by about as much.
  expect(distance).toBeLessThan(0.03);
});

test('every label leaves a mark where images with it differ from images without', () => {
  const { train } = synthesize({ seed: 5, counts: { train: 6000, val: 1, test: 1 } }).splits;
  const masks = masksOf(train);
  const wanted: number[][] = Array.from({ length: L }, () => []);
  masks.forEach((mask, i) => {
    for (let label = 0; label < L; label++) if ((mask >> label) & 1) wanted[label].push(i);
  });
  const clean = masks.flatMap((mask, i) => (mask === 0 ? [i] : []));
  const mean = (indices: number[], pixel: number) =>
    indices.reduce((sum, i) => sum + train.images[i * 784 + pixel], 0) / indices.length;
  const variance = (indices: number[], pixel: number, centre: number) =>
    indices.reduce((sum, i) => sum + (train.images[i * 784 + pixel] - centre) ** 2, 0) / indices.length;
  for (let label = 0; label < L; label++) {
    let strongest = 0;
    for (let pixel = 0; pixel < 784; pixel++) {
      const [a, b] = [mean(wanted[label], pixel), mean(clean, pixel)];
      const error = Math.sqrt((variance(wanted[label], pixel, a) + variance(clean, pixel, b)) / wanted[label].length);
      strongest = Math.max(strongest, Math.abs(a - b) / error);
    }
    expect({ label, strongest: strongest > 4 }).toEqual({ label, strongest: true });
  }
});

test.each([
  [{ seed: -1 }, 'seed -1'],
  [{ seed: 0.5 }, 'seed 0.5'],
  [{ size: 29 }, 'size 29'],
  [{ size: 26 }, 'size 26'],
  [{ size: 226 }, 'size 226'],
  [{ counts: { ...counts, val: 0 } }, '0 val images'],
  [{ counts: { ...counts, train: 78469 } }, '78469 train images'],
  [{ counts: { ...counts, test: NaN } }, 'NaN test images'],
])('%j is refused', (options, found) => {
  expect(() => synthesize(options)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG', found }));
});
