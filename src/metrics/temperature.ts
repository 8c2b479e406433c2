/**
 * Temperatures: what logits are divided by so that their probabilities are calibrated. One per label, or one for all
 * exclusive labels, whose probabilities share a softmax; each is the minimum of the mean cross-entropy on a split.
 * Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.
 */
import { isExclusive } from '../base/task';
import type { Predictions } from './types';

/** Beyond these a split is too small or too well separated to say more. */
const [LOWEST, HIGHEST] = [0.05, 20];

export interface Temperatures {
  /** [L], from 0.05 to 20; 1 leaves a label as it is. Of exclusive labels all are the same. */
  temperatures: number[];
  /** Indices of the labels that keep 1, since the split has one value of them only. */
  kept: number[];
}

/** Temperatures fitted to logits [N, L] and their truth, by Newton steps within the bounds. */
export function fitTemperatures(predictions: Predictions & { logits: Float32Array }): Temperatures {
  const { task, truth, logits, labelCount } = predictions;
  if (isExclusive(task)) {
    const one = 1 / minimum((scale) => softmaxSlope(logits, truth, labelCount, scale));
    return { temperatures: Array<number>(labelCount).fill(one), kept: [] };
  }
  const kept: number[] = [];
  const temperatures = Array.from({ length: labelCount }, (_, label) => {
    const column = (of: ArrayLike<number>): number[] => {
      const values: number[] = [];
      for (let i = label; i < of.length; i += labelCount) values.push(of[i]);
      return values;
    };
    const [ofLabel, values] = [column(truth), column(logits)];
    if (ofLabel.every((value) => value === ofLabel[0])) {
      kept.push(label);
      return 1;
    }
    return 1 / minimum((scale) => sigmoidSlope(values, ofLabel, scale));
  });
  return { temperatures, kept };
}

/** First and second derivative of a sum of losses by what the logits are multiplied by. */
type Slope = [first: number, second: number];

function sigmoidSlope(logits: readonly number[], truth: readonly number[], scale: number): Slope {
  let [first, second] = [0, 0];
  for (let i = 0; i < logits.length; i++) {
    const x = logits[i];
    const p = 1 / (1 + Math.exp(-scale * x));
    first += (p - truth[i]) * x;
    second += p * (1 - p) * x * x;
  }
  return [first, second];
}

function softmaxSlope(logits: Float32Array, truth: Uint8Array, labelCount: number, scale: number): Slope {
  let [first, second] = [0, 0];
  for (let start = 0; start < logits.length; start += labelCount) {
    let most = -Infinity;
    for (let i = start; i < start + labelCount; i++) most = Math.max(most, logits[i]);
    // Sums over the row of exp, of it times the logit, and times its square; logits counted from the largest.
    let [sum, mean, square, chosen] = [0, 0, 0, 0];
    for (let i = start; i < start + labelCount; i++) {
      const x = logits[i] - most;
      const e = Math.exp(scale * x);
      sum += e;
      mean += e * x;
      square += e * x * x;
      if (truth[i] === 1) chosen = x;
    }
    first += mean / sum - chosen;
    second += square / sum - (mean / sum) ** 2;
  }
  return [first, second];
}

/** Where a convex function is least within the bounds: Newton's step, or half of the interval where it leads out of it. */
function minimum(slope: (scale: number) => Slope): number {
  let [low, high] = [1 / HIGHEST, 1 / LOWEST];
  if (slope(low)[0] >= 0) return low;
  if (slope(high)[0] <= 0) return high;
  let scale = 1;
  for (let i = 0; i < 100; i++) {
    const [first, second] = slope(scale);
    if (first > 0) high = scale;
    else low = scale;
    const newton = scale - first / second;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - scale) <= 1e-12 * scale) return next;
    scale = next;
  }
  return scale;
}
