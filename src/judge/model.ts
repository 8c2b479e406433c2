/**
 * Loads a trained model from a run directory or a file of weights, and puts it into a trainer. Not here: the formats of
 * weights (weights/), the network (native/).
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { exists } from '../base/atomic';
import { ChestMnistError } from '../base/errors';
import { expandHome } from '../base/folders';
import { unnamed } from '../data/labels';
import type { Stem, StateDict, Trainer } from '../engine/contract';
import { resolveDevice } from '../engine/device';
import { makeTrainer } from '../engine/trainer';
import type { MetricsFile } from '../metrics/types';
import type { ResolvedOptions } from '../recipe/options';
import { threadsOf } from '../recipe/resolve';
import { changesOf } from '../run/agree';
import { readConfig } from '../run/config';
import { hasCheckpoint, resumeCommand, runFiles } from '../run/directory';
import { readMetrics } from '../run/metrics-file';
import { readRunFile, type RunFile } from '../run/record';
import { loadWeights, readSafetensors, recognise } from '../weights';
import { factsIn } from '../weights/metadata';
import { shellWord } from '../base/shell';

export interface Model {
  state: StateDict;
  stem: Stem;
  /** `label_0`, `label_1`, ... when the file has no names. */
  labels: readonly string[];
  /** Side of the images it was trained on, and of what the network saw, in pixels; null when not recorded. */
  imageSize: number | null;
  inputSize: number | null;
  /** Only for a run directory. */
  run?: { directory: string; config: ResolvedOptions; metrics?: MetricsFile; record?: RunFile };
  /** What users should know of it, in sentences. */
  notes: string[];
}

/**
 * Opens a run directory (its best weights) or a .safetensors or .pth file. Throws ERR_CONFIG when it is neither,
 * ERR_WEIGHTS when the weights are not a resnet18's, ERR_DATA_CORRUPT for a damaged file of the run.
 */
export async function openModel(named: string): Promise<Model> {
  const target = expandHome(named);
  const directory = path.resolve(target);
  const config = await readConfig(directory);
  if (!config && !(await isFile(target))) {
    const lost = await hasCheckpoint(directory);
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${target} ${lost ? 'has no config.json' : (await exists(target)) ? 'is neither' : 'does not exist'}`,
      needed: 'a run directory or a file of weights',
      next: lost
        ? `to have it written again: ${resumeCommand(target)}`
        : 'check the path; runs are in runs/ unless --out named another folder',
    });
  }
  const file = config ? runFiles(directory).best : target;
  const record = config && (await readRunFile(directory).catch(() => undefined));
  if (config && !(await exists(file))) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${target} has no best weights${record?.epochs === 0 ? ': none of its epochs has finished' : ''}`,
      needed: 'a run with at least one finished epoch',
      next: resumeCommand(target),
    });
  }
  const metadata = file.endsWith('.safetensors') ? (await readSafetensors(file)).metadata : {};
  const { state, stem, labelCount } = recognise(await loadWeights(file));
  const { labels = unnamed(labelCount), imageSize, inputSize } = factsIn(metadata, labelCount);
  if (!config) return { state, stem, labels, imageSize, inputSize, notes: [] };
  const metrics = await readMetrics(directory);
  const expected = metrics?.labels.length ?? labelCount;
  if (stem !== config.stem || labelCount !== expected) {
    throw new ChestMnistError('ERR_WEIGHTS', {
      found: `${file} has the ${stem} stem and ${labelCount} labels`,
      needed: `the weights of the run: ${config.stem} stem, ${expected} labels`,
      next: `put the weights of the run back, or name this file itself: ${shellWord(file)}`,
    });
  }
  const run = { directory, config, metrics, record };
  return { state, stem, labels, imageSize, inputSize, run, notes: await changesOf(directory, record) };
}

/** Pipes count: whether they can be read is for the format to say. */
const isFile = (target: string): Promise<boolean> =>
  stat(target).then(
    (facts) => !facts.isDirectory(),
    () => false,
  );

/** A trainer with the model in it, for prediction. `imageSize` is the side of the images to predict. */
export async function hold(
  model: Model,
  imageSize: number,
  options: { device: string; threads: number | null },
): Promise<Trainer> {
  const trainer = makeTrainer({
    stem: model.stem,
    labelCount: model.labels.length,
    imageSize,
    inputSize: model.inputSize ?? imageSize,
    device: resolveDevice(options.device).device,
    threads: threadsOf(options),
  });
  try {
    await trainer.loadStateDict(model.state);
    return trainer;
  } catch (error) {
    await trainer.dispose();
    throw error;
  }
}
