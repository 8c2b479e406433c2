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
