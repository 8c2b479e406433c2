/**
 * Trainers of the addon, made from options. The one place that writes their configuration; its defaults are those of the
 * options. Not here: what a trainer does (contract.ts).
 */
import type { Dataset } from '../data/dataset';
import { nativeFields, resolveOptions } from '../recipe/resolve';
import type { ResolvedOptions } from '../recipe/options';
import { native } from './addon';
import type { Trainer, TrainerConfig } from './contract';

/** A trainer with fresh weights. What is left out is as in a training run without options, on the CPU. */
export function makeTrainer(config: Partial<TrainerConfig> & Pick<TrainerConfig, 'labelCount' | 'imageSize'>): Trainer {
  return new (native().Trainer)({
    ...nativeFields(resolveOptions({})),
    device: 'cpu',
    inputSize: config.imageSize,
    ...config,
  });
}

/** The trainer of a run, with fresh weights. `device` is resolved. */
export const trainerOf = (options: ResolvedOptions, dataset: Dataset, device: string): Trainer =>
  makeTrainer({
    ...nativeFields(options),
    device,
    labelCount: dataset.labels.length,
    imageSize: dataset.size,
    inputSize: options.resize ?? dataset.size,
  });
