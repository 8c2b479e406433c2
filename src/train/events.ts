/**
 * The events of a training run and its result. Not here: the run as an object (training-run.ts), the training itself
 * (index.ts).
 */
import type { DataFacts } from '../data/dataset';
import type { MetricsFile } from '../metrics/types';
import type { ResolvedOptions } from '../recipe/options';
import type { EpochRow } from '../run/history';

/**
 * Order of a single run: `progress` of phase `data`, `start`, then `note`, `progress` and `epoch`, finally `finish` or `stop`. A run that
 * is stopped before its `start` has the `stop` alone.
 *
 * An ensemble has `progress` of phase `data`, `ensemble`, then the events of each member, which have its seed in `member`,
 * finally its own `finish` or `stop`. With several `jobs` those of different members come in any order.
 */
export type TrainEvent = RunEvent & {
  /** The seed of the member that the event is of; only of an ensemble. */
  member?: number;
};

type RunEvent =
  | {
      type: 'start';
      /** Absolute path. */
      runDirectory: string;
      device: string;
      threads: number;
      epochs: number;
      /** The first epoch to train, from 1; usually above 1 for a resumed run. */
      epoch: number;
      resumed: boolean;
      data: DataFacts;
      options: ResolvedOptions;
    }
  | {
      type: 'ensemble';
      /** Absolute path of the ensemble; those of its members are inside it. */
      runDirectory: string;
      seeds: number[];
      resumed: boolean;
    }
  | { type: 'note'; text: string }
  | {
      type: 'progress';
      phase: 'data' | 'train' | 'val' | 'test';
      /** From 1; 0 while data or published weights are loaded. */
      epoch: number;
      /** Images done and in total; in phase `data` images made or bytes downloaded, where `total` may be unknown. */
      done: number;
      total: number | undefined;
      /** Mean loss so far in the epoch; phase `train` only. */
      loss?: number;
      imagesPerSecond?: number;
    }
  | ({ type: 'epoch'; best: boolean } & EpochRow)
  | {
      type: 'stop';
      /** Absolute path; null when the run was stopped before it had one. */
      runDirectory: string | null;
      /** Where it stopped: the epoch, from 1, and the images done of it. */
      epoch: number;
      samples: number;
      /** The command that continues it; null when there is nothing to continue. */
      resume: string | null;
    }
  | { type: 'finish'; runDirectory: string; seconds: number; metrics: MetricsFile };

interface ResultBase {
  /** Empty of an ensemble. */
  history: EpochRow[];
  /** From 1; null when no epoch has finished, and of an ensemble: each of its members has its own. */
  bestEpoch: number | null;
}
/**
 * The result of a run. `runDirectory` is an absolute path. A stopped run has no metrics yet:
 * `train({ resume: runDirectory })` continues it; null, when it was stopped before it had a run directory.
 */
export type TrainResult =
  | (ResultBase & { status: 'finished'; runDirectory: string; metrics: MetricsFile })
  | (ResultBase & { status: 'stopped'; runDirectory: string | null; metrics: null });
