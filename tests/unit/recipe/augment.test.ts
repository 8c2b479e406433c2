/** What is drawn for each image. How it is applied: tests/parity/recipe.test.ts and tests/native/recipe.test.ts. */
import { Random } from '../../../src/base/random';
import { augmentationOf, type Augmentation } from '../../../src/recipe/augment';
import { resolveOptions } from '../../../src/recipe/resolve';
import type { TrainOptions } from '../../../src/recipe/options';

const where = { seed: 3, epoch: 2, count: 500, side: 28 };
const drawn = (options: TrainOptions, changes: Partial<typeof where> = {}): Augmentation | undefined =>
  augmentationOf(resolveOptions(options), { ...where, ...changes });
const column = (rows: ArrayLike<number>, width: number, at: number): number[] =>
  Array.from({ length: rows.length / width }, (_, i) => rows[i * width + at]);
const extremes = (values: number[]): [number, number] => [Math.min(...values), Math.max(...values)];
const EVERYTHING: TrainOptions = {
  ...{
    rotate: 5,
    scale: 0.05,
    shift: 0.07,
    crop: 0.9,
    flip: 0.5,
    brightness: 0.1,
    contrast: 0.1,
    erase: 0.5,
    mixup: 0.2,
  },
};

test('without any range nothing is drawn, and only what is asked for', () => {
  expect(drawn({})).toBeUndefined();
  expect(Object.keys(drawn({ rotate: 5 })!)).toEqual(['geometry']);
  expect(Object.keys(drawn({ mixup: 0.2 })!)).toEqual(['partners', 'shares']);
});

test('it depends on seed, epoch and index alone: more images change none of those before', () => {
  const [few, many] = [drawn({ ...EVERYTHING, mixup: 0 }, { count: 5 })!, drawn({ ...EVERYTHING, mixup: 0 })!];
  for (const name of ['geometry', 'intensity', 'erased'] as const)
    expect([...few[name]!]).toEqual([...many[name]!.slice(0, few[name]!.length)]);
  for (const change of [{ seed: 4 }, { epoch: 3 }, { seed: 3 + 2 ** 32 }])
    expect(drawn(EVERYTHING, change)!.geometry).not.toEqual(drawn(EVERYTHING)!.geometry);
});

test('an element more or less leaves the others as they are', () => {
  const all = drawn(EVERYTHING)!;
  expect(drawn({ ...EVERYTHING, mixup: 0, erase: 0 })!.geometry).toEqual(all.geometry);
  expect(drawn({ mixup: 0.2 })!.shares).toEqual(all.shares);
  expect(drawn({ brightness: 0.1, contrast: 0.1 })!.intensity).toEqual(all.intensity);
});

test('is fixed for ever: a resumed run must draw the same', () => {
  const all = drawn(EVERYTHING, { count: 2 })!;
  expect([...all.geometry!].map((value) => Number(value.toFixed(5)))).toMatchInlineSnapshot(`
   [
     0.96775,
     0.05815,
     -0.02587,
     -0.05815,
     0.96775,
     0.05076,
     -0.98806,
     -0.00127,
     -0.08887,
     -0.00127,
     0.98806,
     0.06419,
   ]
  `);
  expect([...all.partners!, ...all.erased!]).toMatchInlineSnapshot(`
   [
     0,
     1,
     15,
     18,
     21,
     26,
     0,
     0,
     0,
     0,
   ]
  `);
  expect([...all.shares!, ...all.intensity!].map((value) => Number(value.toFixed(5)))).toMatchInlineSnapshot(`
   [
     0.00001,
     0.91112,
     1.04866,
     0.04649,
     0.96546,
     0.17832,
   ]
  `);
});

test('ranges are kept and filled', () => {
  const near = (values: number[], low: number, high: number): void => {
    const [least, most] = extremes(values);
    expect(least).toBeGreaterThanOrEqual(low - 1e-6);
    expect(least).toBeLessThan(low + (high - low) / 10);
    expect(most).toBeLessThanOrEqual(high + 1e-6);
    expect(most).toBeGreaterThan(high - (high - low) / 10);
  };
  const shifted = drawn({ shift: 0.07 })!.geometry!;
  // A side is 2 units.
  for (const at of [2, 5]) near(column(shifted, 6, at), -0.14, 0.14);
  const rotated = drawn({ rotate: 5 })!.geometry!;
  near(column(rotated, 6, 1), -Math.sin(Math.PI / 36), Math.sin(Math.PI / 36));
  near(column(drawn({ scale: 0.05 })!.geometry!, 6, 0), 1 / 1.05, 1 / 0.95);
  near(column(drawn({ contrast: 0.1 })!.intensity!, 2, 0), 0.9, 1.1);
  near(column(drawn({ brightness: 0.1 })!.intensity!, 2, 1), -0.2, 0.2);
  const cropped = drawn({ crop: 0.64 })!.geometry!;
  near(column(cropped, 6, 0), 0.8, 1);
  // The crop stays within the image.
  for (const at of [0, 1]) {
    const [kept, corner] = [column(cropped, 6, at * 4), column(cropped, 6, at * 3 + 2)];
    expect(kept.every((part, i) => part + Math.abs(corner[i]) <= 1 + 1e-6)).toBe(true);
  }
  const mirrored = column(drawn({ flip: 0.25 })!.geometry!, 6, 0).filter((value) => value < 0).length;
  expect(mirrored / 500).toBeCloseTo(0.25, 1);
});

test('a rectangle of 2 % to 20 %, within the image', () => {
  const boxes = drawn({ erase: 0.5 })!.erased!;
  const areas = Array.from({ length: 500 }, (_, i) => {
    const [top, left, bottom, right] = boxes.subarray(i * 4, i * 4 + 4);
    expect(top >= 0 && left >= 0 && bottom <= 28 && right <= 28).toBe(true);
    return ((bottom - top) * (right - left)) / 28 ** 2;
  });
  const some = areas.filter((area) => area > 0);
  expect(some.length / 500).toBeCloseTo(0.5, 1);
  // A pixel more or less on each side.
  expect(extremes(some)[0]).toBeGreaterThan(0.01);
  expect(extremes(some)[1]).toBeLessThan(0.24);
});

test('shares are Beta(alpha, alpha)', () => {
  for (const alpha of [0.2, 1, 4]) {
    const random = new Random(1, 2, 3);
    const values = Array.from({ length: 20_000 }, () => random.beta(alpha));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(extremes(values)[0]).toBeGreaterThanOrEqual(0);
    expect(extremes(values)[1]).toBeLessThanOrEqual(1);
    expect(mean).toBeCloseTo(0.5, 1);
    expect(variance / (1 / (4 * (2 * alpha + 1)))).toBeCloseTo(1, 1);
  }
});
