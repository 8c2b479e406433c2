/**
 * The events of a training run and its result. Not here: the run as an object (training-run.ts), the training itself
 * (index.ts).
 */
import type { DataFacts } from '../data/dataset';
import type { MetricsFile } from '../metrics/types';
import type { ResolvedOptions } from '../recipe/options';
import type { EpochRow } from '../run/history';

/**
 * Order: `progress` of phase `data`, `start`, then `note`, `progress` and `epoch`, finally `finish` or `stop`. A run that
 * is stopped before its `start` has the `stop` alone.
 */
export type TrainEvent =
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
  history: EpochRow[];
  /** From 1; null when no epoch has finished. */
  bestEpoch: number | null;
}
/**
 * The result of a run. `runDirectory` is an absolute path. A stopped run has no metrics yet:
 * `train({ resume: runDirectory })` continues it; null, when it was stopped before it had a run directory.
 */
export type TrainResult =
  | (ResultBase & { status: 'finished'; runDirectory: string; bestEpoch: number; metrics: MetricsFile })
  | (ResultBase & { status: 'stopped'; runDirectory: string | null; metrics: null });
