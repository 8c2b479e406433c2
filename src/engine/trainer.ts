/**
 * Creates trainers from options. The only place that writes a trainer's configuration; its defaults are those of the
 * options. Not here: what a trainer does (contract.ts).
 */
import type { Dataset } from '../data/dataset';
import { nativeFields, resolveOptions } from '../recipe/resolve';
import type { ResolvedOptions } from '../recipe/options';
import { native } from './addon';
import type { Trainer, TrainerConfig } from './contract';

/** A trainer with initial weights. Omitted fields are as in a training run without options, on the CPU. */
export function makeTrainer(config: Partial<TrainerConfig> & Pick<TrainerConfig, 'labelCount' | 'imageSize'>): Trainer {
  return new (native().Trainer)({
    ...nativeFields(resolveOptions({})),
    device: 'cpu',
    inputSize: config.imageSize,
    ...config,
  });
}

/** The trainer of a run, with initial weights. `device` must be resolved. */
export const trainerOf = (options: ResolvedOptions, dataset: Dataset, device: string): Trainer =>
  makeTrainer({
    ...nativeFields(options),
    device,
    labelCount: dataset.labels.length,
    imageSize: dataset.size,
    inputSize: options.resize ?? dataset.size,
  });
