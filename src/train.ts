/**
 * A whole training run, from options to a finished run directory; read it top to bottom. Policy is here, tensors are in
 * the addon: an epoch is trainEpoch(order) and predict(val), and everything it depends on is passed in.
 */
import { advance, saveCheckpoint, UNTRAINED, type Checkpoint, type Position } from './checkpoint';
import { SPLIT_NAMES, type Dataset } from './data/dataset';
import { expandView } from './data/expand';
import { ChestMnistError } from './errors';
import { TrainingRun, type TrainEvent, type TrainResult } from './events';
import { appendHistory, bestOf, outOfPatience, rowOf, startHistory, type EpochRow } from './history';
import { factsOf } from './inputs';
import { metadataOf } from './model';
import type { Trainer } from './native';
import { configOf, type ResolvedOptions, type TrainOptions } from './options';
import { prepare } from './prepare';
import { createRunDirectory, runFiles, startRunFile, writeJson } from './run';
import { learningRate, order } from './schedule';
import { scoreRun, scoreSplit } from './score';
import { saveWeights } from './weights';

/** What every part of a run in progress needs. */
interface Session {
  readonly directory: string;
  readonly options: ResolvedOptions;
  readonly dataset: Dataset;
  readonly trainer: Trainer;
  readonly emit: (event: TrainEvent) => void;
  readonly signal: AbortSignal;
}

/**
 * Trains ResNet-18 and writes a run directory. Returns at once: await the run for its result, iterate it for its events,
 * stop() it for a checkpoint to resume from. With `signal` aborted it stops in the same way and rejects with the signal's
 * reason. Several runs may go on at a time. Rejects with a ChestMnistError; bad options or data create nothing.
 */
export function train(options: TrainOptions = {}, { signal }: { signal?: AbortSignal } = {}): TrainingRun {
  return new TrainingRun((emit, stopped) => start(options, emit, stopped), signal);
}

async function start(given: TrainOptions, emit: Session['emit'], signal: AbortSignal): Promise<TrainResult> {
  const { options, dataset, trainer, checkpoint, notes } = await prepare(given, emit, signal);
  try {
    const directory = checkpoint?.directory ?? (await createRunDirectory(options.out, options.name, dataset.name));
    return await runInDirectory({ directory, options, dataset, trainer, emit, signal }, checkpoint, notes);
  } finally {
    await trainer.dispose();
  }
}

