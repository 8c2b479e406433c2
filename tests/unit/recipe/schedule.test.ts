import { learningRate, milestoneEpochs } from '../../../src/recipe/schedule';
import { order } from '../../../src/recipe/order';

const base = { lr: 1e-3, gamma: 0.1, epochs: 100, milestones: ['50%', '75%'] };

test('50 % and 75 % of 100 epochs', () => {
  expect([0, 49, 50, 74, 75, 99].map((epoch) => learningRate(base, epoch))).toEqual(
    [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5].map((lr): unknown => expect.closeTo(lr, 18)),
  );
});

test('percentages are int(share * epochs); one that is 0 is left out', () => {
  expect(milestoneEpochs({ ...base, epochs: 5 })).toEqual([2, 3]);
  expect(milestoneEpochs({ ...base, epochs: 1 })).toEqual([]);
  expect(milestoneEpochs({ ...base, milestones: ['57%'] })).toEqual([56]); // as Python: int(0.57 * 100)
  expect(learningRate({ ...base, epochs: 1 }, 0)).toBe(1e-3);
});

describe('order', () => {
  test('is a permutation', () => {
    for (const n of [0, 1, 2, 7, 1000]) {
      expect([...order(3, 1, n)].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    }
  });

  test('depends on seed and epoch alone', () => {
    expect(order(1, 2, 50)).toEqual(order(1, 2, 50));
    const others = [order(1, 3, 50), order(2, 2, 50), order(2, 1, 50), order(1 + 2 ** 32, 2, 50)];
    for (const other of others) expect(other).not.toEqual(order(1, 2, 50));
  });

  test('is fixed for ever: a resumed run must draw the same', () => {
    expect([...order(0, 1, 10)]).toEqual([9, 5, 0, 1, 8, 4, 6, 7, 3, 2]);
  });

  test('every place is equally likely for every index', () => {
    const [n, draws] = [8, 8000];
    const counts = new Float64Array(n * n);
    for (let epoch = 0; epoch < draws; epoch++)
      order(7, epoch, n).forEach((index, place) => counts[place * n + index]++);
    const expected = draws / n;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(85.4); // the 0.999 quantile at 49 degrees of freedom
  });
});
