/**
 * The state of a run in progress and its files. The checkpoint is written first; history, best weights and
 * configuration are derived from it. They are written after it and rewritten whenever a run is resumed, so they are
 * never ahead of the checkpoint, at whatever moment a run is killed.
 */
import { randomUUID } from 'node:crypto';
import { exists } from '../base/atomic';
import { hashFile } from '../base/checksum';
import type { StillHeld } from '../base/lock';
import type { Dataset } from '../data/dataset';
import { factsOf } from '../data/inputs';
import type { StateDict, Trainer } from '../engine/contract';
import { macroAuc, macroAveragePrecision, meanAccuracy } from '../metrics';
import type { Scored } from '../judge/score';
import type { ResolvedOptions } from '../recipe/options';
import { sameOptions } from '../recipe/resolve';
import { restorePrevious, saveCheckpoint, UNTRAINED, type Checkpoint, type Position } from '../run/checkpoint';
import { writeConfig } from '../run/config';
import { busy, runFiles } from '../run/directory';
import { removeLeftovers } from '../run/entries';
import { bestOf, writeHistory, type EpochRow } from '../run/history';
import { writeSafetensors } from '../weights';
import type { RunFile, RunRecord } from '../run/record';
import { metadataOf } from '../weights/metadata';
import type { TrainEvent } from './events';
import { LivePage, type Ending } from './live-page';
import type { Wishes } from './training-run';

/** What all parts of a run in progress share. */
export interface Session {
  readonly directory: string;
  readonly held: StillHeld;
  readonly options: ResolvedOptions;
  readonly dataset: Dataset;
  readonly trainer: Trainer;
  readonly emit: (event: TrainEvent) => void;
  readonly wishes: Wishes;
  /** Of a trial: it trains no further than this epoch, and never sees the test split. */
  readonly until?: number;
}

export class Journal {
  /** The position in the run; the caller sets it after each part of an epoch. */
  position: Position;
  readonly history: EpochRow[];
  /** Weights of the best epoch. */
  best: StateDict | undefined;
  /** Whether a checkpoint was asked for since the last one. */
  isAsked = false;
  /** report.html of a run that is watched; trials have none. */
  readonly #page: LivePage | undefined;
  readonly #session: Session;
  readonly #from: Checkpoint | undefined;
  /** Names the run, in run.json and in its checkpoints. */
  readonly #id: string;
  /** The options of the newest checkpoint, which config.json has too. */
  #saved: ResolvedOptions;
  /** The epochs in it. */
  #finished: number;
  #bestSha256: string | undefined;

  constructor(session: Session, from?: Checkpoint) {
    this.#session = session;
    this.#from = from;
    this.#id = from?.run ?? randomUUID();
    this.#saved = from?.options ?? session.options;
    this.position = from?.position ?? { epoch: 1, ...UNTRAINED };
    this.history = [...(from?.history ?? [])];
    this.#finished = this.history.length;
    this.best = from?.best;
    const { options, until } = session;
    this.#page = options.watch && until === undefined ? new LivePage(session, this.history) : undefined;
    session.wishes.requests.on('checkpoint', () => (this.isAsked = true));
  }

