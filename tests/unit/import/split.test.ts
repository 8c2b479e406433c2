/** Splits that are drawn: no group in two of them, each label about as frequent in each, the same for a seed. */
import { draw } from '../../../src/import/split';
import { synthesize } from '../../../src/data';

/** Labels as frequent, and as often together, as ChestMNIST's; one to five images of a patient in a row. */
const { truth } = synthesize({ seed: 3, counts: { train: 6000, val: 1, test: 1 } }).splits.train;
const vectors = Array.from({ length: 6000 }, (_, i) => truth.subarray(i * 14, (i + 1) * 14));
const groups: number[] = [];
for (let patient = 0; groups.length < 6000; patient++)
  for (let i = 0; i <= patient % 5 && groups.length < 6000; i++) groups.push(patient);
const parts = [70, 10, 20];

test('no group is in two splits, and the parts are as asked', () => {
  const splits = draw(groups, vectors, parts, 0);
  const of = new Map<number, Set<string>>();
  groups.forEach((group, i) => of.set(group, (of.get(group) ?? new Set()).add(splits[i])));
  expect([...of.values()].every((names) => names.size === 1)).toBe(true);
  for (const [name, part] of [
    ['train', 0.7],
    ['val', 0.1],
    ['test', 0.2],
  ] as const) {
    const count = splits.filter((split) => split === name).length;
    // Labels are shared out one by one, so that the total may be off by a group for each.
    expect(Math.abs(count - 6000 * part)).toBeLessThanOrEqual(15 * 5);
  }
});

test('each label is spread more evenly than by chance', () => {
  const splits = draw(groups, vectors, parts, 0);
  for (let label = 0; label < 14; label++) {
    const total = vectors.reduce((sum, vector) => sum + vector[label], 0);
    for (const [name, part] of [
      ['val', 0.1],
      ['test', 0.2],
    ] as const) {
      const count = vectors.reduce((sum, vector, i) => sum + (splits[i] === name ? vector[label] : 0), 0);
      // One standard deviation of a draw at random, without its clusters, and the largest group, which is not divided.
      const bound = Math.max(5, Math.sqrt(total * part * (1 - part)));
      expect(Math.abs(count - total * part)).toBeLessThanOrEqual(bound);
    }
  }
});

test('a seed gives one split, another seed another', () => {
  expect(draw(groups, vectors, parts, 1)).toEqual(draw(groups, vectors, parts, 1));
  expect(draw(groups, vectors, parts, 1)).not.toEqual(draw(groups, vectors, parts, 2));
});
