/**
 * What a run starts from: resolved options, data, a trainer with its weights, a checkpoint when one is resumed. All that
 * can be refused is refused here, before anything is created. Not here: the run itself (train.ts).
 */
import type { Dataset } from '../data/dataset';
import { resolveDevice } from '../engine/device';
import type { TrainEvent } from './events';
import { checkBatch, factsOf, loadData, sourceOf } from '../data/inputs';
import { startFrom, trainerOf } from '../engine/model';
import { native, type Trainer } from '../engine/addon';
import { resolveOptions, type ResolvedOptions, type TrainOptions } from '../recipe/options';
import { checkSameData, openRun, roundingNote, type Resumed } from './resume';
import { checkOutput } from '../run/directory';

export interface Prepared {
  options: ResolvedOptions;
  dataset: Dataset;
  /** The caller disposes of it. */
  trainer: Trainer;
  resumed?: Resumed;
  /** What the user should be told: the device chosen, a head replaced, a damaged checkpoint. */
  notes: string[];
}

/**
 * Prepares a new run, or the continuation of the one in `directory`. Throws the error of the first thing that cannot be
 * used; `signal` ends it with its reason.
 */
export async function prepare(
  given: TrainOptions,
  directory: string | undefined,
  emit: (event: TrainEvent) => void,
  signal: AbortSignal,
): Promise<Prepared> {
  const resumed = directory === undefined ? undefined : await openRun(directory, given);
  const wanted = resumed?.options ?? resolveOptions(given);
  if (!resumed) await checkOutput(wanted.out, wanted.name);
  const { device, note } = resolveDevice(wanted.device);
  const onProgress = (done: number, total?: number): void =>
    emit({ type: 'progress', phase: 'data', epoch: 0, done, total });
  const { dataset, notes } = await loadData({
    data: wanted.data,
    size: wanted.size,
    limits: { train: wanted.limitTrain, val: wanted.limitVal, test: wanted.limitTest },
    onProgress,
    signal,
  });
  notes.push(...(resumed?.notes ?? []), ...(note === undefined ? [] : [note]));
  checkBatch(dataset, wanted.batchSize);
  if (resumed) checkSameData(factsOf(dataset), resumed);
  const options = { ...wanted, size: dataset.size, data: sourceOf(dataset, wanted.data) };

  const trainer = trainerOf(options, dataset, device);
  try {
    if (resumed) {
      const rounding = roundingNote(resumed, device, options, trainer.execution);
      if (rounding !== undefined) notes.push(rounding);
      await trainer.loadStateDict(resumed.checkpoint.model);
      await trainer.loadOptimizerState(resumed.checkpoint.optimizer);
    } else if (options.weights !== null) {
      notes.push(...(await startFrom(trainer, options.weights, { signal, onProgress })));
    }
    if (device.startsWith('cuda') && trainer.execution === 'plain' && !options.exact) notes.push(noGraphs());
    signal.throwIfAborted();
    return { options, dataset, trainer, resumed, notes };
  } catch (error) {
    await trainer.dispose();
    throw error;
  }
}

const noGraphs = (): string =>
  `CUDA without graphs, so each step is launched kernel by kernel: ${native().cudaStatus().noGraphs ?? 'for no reason known'}`;
