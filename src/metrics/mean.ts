/**
 * Several models of one task taken together: the mean of their probabilities, and how far apart they are. Not here: the
 * figures of the mean, which are those of any predictions (compute.ts).
 */
import { isExclusive, type Task } from '../base/task';
import { logOdds } from './log-odds';

const sigmoid = (x: number): number => {
  const small = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : small) / (1 + small);
};

/**
 * The logits [N, L] whose probabilities are the mean of those of the models. Probabilities near 0 and near 1 keep their
 * digits: each is summed beside its complement.
 */
export function meanLogits(task: Task | undefined, models: readonly Float32Array[], labelCount: number): Float32Array {
  if (models.length === 1) return models[0];
  const exclusive = isExclusive(task);
  const odds = exclusive ? models.map((logits) => logOdds(logits, labelCount)) : models;
  return Float32Array.from(models[0], (_, i) => {
    let [yes, no] = [0, 0];
    for (const of of odds) {
      yes += sigmoid(of[i]);
      no += sigmoid(-of[i]);
    }
    // A sum of 0 is below the smallest number: its logarithm stays finite.
    const [p, q] = [yes, no].map((sum) => Math.max(sum / models.length, Number.MIN_VALUE));
    if (!exclusive) return Math.log(p) - Math.log(q);
    return p > 0.5 ? Math.log1p(-q) : Math.log(p);
  });
}

/** The standard deviation (n - 1) of the models' values at each place: of probabilities, how uncertain the mean is. */
export function spreadOf(models: readonly Float64Array[]): Float64Array {
  return Float64Array.from(models[0], (_, i) => deviation(models.map((of) => of[i])).sd);
}

/** Mean and standard deviation (n - 1). */
export function deviation(values: readonly number[]): { mean: number; sd: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, sd: Math.sqrt(squares / (values.length - 1)) };
}
