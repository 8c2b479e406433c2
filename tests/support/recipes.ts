/**
 * Trainings with the elements of a recipe, for comparing executions with PyTorch and with each other: each element alone,
 * and all together on every stem, task and kind of image.
 */
import { synthesize } from '../../src/data';
import { viewOf } from '../../src/data/expand';
import type { Trainer, TrainerConfig } from '../../src/engine/contract';
import { makeTrainer } from '../../src/engine/trainer';
import { augmentationOf } from '../../src/recipe/augment';
import { lossShape } from '../../src/recipe/loss';
import type { ResolvedOptions, TrainOptions } from '../../src/recipe/options';
import { resolveOptions } from '../../src/recipe/resolve';

export interface Recipe {
  name: string;
  options: TrainOptions;
  stem?: 'cifar';
  head?: 'attention';
  channels?: 3;
  exclusive?: true;
  /** Of each label; as many as the labels. */
  weights?: number[];
  labels?: number;
  inputSize?: number;
}

const MOVED: TrainOptions = { rotate: 15, scale: 0.2, shift: 0.1, crop: 0.7, flip: 0.5 };
const ALL: TrainOptions = {
  ...{ optimizer: 'adamw', weightDecay: 0.05, clip: 0.3, ema: 0.3, labelSmoothing: 0.1 },
  ...{ ...MOVED, brightness: 0.2, contrast: 0.3, erase: 0.5, mixup: 0.4 },
};

export const RECIPES: readonly Recipe[] = [
  { name: 'decay of weights alone, adamw', options: { optimizer: 'adamw', weightDecay: 0.05 } },
  { name: 'decay of weights alone, adam', options: { weightDecay: 0.05 } },
  { name: 'decay of all', options: { optimizer: 'adamw', weightDecay: 0.05, decayNorms: true } },
  { name: 'clipping', options: { clip: 0.05 } },
  { name: 'moving average', options: { ema: 0.3 } },
  { name: 'geometry', options: MOVED },
  { name: 'shades', options: { brightness: 0.4, contrast: 0.5 } },
  { name: 'erasing', options: { erase: 0.7 } },
  { name: 'mixup', options: { mixup: 0.4 } },
  { name: 'smoothing', options: { labelSmoothing: 0.2 } },
  { name: 'weighted positives', options: {}, weights: [3, 0.5, 1, 7, 2] },
  { name: 'focal', options: { loss: 'focal' } },
  { name: 'weighted asl', options: { loss: 'asl' }, weights: [3, 0.5, 1, 7, 2] },
  { name: 'asl of mixtures', options: { loss: 'asl', focus: 3, mixup: 0.4 } },
  { name: 'smoothing of exclusive labels', options: { labelSmoothing: 0.2 }, exclusive: true },
  {
    name: 'weighted focal of exclusive labels',
    options: { loss: 'focal' },
    exclusive: true,
    weights: [3, 0.5, 1, 7, 2],
  },
  { name: 'all', options: ALL },
  { name: 'all, resized', options: ALL, inputSize: 40, labels: 1 },
  { name: 'all, RGB, CIFAR stem', options: ALL, channels: 3, stem: 'cifar' },
  { name: 'all, exclusive labels', options: ALL, channels: 3, exclusive: true },
  { name: 'all, attention head', options: ALL, inputSize: 64, head: 'attention' },
];

export const SIZE = 28;
export const BATCH = 6;
export const IMAGES = 24;

export interface Inputs {
  images: Uint8Array;
  truth: Uint8Array;
  /** Of step `step`, from 0; an image at most once in a batch. */
  orderOf: (step: number) => Int32Array;
  augmentation: ReturnType<typeof augmentationOf>;
}

export const labelsOf = ({ labels = 5 }: Recipe): number => labels;

export function inputsOf(recipe: Recipe): Inputs {
  const [channels, labels, side] = [recipe.channels ?? 1, labelsOf(recipe), recipe.inputSize ?? SIZE];
  const counts = { train: IMAGES * channels, val: 2, test: 2 };
  const { images, truth: all } = synthesize({ seed: 3, size: SIZE, counts }).splits.train;
  const truth = Uint8Array.from({ length: IMAGES * labels }, (_, k) =>
    recipe.exclusive
      ? Number(Math.floor(k / labels) % labels === k % labels)
      : all[Math.floor(k / labels) * 14 + (k % labels)],
  );
  const options = resolveOptions(recipe.options);
  return {
    images,
    truth,
    orderOf: (step) => Int32Array.from({ length: BATCH }, (_, i) => (step * 37 + i * 7) % IMAGES),
    augmentation: augmentationOf(options, { seed: 5, epoch: 1, count: IMAGES, side }),
  };
}

/** The fields of a trainer's configuration that the recipe sets. */
export function fieldsOf(recipe: Recipe): Partial<TrainerConfig> {
  const options: ResolvedOptions = resolveOptions(recipe.options);
  return {
    ...{ stem: recipe.stem ?? 'torchvision', head: recipe.head ?? 'average', channels: recipe.channels ?? 1 },
    criterion: recipe.exclusive ? 'cross-entropy' : 'binary-cross-entropy',
    ...lossShape(options),
    smoothing: options.labelSmoothing,
    labelWeights: Float32Array.from(recipe.weights ?? []),
    ...{ optimizer: options.optimizer, weightDecay: options.weightDecay, decayNorms: options.decayNorms },
    ...{ clipNorm: options.clip ?? 0, averageDecay: options.ema },
  };
}

/** With the images loaded. */
export async function trainerOf(recipe: Recipe, changes: Partial<TrainerConfig>, seed = 1): Promise<Trainer> {
  const { images, truth } = inputsOf(recipe);
  const inputSize = recipe.inputSize ?? SIZE;
  const fixed = { labelCount: labelsOf(recipe), imageSize: SIZE, inputSize, threads: 1, seed };
  const trainer = makeTrainer({ ...fixed, ...fieldsOf(recipe), ...changes });
  const view = viewOf({ images, count: IMAGES, size: SIZE, channels: recipe.channels ?? 1 });
  await trainer.loadSplit('train', view, truth);
  return trainer;
}
