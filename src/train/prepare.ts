/**
 * Loads the data of a run and makes a trainer with its weights. Everything that can be refused is refused here, before
 * anything is created. Not here: the options (plan.ts), the run itself (index.ts).
 */
import type { Dataset } from '../data/dataset';
import { checkBatch, constantParts, factsOf, loadData, sourceOf } from '../data/inputs';
import { areUnnamed } from '../data/labels';
import { ChestMnistError } from '../base/errors';
import { threadsNotes } from '../base/processors';
import { isExclusive } from '../base/task';
import { native } from '../engine/addon';
import type { Trainer } from '../engine/contract';
import { resolveDevice } from '../engine/device';
import { precisionNotes, trainerOf } from '../engine/trainer';
import { labelWeights } from '../recipe/loss';
import type { ResolvedOptions } from '../recipe/options';
import { recipeNote } from '../recipe/presets';
import { resumeCommand } from '../run/directory';
import { fitHead, imagenetWeights, openWeights } from '../weights';
import { factsIn } from '../weights/metadata';
import type { TrainEvent } from './events';
import { checkSameData, restore, roundingNote, type OfData, type Plan, type Resumed } from './plan';

export interface Prepared {
  options: ResolvedOptions;
  dataset: Dataset;
  /** The caller disposes of it. */
  trainer: Trainer;
  resumed?: Resumed;
  /** For the user: the device chosen, a head replaced, a damaged checkpoint. */
  notes: string[];
}

/**
 * Prepares a plan, whose data must be those of `of`. Throws the first error found; undefined when `signal` was aborted
 * before it was done.
 */
export async function prepare(
  plan: Plan,
  { emit, signal, of }: { emit: (event: TrainEvent) => void; signal: AbortSignal; of?: OfData },
): Promise<Prepared | undefined> {
  try {
    return await prepareAll(plan, emit, signal, of ?? ofRun(plan));
  } catch (error) {
    if (signal.aborted && (error === signal.reason || (error as Error).name === 'AbortError')) return undefined;
    throw error;
  }
}

const ofRun = ({ resumed }: Plan): OfData | undefined =>
  resumed && { directory: resumed.directory, data: resumed.checkpoint.data };

async function prepareAll(
  { options: wanted, resumed }: Plan,
  emit: (event: TrainEvent) => void,
  signal: AbortSignal,
  of: OfData | undefined,
): Promise<Prepared> {
  if (wanted.report) await (await import('../report/index.js')).checkDrawing();
  const { device, note } = resolveDevice(wanted.device);
  const onProgress = (done: number, total?: number): void =>
    emit({ type: 'progress', phase: 'data', epoch: 0, done, total });
  const { dataset, notes } = await loadData({
    data: wanted.data,
    size: wanted.size,
    task: wanted.task,
    labelNames: wanted.labelNames,
    limits: { train: wanted.limitTrain, val: wanted.limitVal, test: wanted.limitTest },
    // The file that a resumed run has recorded may have been moved.
    ifMissing: of && `if it was moved: ${resumeCommand(of.directory)} --data FILE`,
    onProgress,
    signal,
  });
  notes.push(...(resumed?.notes ?? []), ...(note === undefined ? [] : [note]), ...threadsNotes(wanted.threads));
  const recipe = resumed ? undefined : await recipeNote(wanted);
  if (recipe !== undefined) notes.push(recipe);
  if (areUnnamed(dataset.labels)) notes.push(unnamedNote(dataset));
  notes.push(...constantParts(dataset));
  checkBatch(dataset, wanted.batchSize);
  if (of) checkSameData(factsOf(dataset), of);
  const weights = await weightsOf(wanted, dataset);
  const options = {
    ...wanted,
    ...{ size: dataset.size, task: dataset.task, data: sourceOf(dataset, wanted.data) },
    // The file may change later: its weights are recorded.
    ...(!isRule(wanted.posWeight) && { posWeight: weights }),
  };

  const trainer = trainerOf(options, dataset, device, weights);
  try {
    if (resumed) {
      const rounding = roundingNote(resumed, device, options, trainer.execution);
      if (rounding !== undefined) notes.push(rounding);
      await restore(trainer, resumed.checkpoint);
    } else if (options.weights !== null) {
      notes.push(...(await startFrom(trainer, options, dataset, { signal, onProgress })));
    }
    if (device.startsWith('cuda') && trainer.execution === 'plain' && !options.exact) notes.push(noGraphs());
    notes.push(...precisionNotes(options, trainer));
    signal.throwIfAborted();
    return { options, dataset, trainer, resumed, notes };
  } catch (error) {
    await trainer.dispose();
    throw error;
  }
}

const isRule = (posWeight: ResolvedOptions['posWeight']): boolean =>
  posWeight === 'none' || posWeight === 'sqrt' || posWeight === 'balanced';

/** The weights of the labels. Throws ERR_CONFIG, also for a loss that the task does not have. */
async function weightsOf({ loss, posWeight }: ResolvedOptions, { task, labels, splits }: Dataset): Promise<number[]> {
  const exclusive = isExclusive(task);
  if (loss === 'asl' && exclusive) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--loss asl, and each image has exactly one label (${task})`,
      needed: 'labels that do not exclude one another: asl treats positives and negatives of a label unequally',
      next: 'use --loss focal or --loss bce',
    });
  }
  return labelWeights(posWeight, { labels, truth: splits.train.truth, isExclusive: exclusive });
}

/** Loads `--weights` (a file, or imagenet) into a fresh trainer; returns what the user should know of them. */
async function startFrom(
  trainer: Trainer,
  { weights, weightsKey, resize }: ResolvedOptions,
  dataset: Dataset,
  options: { signal: AbortSignal; onProgress: (done: number, total?: number) => void },
): Promise<string[]> {
  const expected = await trainer.stateDict();
  if (weights === 'imagenet' || weights === null) {
    const { state, notes } = fitHead(await imagenetWeights(options), expected);
    await trainer.loadStateDict(state);
    return notes;
  }
  const opened = await openWeights(weights, weightsKey ?? undefined);
  const { state, notes, keptHead } = fitHead(opened.state, expected, opened.source);
  await trainer.loadStateDict(state);
  const { task, inputSize, labels } = factsIn(opened.metadata, dataset.labels.length);
  const side = resize ?? dataset.size;
  if (inputSize !== null && inputSize !== side)
    notes.push(`${weights} was trained on an input of ${inputSize} px, this run has ${side}`);
  if (keptHead && task !== null && task !== dataset.task)
    notes.push(`${weights} was trained for ${task}, this run is ${dataset.task}: its head is kept`);
  const at =
    keptHead && labels && !areUnnamed(dataset.labels) ? labels.findIndex((l, i) => l !== dataset.labels[i]) : -1;
  if (at >= 0) {
    const names = `label ${at} of ${weights} is ${labels![at]}, here it is ${dataset.labels[at]}`;
    notes.push(`${names}: the head that was trained for other labels is kept`);
  }
  return [...opened.notes, ...notes];
}

const noGraphs = (): string =>
  `CUDA without graphs, so each step is launched kernel by kernel: ${native().cudaStatus().noGraphs ?? 'the reason is not known'}`;

const unnamedNote = ({ name, labels }: Dataset): string =>
  `the names of the labels of ${name} are not known, so they are called ${labels[0]} to ${labels.at(-1)}; --label-names sets them`;
