/**
 * Loads a trained model from a run directory or a file of weights, and puts it into a trainer. Not here: the formats of
 * weights (weights/), the network (native/).
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { exists } from '../base/atomic';
import { ChestMnistError } from '../base/errors';
import { expandHome } from '../base/folders';
import type { Task } from '../base/task';
import { areUnnamed, namesFor, unnamed } from '../data/labels';
import type { Dataset } from '../data/dataset';
import type { Head, PredictResult, Stem, StateDict, Trainer } from '../engine/contract';
import { resolveDevice } from '../engine/device';
import { criterionOf, makeTrainer } from '../engine/trainer';
import type { MetricsFile } from '../metrics/types';
import type { ResolvedOptions } from '../recipe/options';
import { resolveOptions, threadsOf } from '../recipe/resolve';
import { changesOf } from '../run/agree';
import { readConfig } from '../run/config';
import { hasCheckpoint, resumeCommand, runFiles } from '../run/directory';
import { checkMember, isEnsemble, ofMember, readEnsemble, unfinished } from '../run/ensemble';
import { readMetrics } from '../run/metrics-file';
import { readRunFile, type RunFile } from '../run/record';
import { openWeights, recognise, withTemperatures } from '../weights';
import { checkLogits } from './score';
import { factsIn, type ModelFacts } from '../weights/metadata';
import { shellWord } from '../base/shell';

/** What a user says of a model that its file does not state, or states otherwise. */
export interface ModelOptions {
  /** Side of the images in pixels; default the model's, or what the data have, or 28 for pictures. */
  size?: number;
  /** Which of several networks in a file of weights, for example `ema`. */
  weightsKey?: string;
  /** Side of the network's input in pixels (nearest); default what the weights state, else that of the images. */
  resize?: number;
  /** What the labels ask; default what the weights state, else what the data suggest. */
  task?: Task;
  /** Names of the labels in column order; default those that the weights or the data state. */
  labelNames?: readonly string[];
}

interface Run {
  directory: string;
  config: ResolvedOptions;
  metrics?: MetricsFile;
  record?: RunFile;
  /** What changed since the run was trained, in sentences. */
  changes: string[];
}

export interface Model {
  /** One, or one for each member of an ensemble: its probabilities are the mean of theirs. */
  states: readonly StateDict[];
  /** The seeds of the members, in the same order; only of an ensemble. */
  seeds?: readonly number[];
  stem: Stem;
  head: Head;
  /** `label_0`, `label_1`, ... when neither the file nor the user names them. */
  labels: readonly string[];
  /** Null when neither the file nor the user states it. */
  task: Task | null;
  /** Of the images it was trained on; null when not recorded. */
  channels: 1 | 3 | null;
  /** Side of the images it was trained on, and of what the network saw, in pixels; null when not recorded. */
  imageSize: number | null;
  inputSize: number | null;
  /** Only for a run directory, or that of an ensemble. */
  run?: Run;
  /** What users should know of it, in sentences. */
  notes: string[];
}

/**
 * Opens a run directory (its best weights), that of an ensemble, or a .safetensors or .pth file. Throws ERR_CONFIG when it
 * is neither, ERR_WEIGHTS when the weights are not a resnet18's, ERR_DATA_CORRUPT for a damaged file of the run,
 * ERR_CHECKPOINT_INCOMPATIBLE for a member that is not of its ensemble.
 */
export async function openModel(named: string, given: ModelOptions = {}): Promise<Model> {
  const options = checked(given);
  const target = expandHome(named);
  return (await isEnsemble(target)) ? openMembers(path.resolve(target), options) : openOne(target, options);
}