/** The run itself; however it ends, run.json tells. */
async function runInDirectory(session: Session, from: Checkpoint | undefined, notes: string[]): Promise<TrainResult> {
  const { directory, options, dataset, trainer, emit, signal } = session;
  const { history, position } = from ?? { history: [], position: { epoch: 1, ...UNTRAINED } };
  const { threads, epochs } = options;
  const facts = { device: trainer.device, threads, data: factsOf(dataset) };
  const run = await startRunFile(directory, { ...facts, path: dataset.path });
  const cancel = (): void => trainer.cancel();
  signal.addEventListener('abort', cancel);
  try {
    await writeJson(runFiles(directory).config, configOf(options));
    await startHistory(directory, history);
    const resumed = from !== undefined;
    emit({ type: 'start', runDirectory: directory, ...facts, epochs, epoch: position.epoch, resumed, options });
    for (const text of notes) emit({ type: 'note', text });
    for (const name of SPLIT_NAMES) {
      const { images, labels, count, size } = dataset.splits[name];
      await trainer.loadSplit(name, expandView(images, count, size), labels);
    }
    const { epoch, samples } = await trainEpochs(session, history, position);
    const bestEpoch = bestOf(history)?.epoch ?? null;
    const progress = { best_epoch: bestEpoch, epochs: history.length };
    const metrics = signal.aborted || bestEpoch === null ? undefined : await scoreRun(session, bestEpoch);
    if (!metrics || bestEpoch === null) {
      await run.end('stopped', progress);
      emit({ type: 'stop', runDirectory: directory, epoch, samples, resume: `chestmnist train --resume ${directory}` });
      return { status: 'stopped', runDirectory: directory, history, bestEpoch, metrics: null };
    }
    await run.end('finished', progress);
    const { drawReport } = await import('./report/index.js');
    await drawReport(directory, { dataset });
    emit({ type: 'finish', runDirectory: directory, seconds: run.seconds(), metrics });
    return { status: 'finished', runDirectory: directory, history, bestEpoch, metrics };
  } catch (error) {
    const { code, message } = error as ChestMnistError;
    // A failure to write this must not hide the failure itself.
    await run
      .end('failed', { best_epoch: bestOf(history)?.epoch ?? null, epochs: history.length, error: { code, message } })
      .catch(() => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** Trains from `position` to the last epoch, to the end of patience or to a stop; adds to `history`, returns where it stands. */
async function trainEpochs(session: Session, history: EpochRow[], position: Position): Promise<Position> {
  const { directory, options, dataset, trainer, emit, signal } = session;
  const save = async (): Promise<void> => {
    const [model, optimizer] = [await trainer.stateDict(), await trainer.optimizerState()];
    await saveCheckpoint({ directory, options, data: factsOf(dataset), position, history, model, optimizer });
  };
  const { TensorBoardWriter } = await import('./report/tensorboard.js');
  const board = options.tensorboard ? new TensorBoardWriter(directory) : undefined;
  try {
    while (!signal.aborted && position.epoch <= options.epochs && !outOfPatience(history, options.patience)) {
      const { epoch } = position;
      const lr = learningRate(options, epoch - 1);
      trainer.setLearningRate(lr);
      position = await trainEpoch(session, position);
      const began = performance.now();
      const val = signal.aborted ? undefined : await scoreSplit(session, 'val', epoch);
      if (!val) break;
      checkFinite('the validation loss', val.loss, epoch, options);
      const row = rowOf(position, lr, val, (performance.now() - began) / 1000);
      history.push(row);
      const best = bestOf(history) === row;
      position = { epoch: epoch + 1, ...UNTRAINED };
      if (best) await saveWeights(runFiles(directory).best, await trainer.stateDict(), metadataOf(options, dataset));
      await appendHistory(directory, row);
      await save();
      emit({ type: 'epoch', best, ...row });
      if (row.valAuc === null && history.length === 1) emit({ type: 'note', text: NO_AUC });
      if (outOfPatience(history, options.patience))
        emit({ type: 'note', text: `no better epoch in ${options.patience}: training ends` });
      board?.epoch(row);
    }
    if (signal.aborted) await save();
    await saveWeights(runFiles(directory).last, await trainer.stateDict(), metadataOf(options, dataset));
    return position;
  } finally {
    await board?.close();
  }
}

const NO_AUC =
  'no label has both values in the validation split, so its AUC is undefined: the best epoch is the one with the lowest validation loss';

/** Trains what `position` has left of its epoch, or as much of it as a stop allows. */
async function trainEpoch({ options, dataset, trainer, emit, signal }: Session, position: Position): Promise<Position> {
  const { epoch, samples } = position;
  const total = dataset.splits.train.count;
  const rest = order(options.seed, epoch, total).subarray(samples);
  if (rest.length === 0 || signal.aborted) return position;
  const result = await trainer.trainEpoch({ order: rest, batchSize: options.batchSize }, (done) => {
    if (!Number.isFinite(done.loss)) trainer.cancel();
    const all = advance(position, done);
    emit({
      type: 'progress',
      phase: 'train',
      epoch,
      done: all.samples,
      total,
      loss: all.loss,
      imagesPerSecond: done.samples / done.seconds,
    });
  });
  const trained = advance(position, result);
  checkFinite('the training loss', trained.loss, epoch, options);
  return trained;
}

function checkFinite(what: string, loss: number, epoch: number, { lr, precision }: ResolvedOptions): void {
  if (Number.isFinite(loss)) return;
  throw new ChestMnistError('ERR_NON_FINITE_LOSS', {
    found: `${what} became ${loss} in epoch ${epoch} (lr ${lr}, ${precision})`,
    needed: 'a finite loss',
    next: 'a lower --lr; the best weights so far and the last finished epoch are kept in the run directory',
  });
}