  /** The fields of run.json: as the other files, it never knows more than the checkpoint. */
  get progress(): Pick<RunFile, 'id' | 'best_epoch' | 'epochs' | 'best_sha256'> {
    const best_epoch = bestOf(this.history.slice(0, this.#finished), this.#session.options.select)?.epoch ?? null;
    return { id: this.#id, best_epoch, epochs: this.#finished, best_sha256: this.#bestSha256 };
  }

  /** Writes everything except the checkpoint. */
  async begin(): Promise<void> {
    const { directory } = this.#session;
    await removeLeftovers(directory);
    if (this.#from?.isPrevious) await restorePrevious(directory);
    await this.#write();
    await this.#page?.refresh();
  }

  /** Of a watched run: its last page, which reloads no more; `how` is how it ended. */
  async end(how: Ending): Promise<void> {
    await this.#page?.end(how);
  }

  /** The same without waiting, for a process that exits. */
  endNow(): void {
    this.#page?.endNow();
  }

  /** The averaged weights; undefined in a run that keeps none. */
  async #average(): Promise<StateDict | undefined> {
    const { options, trainer } = this.#session;
    return options.ema > 0 ? trainer.stateDict({ averaged: true }) : undefined;
  }

  /** Saves a checkpoint. Rewrites the other files too when the run directory was removed meanwhile. */
  async save(run: RunRecord, now?: { model: StateDict; average?: StateDict }): Promise<void> {
    const { directory, held, options, dataset, trainer, emit } = this.#session;
    if (!held()) throw busy(directory, 'another run, which has taken it over');
    if (!(await exists(runFiles(directory).config))) {
      emit({ type: 'note', text: `${directory} was removed or emptied: it is rewritten` });
      await run.write();
      await this.#write();
    }
    const isChanged = !sameOptions(this.#saved, options);
    const average = now ? now.average : await this.#average();
    await saveCheckpoint(directory, {
      run: this.#id,
      options,
      // A process that is killed before the next line leaves a config.json of these.
      ...(isChanged && { former: this.#saved }),
      device: trainer.device,
      data: factsOf(dataset),
      position: this.position,
      history: this.history,
      model: now?.model ?? (await trainer.stateDict()),
      optimizer: await trainer.optimizerState(),
      ...(average && { average }),
      best: this.best,
    });
    this.#saved = options;
    this.#finished = this.history.length;
    if (isChanged) await writeConfig(directory, options);
    if (!this.isAsked) return;
    this.isAsked = false;
    const { epoch, samples } = this.position;
    emit({ type: 'note', text: `checkpoint written in epoch ${epoch} after ${samples} images` });
  }

  /** Adds a finished epoch and saves it; true when it is the best so far. */
  async finishEpoch(row: EpochRow, run: RunRecord): Promise<boolean> {
    const { directory, options, trainer } = this.#session;
    this.history.push(row);
    this.position = { epoch: row.epoch + 1, ...UNTRAINED };
    const model = await trainer.stateDict();
    const isBest = bestOf(this.history, options.select) === row;
    const average = await this.#average();
    const scored = average ?? model;
    if (isBest) this.best = scored;
    await this.save(run, { model, average });
    if (isBest) await this.#writeBest(scored);
    await writeHistory(directory, this.history);
    await this.#page?.refresh();
    return isBest;
  }

  /** Writes the current weights. */
  async writeLast(): Promise<void> {
    const { directory, trainer } = this.#session;
    await this.#writeWeights(runFiles(directory).last, await trainer.stateDict());
    const average = await this.#average();
    if (average) await this.#writeWeights(runFiles(directory).average, average);
  }

  async #write(): Promise<void> {
    const { directory } = this.#session;
    await writeConfig(directory, this.#saved);
    await writeHistory(directory, this.history);
    if (this.best) await this.#writeBest(this.best);
  }

  /** Its checksum goes into run.json, so that weights put in its place later are noticed. */
  async #writeBest(weights: StateDict): Promise<void> {
    const { best: file } = runFiles(this.#session.directory);
    // A process that ends now cannot say which of the two stands there.
    this.#bestSha256 = undefined;
    await this.#writeWeights(file, weights);
    // The run directory may have been removed meanwhile.
    this.#bestSha256 = await hashFile(file, 'sha256').catch(() => undefined);
  }

  #writeWeights(file: string, weights: StateDict): Promise<void> {
    const { options, dataset } = this.#session;
    const { task, channels, labels, size } = dataset;
    const facts = { task, channels, labels, imageSize: size, inputSize: options.resize ?? size };
    return writeSafetensors(file, weights, metadataOf(facts, options));
  }
}

/** The row of an epoch, from its training and its validation results. */
export function rowOf(trained: Position, lr: number, val: Scored, valSeconds: number): EpochRow {
  return {
    epoch: trained.epoch,
    lr,
    trainLoss: rounded(trained.lossSum / trained.samples, 12),
    valLoss: rounded(val.loss, 12),
    valAuc: macroAuc(val),
    valAp: macroAveragePrecision(val),
    valAcc: meanAccuracy(val),
    seconds: rounded(trained.seconds + valSeconds, 6),
    imagesPerSecond: rounded(trained.samples / trained.seconds, 6),
  };
}

const rounded = (value: number, digits: number): number => Number(value.toPrecision(digits));
