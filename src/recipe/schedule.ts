/**
 * The learning rate of every step, as a pure function: a resumed run continues with the same rates. The rate of an epoch
 * follows torch.optim.lr_scheduler.MultiStepLR.
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

/** The optimizer steps of an epoch: batches, of which a last one of a single image joins the one before it. */
export function stepsOf(images: number, batchSize: number): number {
  const whole = Math.ceil(images / batchSize);
  return whole > 1 && images % batchSize === 1 ? whole - 1 : whole;
}

export interface StepSchedule extends Schedule {
  /** `step` follows the milestones, `cosine` falls to 0 over the steps after the warm-up. */
  schedule: 'step' | 'cosine';
  /** In epochs. */
  warmup: number;
}

/**
 * The learning rate of each of an epoch's `steps` (`epoch` 0 is the first). With k the step's number in the run, W the
 * steps of the warm-up and T all steps: the first W are multiplied by (k + 1) / W, and the cosine is
 * lr (1 + cos(pi (k - W) / (T - W))) / 2.
 */
export function learningRates(schedule: StepSchedule, epoch: number, steps: number): Float64Array {
  const warm = schedule.warmup * steps;
  const all = schedule.epochs * steps;
  const ofEpoch = schedule.schedule === 'step' ? learningRate(schedule, epoch) : schedule.lr;
  return Float64Array.from({ length: steps }, (_, i) => {
    const k = epoch * steps + i;
    const fall =
      schedule.schedule === 'cosine' ? (1 + Math.cos((Math.PI * Math.max(0, k - warm)) / (all - warm))) / 2 : 1;
    return ofEpoch * fall * (k < warm ? Math.min(1, (k + 1) / warm) : 1);
  });
}
