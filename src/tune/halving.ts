/**
 * Successive halving: how many trials go on to how many epochs, and which. Every trial is trained for a few epochs, the best
 * third of them for three times as many, and so on.
 * Source: Jamieson and Talwalkar 2016, "Non-stochastic Best Arm Identification and Hyperparameter Optimization"; the third is
 * that of Hyperband (Li et al. 2018).
 */
import { bestOf, type Selection } from '../run/history';
import type { Rung, Trial, TrialResult } from '../run/search';

const ETA = 3;

/** The rungs of `trials` networks, the last of which are trained for all `epochs`. */
export function rungsOf(trials: number, epochs: number): Rung[] {
  const rungs: Rung[] = [];
  for (let going = trials; ; going = Math.ceil(going / ETA)) {
    rungs.push({ trials: going, epochs: 0 });
    if (going <= ETA) break;
  }
  // From the last back: each has a third of the epochs of the next, at least one and fewer than it.
  rungs.at(-1)!.epochs = epochs;
  for (let i = rungs.length - 2; i >= 0; i--) rungs[i].epochs = Math.ceil(rungs[i + 1].epochs / ETA);
  // Where epochs are few, rungs of as many epochs are one: its trials are those of the first.
  return rungs.filter((rung, i) => i === 0 || rung.epochs > rungs[i - 1].epochs);
}

/** Epochs of all rungs together. */
export const epochsOf = (rungs: readonly Rung[]): number =>
  rungs.reduce((sum, { trials, epochs }, i) => sum + trials * (epochs - (rungs[i - 1]?.epochs ?? 0)), 0);

const rowOf = ({ val_auc, val_ap, val_loss }: TrialResult) => ({ valAuc: val_auc, valAp: val_ap, valLoss: val_loss });

/** Trials from the best to the worst by their newest result; of equal ones the one with the lower number first. */
export function ranked(trials: readonly Trial[], select: Selection): Trial[] {
  const left = trials
    .filter(({ results }) => results.length > 0)
    .map((trial) => ({ trial, ...rowOf(trial.results.at(-1)!) }));
  const order: Trial[] = [];
  while (left.length > 0) {
    const best = bestOf(left, select)!;
    order.push(best.trial);
    left.splice(left.indexOf(best), 1);
  }
  return order;
}
