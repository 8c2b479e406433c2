/**
 * The state of a run in progress and its files. The checkpoint is written first; history, best weights and
 * configuration are derived from it. They are written after it and rewritten whenever a run is resumed, so they are
 * never ahead of the checkpoint, at whatever moment a run is killed.
 */
import { exists } from '../base/atomic';
import type { StillHeld } from '../base/lock';
import type { Dataset } from '../data/dataset';
import { factsOf } from '../data/inputs';
import type { StateDict, Trainer } from '../engine/contract';
import { macroAuc, meanAccuracy } from '../metrics';
import type { Scored } from '../judge/score';
import type { ResolvedOptions } from '../recipe/options';
import { saveCheckpoint, UNTRAINED, type Checkpoint, type Position } from '../run/checkpoint';
import { writeConfig } from '../run/config';
import { busy, removeLeftovers, runFiles } from '../run/directory';
import { bestOf, writeHistory, type EpochRow } from '../run/history';
import type { RunRecord } from '../run/record';
import { writeWeights } from '../weights';
import { metadataOf } from '../weights/metadata';
import type { TrainEvent } from './events';

/** What all parts of a run in progress share. */
export interface Session {
  readonly directory: string;
  readonly held: StillHeld;
  readonly options: ResolvedOptions;
  readonly dataset: Dataset;
  readonly trainer: Trainer;
  readonly emit: (event: TrainEvent) => void;
  readonly signal: AbortSignal;
}

export class Journal {
  /** The position in the run; the caller sets it after each part of an epoch. */
  position: Position;
  readonly history: EpochRow[];
  /** Weights of the best epoch. */
  best: StateDict | undefined;
  readonly #session: Session;

  constructor(session: Session, from?: Checkpoint) {
    this.#session = session;
    this.position = from?.position ?? { epoch: 1, ...UNTRAINED };
    this.history = [...(from?.history ?? [])];
    this.best = from?.best;
  }

  /** The fields of run.json. */
  get progress(): { best_epoch: number | null; epochs: number } {
    return { best_epoch: bestOf(this.history)?.epoch ?? null, epochs: this.history.length };
  }

  /** Writes everything except the checkpoint. */
  async begin(): Promise<void> {
    await removeLeftovers(this.#session.directory);
    await this.#write();
  }

  /** Saves a checkpoint. Rewrites the other files too when the run directory was removed meanwhile. */
  async save(run: RunRecord, model?: StateDict): Promise<void> {
    const { directory, held, options, dataset, trainer, emit } = this.#session;
    if (!held()) throw busy(directory, 'another run, which has taken it over');
    if (!(await exists(runFiles(directory).config))) {
      emit({ type: 'note', text: `${directory} was removed or emptied: it is rewritten` });
      await run.write();
      await this.#write();
    }
    await saveCheckpoint(directory, {
      options,
      device: trainer.device,
      data: factsOf(dataset),
      position: this.position,
      history: this.history,
      model: model ?? (await trainer.stateDict()),
      optimizer: await trainer.optimizerState(),
      best: this.best,
    });
  }

  /** Adds a finished epoch and saves it; true when it is the best so far. */
  async finishEpoch(row: EpochRow, run: RunRecord): Promise<boolean> {
    const { directory, trainer } = this.#session;
    this.history.push(row);
    this.position = { epoch: row.epoch + 1, ...UNTRAINED };
    const model = await trainer.stateDict();
    const isBest = bestOf(this.history) === row;
    if (isBest) this.best = model;
    await this.save(run, model);
    if (isBest) await this.#writeWeights(runFiles(directory).best, model);
    await writeHistory(directory, this.history);
    return isBest;
  }

  /** Writes the current weights. */
  async writeLast(): Promise<void> {
    const { directory, trainer } = this.#session;
    await this.#writeWeights(runFiles(directory).last, await trainer.stateDict());
  }

  async #write(): Promise<void> {
    const { directory, options } = this.#session;
    await writeConfig(directory, options);
    await writeHistory(directory, this.history);
    if (this.best) await this.#writeWeights(runFiles(directory).best, this.best);
  }

  #writeWeights(file: string, weights: StateDict): Promise<void> {
    const { options, dataset } = this.#session;
    const { labels, size } = dataset;
    const facts = { labels, imageSize: size, inputSize: options.resize ?? size };
    return writeWeights(file, weights, metadataOf(facts, options.stem));
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
    valAcc: meanAccuracy(val),
    seconds: rounded(trained.seconds + valSeconds, 6),
    imagesPerSecond: rounded(trained.samples / trained.seconds, 6),
  };
}

const rounded = (value: number, digits: number): number => Number(value.toPrecision(digits));
