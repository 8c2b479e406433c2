/**
 * How far a float32 computation may be from the same in float64. A bound is never a number that some processor met: it is
 * FACTOR times the distance of LibTorch's (or PyTorch's) own float32 operators from float64 on the same input.
 */
import type { StateDict } from '../../src/engine/contract';

/**
 * Two correct float32 implementations add in different orders, so one is somewhat further from float64 than the other: up
 * to three times in all that was measured (bench/README.md has the margins). A mistake is thousands of times further.
 */
export const FACTOR = 10;

/** Half a unit in the last place of a float32 of size 1: storing a value costs as much, however exact it was. */
const STORED = 2 ** -24;

/**
 * Euclidean distance of `values` from `exact`, which crossed to JavaScript as float32, over the norm of `exact`; or over
 * that of `exact - before`, to judge what a step changed. Infinity where
 * `exact` did not change and `values` did, and for NaN.
 */
export function distance(values: ArrayLike<number>, exact: ArrayLike<number>, before?: ArrayLike<number>): number {
  if (values.length !== exact.length) throw new Error(`${values.length} values, ${exact.length} needed`);
  // Over millions of values: one pass, no call and no choice in the loop, and two sums of each kind, since an addition waits
  // for the one before it: five times as fast.
  const from = before ?? exact;
  const pairs = exact.length - (exact.length % 2);
  let difference = 0;
  let difference2 = 0;
  let size = 0;
  let size2 = 0;
  let change = 0;
  let change2 = 0;
  for (let i = 0; i < pairs; i += 2) {
    const one = exact[i];
    const two = exact[i + 1];
    const d = values[i] - one;
    const d2 = values[i + 1] - two;
    const c = one - from[i];
    const c2 = two - from[i + 1];
    difference += d * d;
    difference2 += d2 * d2;
    size += one * one;
    size2 += two * two;
    change += c * c;
    change2 += c2 * c2;
  }
  for (let i = pairs; i < exact.length; i++) {
    difference += (values[i] - exact[i]) ** 2;
    size += exact[i] ** 2;
    change += (exact[i] - from[i]) ** 2;
  }
  difference += difference2;
  size += size2;
  change = before ? change + change2 : size;
  if (change === 0) return difference === 0 ? 0 : Infinity;
  const result = Math.sqrt((difference + STORED * STORED * size) / change);
  return result >= 0 ? result : Infinity;
}

/** The middle one; of an even number, the larger of the two. */
export const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1];

/**
 * Tensors that round alike are judged together. The second moments are one kind, although fc's come out more exact by plain
 * operators: the fast kernel adds (1 - 0.999) g^2 with float32's 0.999, which makes that term 1.3e-5 too small everywhere.
 */
function kindOf(name: string, rank: number): string {
  if (/running_(mean|var)$/.test(name)) return 'running statistics';
  if (name.startsWith('exp_avg_sq.')) return 'second moments';
  const what = name.startsWith('exp_avg.') ? 'first moments' : 'weights';
  return `${what} of ${rank === 4 ? 'convolutions' : rank === 2 ? 'fc' : 'norms'}`;
}

/** The distance of the tensor that is furthest off, for each kind of tensor. Counters have to be equal. */
export function furthest(state: StateDict, exact: StateDict, before?: StateDict): Record<string, number> {
  const result: Record<string, number> = {};
  exact.forEach(({ name, dtype, shape, data }, i) => {
    const values = state[i].data;
    if (state[i].name !== name) throw new Error(`${state[i].name} in the place of ${name}`);
    if (dtype === 'I64' || name === 'step') {
      if (String(values) !== String(data)) throw new Error(`${name} is ${values}, not ${data}`);
      return;
    }
    const kind = kindOf(name, shape.length);
    const one = distance(values as Float32Array, data as Float32Array, before?.[i].data as Float32Array | undefined);
    if (!(one <= (result[kind] ?? 0))) result[kind] = one;
  });
  return result;
}
