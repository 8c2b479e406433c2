/**
 * The model between disk and trainer: what a run directory or a file of weights holds, and the trainers made from it or
 * from a run's options. Not here: the formats of weights (weights/), the network (native/).
 */
import path from 'node:path';
import { CHESTMNIST_LABELS } from '../data';
import type { Dataset } from '../data/dataset';
import { resolveDevice } from './device';
import { ChestMnistError } from '../base/errors';
import type { MetricsFile } from '../metrics/types';
import { native, type StateDict, type Stem, type Trainer } from './addon';
import type { ResolvedOptions } from '../recipe/options';
import { exists, readJson, runFiles } from '../run/directory';
import { fitHead, imagenetWeights, loadWeights } from '../weights';
import { readSafetensors } from '../weights/safetensors';
import { recognise } from '../weights/state';

export interface Model {
  state: StateDict;
  stem: Stem;
  labels: readonly string[];
  /** Side of the images it was trained on, and of what the network saw, in pixels; null when the file does not say. */
  imageSize: number | null;
  inputSize: number | null;
  /** Only for a run directory. */
  run?: { directory: string; config: ResolvedOptions; metrics?: MetricsFile };
}

/** What saved weights say about themselves, in the metadata of the safetensors file. */
export interface ModelMetadata extends Record<string, string> {
  labels: string;
  image_size: string;
  input_size: string;
}

/**
 * Opens a run directory (its best weights) or a .safetensors or .pth file. Throws ERR_CONFIG when there is neither,
 * ERR_CHECKPOINT_INCOMPATIBLE when it is no resnet18.
 */
export async function openModel(target: string): Promise<Model> {
  const directory = path.resolve(target);
  const config = await readJson<ResolvedOptions>(runFiles(directory).config);
  if (!config && !(await exists(target))) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${target} does not exist`,
      needed: 'a run directory or a file of weights',
      next: 'check the path; runs are in runs/ unless --out said otherwise',
    });
  }
  const file = config ? runFiles(directory).best : target;
  if (config && !(await exists(file))) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${target} has no best weights: no epoch of it has finished`,
      needed: 'a run with at least one finished epoch',
      next: `chestmnist train --resume ${target}`,
    });
  }
  const metadata: Partial<ModelMetadata> = file.endsWith('.safetensors') ? (await readSafetensors(file)).metadata : {};
  const { state, stem, labelCount } = recognise(await loadWeights(file));
  return {
    state,
    stem,
    labels: labelsOf(metadata.labels, labelCount),
    imageSize: sizeOf(metadata.image_size),
    inputSize: sizeOf(metadata.input_size),
    ...(config && { run: { directory, config, metrics: await readJson<MetricsFile>(runFiles(directory).metrics) } }),
  };
}

/** The trainer of a run, with fresh weights. */
export function trainerOf(options: ResolvedOptions, dataset: Dataset, device: string): Trainer {
  return new (native().Trainer)({
    stem: options.stem,
    labelCount: dataset.labels.length,
    imageSize: dataset.size,
    inputSize: options.resize ?? dataset.size,
    device,
    precision: options.precision,
    threads: options.threads,
    seed: options.seed,
    optimizer: options.optimizer,
    learningRate: options.lr,
    weightDecay: options.weightDecay,
    exact: options.exact,
  });
}

/** A trainer with the model in it, for prediction. `imageSize` is the side of the images that will be handed over. */
export async function hold(
  model: Model,
  imageSize: number,
  options: { device: string; threads: number },
): Promise<Trainer> {
  const trainer = new (native().Trainer)({
    stem: model.stem,
    labelCount: model.labels.length,
    imageSize,
    inputSize: model.inputSize ?? imageSize,
    device: resolveDevice(options.device).device,
    precision: 'fp32',
    threads: options.threads,
    seed: 0,
    // No step is ever taken; these only have to be valid.
    optimizer: 'adam',
    learningRate: 1e-3,
    weightDecay: 0,
    exact: false,
  });
  try {
    await trainer.loadStateDict(model.state);
    return trainer;
  } catch (error) {
    await trainer.dispose();
    throw error;
  }
}

/** Loads `--weights` (a file, or imagenet) into a fresh trainer; returns what was replaced. */
export async function startFrom(
  trainer: Trainer,
  weights: string,
  options: { signal: AbortSignal; onProgress: (done: number, total?: number) => void },
): Promise<string[]> {
  const loaded = weights === 'imagenet' ? await imagenetWeights(options) : await loadWeights(weights);
  const { state, notes } = fitHead(loaded, await trainer.stateDict());
  await trainer.loadStateDict(state);
  return notes;
}

/** What the weights of a run say about themselves. */
export const metadataOf = (options: ResolvedOptions, dataset: Dataset): ModelMetadata => ({
  labels: JSON.stringify(dataset.labels),
  image_size: String(dataset.size),
  input_size: String(options.resize ?? dataset.size),
});

function labelsOf(text: string | undefined, labelCount: number): readonly string[] {
  try {
    const labels: unknown = JSON.parse(text ?? '');
    if (Array.isArray(labels) && labels.length === labelCount && labels.every((l) => typeof l === 'string'))
      return labels;
  } catch {
    // no metadata: a file from elsewhere
  }
  return labelCount === CHESTMNIST_LABELS.length
    ? CHESTMNIST_LABELS
    : Array.from({ length: labelCount }, (_, i) => `label ${i}`);
}

const sizeOf = (text: string | undefined): number | null => (/^\d{2,4}$/.test(text ?? '') ? Number(text) : null);
