/**
 * The check that every value of a state dict can be a weight: finite, and variances not negative. One bad value would
 * turn every score into NaN, so it is named with its tensor where it comes in. Not here: names and shapes (state.ts).
 */
import { types } from 'node:util';
import type { StateDict, StateEntry } from '../engine/contract';
import { shown, weightsError } from './errors';

/** Throws ERR_WEIGHTS for the first value that cannot be a weight. `what` begins the message, e.g. the file. */
export function checkValues(state: StateDict, what: string): void {
  for (const entry of state) {
    if (!types.isFloat32Array(entry.data)) continue;
    const isVariance = /(^|\.)running_var$/.test(entry.name);
    const { at, count } = badValues(entry.data, isVariance ? 0 : -Infinity);
    if (at < 0) continue;
    throw weightsError({
      found: `${what}: ${shown(entry.name)} holds ${entry.data[at]} at [${place(at, entry).join(', ')}]${share(count, entry)}`,
      needed: isVariance ? 'finite variances from 0' : 'finite numbers, within the range of float32',
      next: 'pass weights from before the training diverged, such as those of an earlier epoch',
    });
  }
}

/** The first value that is not finite or below `least`, and how many there are. A plain loop: there are 11 million. */
function badValues(data: Float32Array, least: number): { at: number; count: number } {
  let [at, count] = [-1, 0];
  for (let i = 0; i < data.length; i++) {
    const value = data[i];
    if (value - value === 0 && value >= least) continue;
    if (count++ === 0) at = i;
  }
  return { at, count };
}

const share = (count: number, { data }: StateEntry): string =>
  count > 1 ? `, and ${count - 1} more of its ${data.length} values are like it` : '';

/** The index of an element per dimension. */
function place(at: number, { shape }: StateEntry): number[] {
  const index: number[] = [];
  for (const size of [...shape].reverse()) {
    index.unshift(at % size);
    at = Math.floor(at / size);
  }
  return index;
}
