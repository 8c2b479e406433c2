/**
 * Creates trainers from options. The only place that writes a trainer's configuration; its defaults are those of the
 * options. Not here: what a trainer does (contract.ts).
 */
import { ChestMnistError } from '../base/errors';
import { isExclusive, type Task } from '../base/task';
import type { Dataset } from '../data/dataset';
import { lossShape } from '../recipe/loss';
import { nativeFields, resolveOptions } from '../recipe/resolve';
import type { ResolvedOptions } from '../recipe/options';
import { native } from './addon';
import type { Criterion, Trainer, TrainerConfig } from './contract';

/** A trainer with initial weights. Omitted fields are as in a training run without options, on the CPU. */
export function makeTrainer(config: Partial<TrainerConfig> & Pick<TrainerConfig, 'labelCount' | 'imageSize'>): Trainer {
  return new (native().Trainer)({
    ...nativeFields(resolveOptions({})),
    device: 'cpu',
    criterion: 'binary-cross-entropy',
    ...lossShape({ loss: 'bce', focus: null }),
    labelWeights: new Float32Array(0),
    clipNorm: 0,
    channels: 1,
    inputSize: config.imageSize,
    ...config,
  });
}

/** What to tell a user who asked for bf16 and gets float32, which is faster than LibTorch's bf16 on a CPU. */
export const precisionNotes = (
  { precision, exact = false }: Pick<ResolvedOptions, 'precision'> & Partial<Pick<ResolvedOptions, 'exact'>>,
  { device, execution }: Pick<Trainer, 'device' | 'execution'>,
): string[] =>
  precision === 'bf16' && device === 'cpu' && !exact && execution !== 'fast-bf16'
    ? [
        '--precision bf16 is computed in float32 here: on a CPU it needs AMX, on Linux, with ATEN_CPU_CAPABILITY not set',
      ]
    : [];

export const criterionOf = (task: Task): Criterion => (isExclusive(task) ? 'cross-entropy' : 'binary-cross-entropy');

/** The last layer's map has a single position, since the torchvision stem and the layers divide the side by 32. */
function checkHead({ head, stem }: ResolvedOptions, side: number): void {
  if (head !== 'attention' || stem !== 'torchvision' || side > 32) return;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `--head attention with the torchvision stem at ${side} px, where the last layer has one position`,
    needed: 'several positions for attention to choose from: the CIFAR stem, or an input above 32 px',
    next: 'add --stem cifar or --resize 64, or leave --head out',
  });
}

/**
 * The trainer of a run, with initial weights. `device` must be resolved; `weights` are those of the labels. Throws ERR_CONFIG
 * for an attention head without positions to choose from.
 */
export const trainerOf = (
  options: ResolvedOptions,
  dataset: Dataset,
  device: string,
  weights: readonly number[] = [],
): Trainer => {
  const inputSize = options.resize ?? dataset.size;
  checkHead(options, inputSize);
  return makeTrainer({
    ...nativeFields(options),
    ...lossShape(options),
    labelWeights: Float32Array.from(weights),
    clipNorm: options.clip ?? 0,
    device,
    labelCount: dataset.labels.length,
    criterion: criterionOf(dataset.task),
    channels: dataset.channels,
    imageSize: dataset.size,
    inputSize,
  });
};