async function openMembers(directory: string, options: ModelOptions): Promise<Model> {
  const ensemble = (await readEnsemble(directory))!;
  const { members, metrics_sha256 } = ensemble;
  if (ensemble.status !== 'finished') throw unfinished(directory, ensemble);
  if (options.weightsKey !== undefined) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--weights-key is ${options.weightsKey}, ${directory} is an ensemble`,
      needed: 'none: the weights of each member are its best',
      next: 'leave --weights-key out',
    });
  }
  const models: Model[] = [];
  for (const { seed } of members) {
    const place = runFiles(directory).member(seed);
    const model = await ofMember(directory, seed, () => openOne(place, options));
    checkMember(directory, seed, ensemble, model.run!);
    models.push(model);
  }
  const [first] = models;
  const own = first.run!.record;
  const metrics = await readMetrics(directory);
  const record = own && { ...own, best_sha256: undefined, metrics_sha256 };
  return {
    ...first,
    states: models.flatMap(({ states }) => states),
    seeds: members.map(({ seed }) => seed),
    run: { directory, config: ensemble.options, metrics, record, changes: await changesOf(directory, record) },
    notes: [...new Set(models.flatMap(({ notes, run }) => [...notes, ...run!.changes]))],
  };
}

async function openOne(target: string, options: ModelOptions): Promise<Model> {
  const directory = path.resolve(target);
  const others = await weightsIn(directory);
  const config = others.length > 0 ? undefined : await readConfig(directory);
  if (!config && others.length === 0 && !(await isFile(target))) {
    const lost = await hasCheckpoint(directory);
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${target} ${lost ? 'has no config.json' : (await exists(target)) ? 'is neither' : 'does not exist'}`,
      needed: 'a run directory or a file of weights',
      next: lost
        ? `to have it written again: ${resumeCommand(target)}`
        : 'check the path; runs are in runs/ unless --out named another folder',
    });
  }
  if (others.length > 0) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${target} is a folder of another tool's model, with ${others.join(' and ')}`,
      needed: 'a run directory or a file of weights',
      next: `pass the file: ${shellWord(path.join(target, others[0]))}`,
    });
  }
  const file = config ? runFiles(directory).best : target;
  const record = config && (await readRunFile(directory).catch(() => undefined));
  if (config && !(await exists(file))) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${target} has no best weights${record?.epochs === 0 ? ': none of its epochs has finished' : ''}`,
      needed: 'a run with at least one finished epoch',
      next: (await hasCheckpoint(directory))
        ? resumeCommand(target)
        : `restore ${shellWord(file)} from a copy, or pass another run or a file of weights`,
    });
  }
  const opened = await openWeights(file, options.weightsKey);
  const { state, stem, head, labelCount } = recognise(opened.state, opened.source);
  const run = config && (await runOf(directory, config, record));
  const expected = run?.metrics?.labels.length ?? labelCount;
  if (config && (stem !== config.stem || head !== config.head || labelCount !== expected)) {
    throw new ChestMnistError('ERR_WEIGHTS', {
      found: `${file} has the ${stem} stem, the ${head} head and ${labelCount} labels`,
      needed: `the weights of the run: ${config.stem} stem, ${config.head} head, ${expected} labels`,
      next: `put the weights of the run back, or name this file itself: ${shellWord(file)}`,
    });
  }
  const stated = withRun(factsIn(opened.metadata, labelCount), run);
  const { size, resize, labelNames, task } = options;
  const notes = [...opened.notes];
  if (resize !== undefined && stated.inputSize !== null && resize !== stated.inputSize)
    notes.push(`${target} was trained on an input of ${stated.inputSize} px; ${resize} are used, as asked`);
  return {
    ...{ states: [calibrated(state, run)], stem, head, imageSize: stated.imageSize ?? size ?? null },
    inputSize: resize ?? stated.inputSize ?? null,
    ...{ task: task ?? stated.task, channels: stated.channels },
    labels: labelNames ? namesFor(labelNames, labelCount) : (stated.labels ?? unnamed(labelCount)),
    ...(run && { run }),
    notes,
  };
}

async function runOf(directory: string, config: ResolvedOptions, record: RunFile | undefined): Promise<Run> {
  return {
    directory,
    config,
    metrics: await readMetrics(directory),
    record,
    changes: await changesOf(directory, record),
  };
}

/** The options that training has too, by its rules; one that was not given, or is null as there, is undefined. */
function checked({ size, resize, task, labelNames, weightsKey }: ModelOptions): ModelOptions {
  const options = resolveOptions({ size, resize, task, labelNames, weightsKey });
  return {
    size: options.size ?? undefined,
    resize: options.resize ?? undefined,
    task: options.task ?? undefined,
    labelNames: options.labelNames ?? undefined,
    weightsKey: options.weightsKey ?? undefined,
  };
}

/** The weights of a run are stored as they were trained; its figures hold the temperatures. */
function calibrated(state: StateDict, run: Model['run']): StateDict {
  const temperatures = run?.metrics?.calibration?.temperatures;
  return temperatures ? withTemperatures(state, temperatures) : state;
}

/** Weights of a run that were saved again without their facts: the run has them too. */
function withRun(facts: ModelFacts, run: Model['run']): ModelFacts {
  if (!run) return facts;
  const { config, metrics } = run;
  const imageSize = facts.imageSize ?? config.size;
  return {
    task: facts.task ?? config.task ?? metrics?.task ?? null,
    channels: facts.channels,
    labels: facts.labels ?? config.labelNames ?? metrics?.labels,
    imageSize,
    inputSize: facts.inputSize ?? config.resize ?? imageSize,
  };
}

/** Files of weights in a folder as Hugging Face saves it; its config.json is not ours. */
async function weightsIn(folder: string): Promise<string[]> {
  const names = ['model.safetensors', 'pytorch_model.bin'];
  const there = await Promise.all(names.map((name) => exists(path.join(folder, name))));
  return names.filter((_, i) => there[i]);
}

/**
 * What is assumed of a model for images of this side, as notes: nothing when its weights, or the user, state its sizes
 * and its labels. Without `data`, `side` is an assumption too.
 */
export function assumptions(
  target: string,
  { imageSize, inputSize, labels, task, channels }: Model,
  side: number,
  data?: Pick<Dataset, 'labels' | 'channels'>,
): string[] {
  const notes: string[] = [];
  const dataLabels = data?.labels;
  const kind = (count: 1 | 3): string => (count === 1 ? 'gray' : 'RGB');
  if (data && channels !== null && channels !== data.channels)
    notes.push(`${target} was trained on ${kind(channels)} images, these are ${kind(data.channels)}`);
  if (imageSize === null && !dataLabels) {
    notes.push(
      `${target} does not state the size of its images: ${side} px are assumed; --size sets it, --resize that of the input`,
    );
  } else if (inputSize === null) {
    notes.push(
      `${target} does not state the size of its input: ${side} px are assumed, as the images have; --resize sets it`,
    );
  } else if (imageSize !== null && imageSize !== side) {
    notes.push(
      `${target} was trained on images of ${imageSize} px, these ${dataLabels ? 'have' : 'are brought to'} ${side}; the network sees them at ${inputSize} px`,
    );
  }
  if (areUnnamed(labels)) {
    notes.push(
      dataLabels && !areUnnamed(dataLabels)
        ? `${target} does not state its labels: those of the data are assumed, in their order; --label-names sets them`
        : `${target} does not state its labels: they are called ${labels[0]} to ${labels.at(-1)}; --label-names sets them${task === null ? ', and each is decided for itself; --task sets another task' : ''}`,
    );
  }
  return notes;
}

/** What a file made of the model cannot state either, as notes. */
export function unstated(target: string, { task, imageSize, inputSize, labels }: Model): string[] {
  const missing = [
    ...(imageSize === null ? ['the size of its images (--size)'] : []),
    ...(inputSize === null ? ['the size of its input (--resize)'] : []),
    ...(areUnnamed(labels) ? [`its labels (--label-names)${task === null ? ' and task (--task)' : ''}`] : []),
  ];
  return missing.length > 0 ? [`${target} does not state ${missing.join(', ')}, so the new file does not either`] : [];
}

/** Pipes count: whether they can be read is for the format to say. */
const isFile = (target: string): Promise<boolean> =>
  stat(target).then(
    (facts) => !facts.isDirectory(),
    () => false,
  );

/** A trainer with the model in it, or with the first member of an ensemble, for prediction of such images. */
export async function hold(
  model: Model,
  { size: imageSize, channels }: Pick<Dataset, 'size' | 'channels'>,
  options: Pick<ResolvedOptions, 'device' | 'threads'> & Partial<Pick<ResolvedOptions, 'precision'>>,
): Promise<Trainer> {
  const trainer = makeTrainer({
    ...{ stem: model.stem, head: model.head },
    labelCount: model.labels.length,
    ...(model.task !== null && { criterion: criterionOf(model.task) }),
    ...{ channels, imageSize },
    inputSize: model.inputSize ?? imageSize,
    device: resolveDevice(options.device).device,
    threads: threadsOf(options),
    ...(options.precision && { precision: options.precision }),
  });
  try {
    await trainer.loadStateDict(model.states[0]);
    return trainer;
  } catch (error) {
    await trainer.dispose();
    throw error;
  }
}

/** The logits of each network of a model; undefined when it was cancelled. Throws ERR_WEIGHTS for one that is not finite. */
export async function eachLogits(
  { states, seeds, labels }: Model,
  target: string,
  predict: (member: number, state: StateDict) => Promise<PredictResult>,
): Promise<Float32Array[] | undefined> {
  const all: Float32Array[] = [];
  for (const [member, state] of states.entries()) {
    const { logits, cancelled } = await predict(member, state);
    if (cancelled) return undefined;
    checkLogits(logits, labels, seeds ? `member seed-${seeds[member]} of ${target}` : target);
    all.push(logits);
  }
  return all;
}
