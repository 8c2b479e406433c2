/**
 * What an epoch depends on, as pure functions: its learning rate and the order of its images. Nothing is remembered, so
 * a resumed run is the same run. The learning rate follows torch.optim.lr_scheduler.MultiStepLR.
 */
import { Random } from '../base/random';

export interface Schedule {
  /** Learning rate of the first epoch. */
  lr: number;
  gamma: number;
  epochs: number;
  /** Epoch numbers, or percentages of `epochs` as text: `50%` is int(0.5 * epochs). */
  milestones: readonly (number | string)[];
}

/** Milestones as numbers of finished epochs. A percentage that comes out as 0 is left out: no epoch would ever see `lr`. */
export function milestoneEpochs({ milestones, epochs }: Schedule): number[] {
  return milestones
    .map((m) => (typeof m === 'number' ? m : Math.trunc((Number(m.slice(0, -1)) / 100) * epochs)))
    .filter((m) => m > 0);
}

/** Learning rate of `epoch` (0 is the first): the same doubles as MultiStepLR, which multiplies as it passes each milestone. */
export function learningRate(schedule: Schedule, epoch: number): number {
  const milestones = milestoneEpochs(schedule);
  let lr = schedule.lr;
  for (let e = 1; e <= epoch; e++) {
    const passed = milestones.filter((m) => m === e).length;
    if (passed > 0) lr *= schedule.gamma ** passed;
  }
  return lr;
}

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
