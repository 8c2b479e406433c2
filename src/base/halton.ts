/**
 * Points that fill a unit cube evenly: the Halton sequence with permuted digits, another permutation for each dimension
 * and place (Owen, "A randomized Halton algorithm in R", arXiv 1706.02808). Not here: what a coordinate stands for.
 */
import { Random } from './random';

/** One per dimension. */
const BASES = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53] as const;
export const MOST_DIMENSIONS = BASES.length;

/**
 * Point number `index` (from 0) in [0, 1)^`dimensions`, at most MOST_DIMENSIONS; the same `seed`, from 0 to 2^53 - 1,
 * gives the same sequence. The first b^k points have one coordinate in each of b^k equal parts, b being the base of the
 * dimension.
 */
export function haltonPoint(index: number, dimensions: number, seed: number): number[] {
  return BASES.slice(0, dimensions).map((base, dimension) => {
    // More places change nothing in a double.
    const places = Math.ceil(53 / Math.log2(base));
    let rest = index;
    let [sum, weight] = [0, 1 / base];
    for (let place = 0; place < places; place++, weight /= base) {
      sum += permutation(base, seed, dimension, place)[rest % base] * weight;
      rest = Math.floor(rest / base);
    }
    return Math.min(sum, 1 - Number.EPSILON / 2);
  });
}

function permutation(base: number, seed: number, dimension: number, place: number): number[] {
  const random = new Random(seed % 2 ** 32, Math.floor(seed / 2 ** 32), dimension, place + 1);
  const digits = Array.from({ length: base }, (_, digit) => digit);
  for (let i = base - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [digits[i], digits[j]] = [digits[j], digits[i]];
  }
  return digits;
}
