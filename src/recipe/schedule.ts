/**
 * The learning rate of an epoch, as a pure function: a resumed run continues with the same rates. It follows
 * torch.optim.lr_scheduler.MultiStepLR.
 */

export interface Schedule {
  /** Learning rate of the first epoch. */
  lr: number;
  gamma: number;
  epochs: number;
  /** Epoch numbers, or percentages of `epochs` as text: `50%` is int(0.5 * epochs). */
  milestones: readonly (number | string)[];
}

/** Milestones as numbers of finished epochs. A percentage that gives 0 is left out: no epoch would train with `lr`. */
export function milestoneEpochs({ milestones, epochs }: Schedule): number[] {
  return milestones
    .map((m) => (typeof m === 'number' ? m : Math.trunc((Number(m.slice(0, -1)) / 100) * epochs)))
    .filter((m) => m > 0);
}

/** Learning rate of the last epoch, without rounding on the way: infinite when the schedule leaves what a number holds. */
export const lastLearningRate = (schedule: Schedule): number =>
  schedule.lr * schedule.gamma ** milestoneEpochs(schedule).filter((m) => m < schedule.epochs).length;

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
