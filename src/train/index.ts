/**
 * A whole training run, from options to a finished run directory; read it top to bottom. Policy is here, tensors are in
 * the addon: an epoch is trainEpoch(order) and predict(val), and everything it depends on is passed in.
 */
import { existsSync } from 'node:fs';
import { SPLIT_NAMES, type Dataset } from '../data/dataset';
import { viewOf } from '../data/expand';
import { factsOf } from '../data/inputs';
import { positivesOf } from '../data/labels';
import { checkFields, SIGNAL } from '../base/arguments';
import { explained } from '../base/disk';
import { hashFile } from '../base/checksum';
import { ChestMnistError } from '../base/errors';
import { atExit } from '../base/exit';
import type { StillHeld } from '../base/lock';
import { scoreRun, scoreSplit } from '../judge/score';
import type { ResolvedOptions, TrainOptions } from '../recipe/options';
import { augmentationOf, type Augmentation } from '../recipe/augment';
import { balancedOrder, order } from '../recipe/order';
import { threadsOf } from '../recipe/resolve';
import { withRecipe } from '../recipe/presets';
import { learningRates, stepsOf } from '../recipe/schedule';
import { advance, type Position } from '../run/checkpoint';
import { checkOutput, createRunDirectory } from '../run/create';
import { resumeCommand, runFiles, withRunLock, writeErrorOf, type ScoredSplit } from '../run/directory';
import { isEnsemble } from '../run/ensemble';
import { bestOf, outOfPatience, type EpochRow } from '../run/history';
import { startRunFile, type RunFile, type RunRecord } from '../run/record';
import { trainEnsemble } from './ensemble';
import type { TrainEvent, TrainResult } from './events';
import { Journal, rowOf, type Session } from './journal';
import { ask, findRun, plan, type Resumed } from './plan';
import { prepare } from './prepare';
import { TrainingRun, type Wishes } from './training-run';
import { asInstalled, shellWord } from '../base/shell';

