/**
 * The order of an epoch's images, as a pure function of seed and epoch: a resumed run continues with the same order.
 */
import { Random } from '../base/random';

/**
 * A permutation of 0..n-1 that depends only on (seed, epoch): Fisher-Yates with a separate generator per epoch. `seed`
 * is an integer from 0 to 2^53 - 1, `epoch` one from 0 to 2^32 - 1.
 */
export function order(seed: number, epoch: number, n: number): Int32Array {
  const random = new Random(seed % 2 ** 32, Math.floor(seed / 2 ** 32), epoch);
  const indices = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [indices[i], indices[j]] = [indices[j], indices[i]];
  }
  return indices;
}

/**
 * `n` draws with replacement, in which every label is drawn equally often, whatever its prevalence: first a label that has
 * images, or none where there are images without any, then one of its images. `truth` is [n, labelCount] of 0 or 1.
 */
export function balancedOrder(seed: number, epoch: number, truth: Uint8Array, labelCount: number): Int32Array {
  const n = truth.length / labelCount;
  const groups: number[][] = Array.from({ length: labelCount + 1 }, () => []);
  for (let i = 0; i < n; i++) {
    const row = truth.subarray(i * labelCount, (i + 1) * labelCount);
    row.forEach((value, label) => value === 1 && groups[label].push(i));
    if (!row.includes(1)) groups[labelCount].push(i);
  }
  const drawn = groups.filter(({ length }) => length > 0);
  const random = new Random(seed % 2 ** 32, Math.floor(seed / 2 ** 32), epoch);
  return Int32Array.from({ length: n }, () => {
    const group = drawn[random.below(drawn.length)];
    return group[random.below(group.length)];
  });
}
