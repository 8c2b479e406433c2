/** The order of an epoch's images, as a pure function of seed and epoch: nothing is remembered, so a resumed run is the same run. */
import { Random } from '../base/random';

/**
 * A permutation of 0..n-1, drawn from (seed, epoch) alone: Fisher-Yates over a generator of its own for every epoch.
 * `seed` is a whole number below 2^53, `epoch` one below 2^32.
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