export interface TrainControl {
  /** Stops the run as `stop()` does; the run then rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Trains ResNet-18, or with `seeds` an ensemble of them, and writes a run directory. Returns at once: await the run for its result, iterate it for its
 * events, stop() it for a checkpoint to resume from. Aborting `signal` stops it in the same way and rejects with the
 * signal's reason; an AbortError or a TimeoutError of the platform then also has the `runDirectory`. Several runs may be
 * active at once. Rejects with a ChestMnistError; bad options or data create nothing.
 */
export function train(options: TrainOptions = {}, control: TrainControl = {}): TrainingRun {
  try {
    checkFields('the second argument', control, { signal: SIGNAL });
  } catch (error) {
    const refused = error as ChestMnistError;
    return new TrainingRun(() => Promise.reject(refused));
  }
  return new TrainingRun((emit, wishes) => explained(start(options, emit, wishes)), control.signal);
}

async function start(options: TrainOptions, emit: Session['emit'], wishes: Wishes): Promise<TrainResult> {
  const asked = ask(await withRecipe(options));
  const found = await findRun(asked);
  if (found === undefined ? asked.options.seeds !== null : await isEnsemble(found))
    return trainEnsemble(asked, found, { emit, wishes, run: runInDirectory });
  if (asked.options.jobs > 1) throw noMembers(asked.options.jobs);
  const go = async (held?: StillHeld): Promise<TrainResult> => {
    const planned = await plan(asked, found);
    if (found === undefined) await checkOutput(planned.options.out, planned.options.name);
    const prepared = await prepare(planned, { emit, signal: wishes.signal });
    if (prepared === undefined) return stoppedBefore(planned.resumed, emit);
    const { options, dataset, trainer, notes } = prepared;
    const run = (directory: string, held: StillHeld): Promise<TrainResult> =>
      runInDirectory({ directory, held, options, dataset, trainer, emit, wishes }, planned.resumed, notes);
    try {
      if (found !== undefined && held) return await run(found, held);
      const directory = await createRunDirectory(options.out, options.name, dataset.name);
      return await withRunLock(directory, (held) => run(directory, held));
    } finally {
      await trainer.dispose();
    }
  };
  return found === undefined ? go() : withRunLock(found, go);
}

const noMembers = (jobs: number): ChestMnistError =>
  new ChestMnistError('ERR_CONFIG', {
    found: `--jobs is ${jobs}, and one network is trained`,
    needed: 'an ensemble, whose members can be trained at a time',
    next: 'leave --jobs out, or name the seeds of an ensemble: --seeds 0,1,2,3,4',
  });

/** The end of a run that was stopped while its data were loaded: a new one has no directory yet. */
function stoppedBefore(resumed: Resumed | undefined, emit: Session['emit']): TrainResult {
  const { position = { epoch: 1, samples: 0 }, history = [], options } = resumed?.checkpoint ?? {};
  const bestEpoch = options ? (bestOf(history, options.select)?.epoch ?? null) : null;
  return stopped(resumed?.directory ?? null, position, history, bestEpoch, emit);
}

function stopped(
  directory: string | null,
  { epoch, samples }: Pick<Position, 'epoch' | 'samples'>,
  history: EpochRow[],
  bestEpoch: number | null,
  emit: Session['emit'],
): TrainResult {
  const resume = directory === null ? null : asInstalled(resumeCommand(directory));
  emit({ type: 'stop', runDirectory: directory, epoch, samples, resume });
  return { status: 'stopped', runDirectory: directory, history, bestEpoch, metrics: null };
}

/**
 * The run itself; run.json records how it ends.
 * @internal
 */
export async function runInDirectory(
  session: Session,
  resumed: Resumed | undefined,
  notes: readonly string[],
): Promise<TrainResult> {
  const { directory, held, options, dataset, trainer, emit, until } = session;
  const { signal } = session.wishes;
  const journal = new Journal(session, resumed?.checkpoint);
  const { history } = journal;
  const { epochs } = options;
  const facts = { device: trainer.device, threads: threadsOf(options), data: factsOf(dataset) };
  const begun = { ...facts, data: recordOf(dataset), ...journal.progress };
  const run = await startRunFile(directory, begun, resumed !== undefined).catch(async (cause: unknown) => {
    throw await writeErrorOf(cause, directory);
  });
  const cancel = (): void => trainer.cancel();
  signal.addEventListener('abort', cancel);
  let ending: RunFile | undefined;
  // However the process ends, the run has stopped and can be resumed.
  const forget = atExit(() => {
    if (existsSync(runFiles(directory).run) && held()) {
      run.writeNow(ending ?? run.ending('stopped', journal.progress));
      if (!ending) journal.endNow();
    }
  });
  try {
    await journal.begin();
    const { epoch } = journal.position;
    emit({ type: 'start', runDirectory: directory, ...facts, epochs, epoch, resumed: resumed !== undefined, options });
    for (const text of notes) emit({ type: 'note', text: asInstalled(text) });
    if (options.watch && until === undefined)
      emit({ type: 'note', text: `to watch the run, open ${runFiles(directory).report} in a browser` });
    // Save at once: a full disk is found now, and a run that is killed early or was just extended can be resumed.
    if (!resumed || resumed.changed) await journal.save(run);
    for (const name of until === undefined ? SPLIT_NAMES : (['train', 'val'] as const)) {
      await trainer.loadSplit(name, viewOf(dataset.splits[name]), dataset.splits[name].truth);
    }
    // The trainer has its own copy, and nothing else reads the training images: free the largest array.
    Object.assign(dataset.splits, { train: { ...dataset.splits.train, images: new Uint8Array(0) } });
    await trainEpochs(session, journal, run);
    const { best, progress } = journal;
    const bestEpoch = progress.best_epoch;
    const scored = until === undefined && !signal.aborted && best && bestEpoch !== null;
    const metrics = scored
      ? await scoreRun({
          ...{ directory, dataset, trainer, best: { epoch: bestEpoch, weights: best } },
          ...{ batchSize: options.batchSize, resamples: options.resamples, calibrate: options.calibrate },
          onProgress: (split, done) => emit(progressOf(session, split, bestEpoch, done)),
        })
      : undefined;
    if (!metrics || bestEpoch === null) {
      await run.write(run.ending('stopped', progress));
      await journal.end({ status: 'stopped' });
      return stopped(directory, journal.position, history, bestEpoch, emit);
    }
    // Frees the network's memory before the report is drawn.
    await trainer.dispose();
    const metrics_sha256 = await hashFile(runFiles(directory).metrics, 'sha256');
    const finished = run.ending('finished', { ...progress, metrics_sha256 });
    if (options.report) {
      const { drawReport } = await import('../report/index.js');
      await drawReport(directory, { dataset, record: finished });
    } else {
      const { writeRunCard } = await import('../report/card/index.js');
      await writeRunCard(directory, finished);
      await journal.end({ status: 'finished' });
      emit({
        type: 'note',
        text: asInstalled(
          `plots and report.html were not drawn; to draw them: npx chestmnist report ${shellWord(directory)}`,
        ),
      });
    }
    // Written last: a finished run has all its files.
    ending = finished;
    await run.write(ending);
    emit({ type: 'finish', runDirectory: directory, seconds: run.seconds(), metrics });
    return { status: 'finished', runDirectory: directory, history, bestEpoch, metrics };
  } catch (cause) {
    const error = await writeErrorOf(cause, directory);
    const { code, message } = error as ChestMnistError;
    try {
      ending = run.ending('failed', { ...journal.progress, error: { code, message } });
      if (held()) await run.write(ending);
      if (held()) await journal.end({ status: 'failed', error: message });
    } catch {
      // A failure to write this must not hide the original error.
    }
    throw error;
  } finally {
    forget();
    signal.removeEventListener('abort', cancel);
  }
}

/** The data of a run as run.json has them. */
function recordOf(dataset: Dataset): RunFile['data'] {
  const { path = null, channels, splits } = dataset;
  const [train, val, test] = SPLIT_NAMES.map((name) => positivesOf(splits[name]));
  return { ...factsOf(dataset), path, channels, positives: { train, val, test } };
}

/** Trains from the current position to the last epoch, or that of a trial, the end of patience or a stop. */
async function trainEpochs(session: Session, journal: Journal, run: RunRecord): Promise<void> {
  const { directory, options, dataset, trainer, emit } = session;
  const { until = options.epochs } = session;
  const { signal } = session.wishes;
  const { history } = journal;
  const { TensorBoardWriter } = await import('../run/tensorboard.js');
  const how = { batchSize: options.batchSize, averaged: options.ema > 0 };
  const board = options.tensorboard ? new TensorBoardWriter(directory) : undefined;
  // An interrupted process may have logged epochs that are now trained again.
  if (history.length > 0) board?.restart(journal.position.epoch);
  try {
    while (!signal.aborted && journal.position.epoch <= until && !outOfPatience(history, options)) {
      const { epoch } = journal.position;
      await trainEpoch(session, journal, run);
      const began = performance.now();
      const val = signal.aborted
        ? undefined
        : await scoreSplit(trainer, 'val', dataset.task, dataset.splits.val, how, (done) =>
            emit(progressOf(session, 'val', epoch, done)),
          );
      if (!val) break;
      checkFinite('the validation loss', val.loss, epoch, options);
      const lr = ratesOf(session, epoch).at(-1)!;
      const row = rowOf(journal.position, lr, val, (performance.now() - began) / 1000);
      const best = await journal.finishEpoch(row, run);
      emit({ type: 'epoch', best, ...row });
      if (row.valAuc === null && options.select !== 'loss' && history.length === 1)
        emit({ type: 'note', text: NO_AUC });
      if (outOfPatience(history, options))
        emit({ type: 'note', text: `no better epoch in the last ${options.patience}: training stops` });
      board?.epoch(row);
    }
    if (signal.aborted) await journal.save(run);
    await journal.writeLast();
  } finally {
    await board?.close();
  }
}

/** Progress of scoring a split. */
function progressOf(
  { dataset }: Session,
  phase: ScoredSplit,
  epoch: number,
  { samples, seconds }: { samples: number; seconds: number },
): TrainEvent {
  const total = dataset.splits[phase].count;
  return { type: 'progress', phase, epoch, done: samples, total, imagesPerSecond: samples / seconds };
}

const NO_AUC =
  'no label has both values in the validation split, so its AUC is undefined: the best epoch is the one with the lowest validation loss';

/**
 * Trains the rest of the epoch, until a stop, with a checkpoint every `checkpointEvery` minutes and whenever one is asked
 * for.
 */
async function trainEpoch(session: Session, journal: Journal, run: RunRecord): Promise<void> {
  const { options, dataset, trainer } = session;
  const { signal, requests } = session.wishes;
  const { epoch } = journal.position;
  const { count, truth, labelCount } = dataset.splits.train;
  const whole =
    options.sampling === 'balanced'
      ? balancedOrder(options.seed, epoch, truth, labelCount)
      : order(options.seed, epoch, count);
  const side = options.resize ?? dataset.size;
  const inputs = {
    learningRates: ratesOf(session, epoch),
    augmentation: augmentationOf(options, { seed: options.seed, epoch, count, side }),
  };
  const cancel = (): void => trainer.cancel();
  while (journal.position.samples < whole.length && !signal.aborted) {
    if (journal.isAsked) await journal.save(run);
    const due = setTimeout(cancel, options.checkpointEvery * 60_000);
    requests.on('checkpoint', cancel);
    const part = whole.subarray(journal.position.samples);
    journal.position = await trainPart(session, journal.position, part, inputs).finally(() => {
      clearTimeout(due);
      requests.off('checkpoint', cancel);
    });
    checkFinite('the training loss', journal.position.lossSum, epoch, options);
    if (journal.position.samples < whole.length && !signal.aborted) await journal.save(run);
  }
}

/** The learning rates of an epoch, from 1. */
const ratesOf = ({ options, dataset }: Session, epoch: number): Float64Array =>
  learningRates(options, epoch - 1, stepsOf(dataset.splits.train.count, options.batchSize));

/** Trains on `part`, until it is cancelled. */
async function trainPart(
  session: Session,
  position: Position,
  part: Int32Array,
  { learningRates, augmentation }: { learningRates: Float64Array; augmentation?: Augmentation },
): Promise<Position> {
  const { options, dataset, trainer, emit } = session;
  const { batchSize } = options;
  const total = dataset.splits.train.count;
  const rates = learningRates.subarray(position.samples / batchSize);
  const args = { order: part, batchSize, learningRates: rates, ...(augmentation && { augmentation }) };
  const result = await trainer.trainEpoch(args, (done) => {
    if (!Number.isFinite(done.lossSum)) trainer.cancel();
    const { epoch, samples, lossSum } = advance(position, done);
    const imagesPerSecond = done.samples / done.seconds;
    emit({ type: 'progress', phase: 'train', epoch, done: samples, total, loss: lossSum / samples, imagesPerSecond });
  });
  return advance(position, result);
}

function checkFinite(what: string, loss: number, epoch: number, { lr, precision, weights }: ResolvedOptions): void {
  if (Number.isFinite(loss)) return;
  const others = weights === null ? '' : `, or with other weights than ${weights}`;
  throw new ChestMnistError('ERR_NON_FINITE_LOSS', {
    found: `${what} became ${loss} in epoch ${epoch} (lr ${lr}, ${precision})`,
    needed: 'a finite loss',
    next:
      epoch > 1
        ? 'start again with a lower --lr; the best weights so far and the last finished epoch are kept in the run directory'
        : `start again with a lower --lr${others}; no epoch has finished, so the run directory has no weights`,
  });
}
