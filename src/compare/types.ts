/** The result of a comparison, as `compare --json` prints it. Its figures are in the words of metrics/types.ts. */
import type { Task } from '../base/task';
import type { Agreement } from '../metrics/agreement';
import type { Comparison, Metrics } from '../metrics/types';
import type { ResolvedOptions } from '../recipe/options';
import type { ScoredSplit } from '../run/directory';
import type { EpochRow } from '../run/history';

/** One side of a comparison. */
export interface ComparedSide {
  /** `A` for the first, then `B`, ... */
  name: string;
  /** As it was named. */
  source: string;
  kind: 'run' | 'ensemble' | 'predictions';
  /** The data of a run; absent where they are not known. */
  data?: { name: string; size: number; md5: string };
  /** Of a run: the options that are not the same in all runs. */
  options?: Partial<ResolvedOptions>;
  /** Of an ensemble: the seeds of its members. */
  seeds?: number[];
  /** The chosen epoch of a run, else null. */
  best_epoch: number | null;
  /** The epochs of a run; empty of an ensemble or a file. */
  history: EpochRow[];
  /** With intervals, on the resamples that all sides share. */
  metrics: Metrics;
}

/** The first side, `a`, beside another, `b`. */
export interface ComparedPair {
  a: string;
  b: string;
  /** Differences are a - b. */
  figures: Comparison;
  /** Which images one gets right and the other wrong, for whole images and for each label. */
  images: { whole: Agreement; labels: Agreement[] };
}

/** The result of `compareRuns`. */
export interface RunsComparison {
  split: ScoredSplit;
  task: Task;
  labels: string[];
  sides: ComparedSide[];
  pairs: ComparedPair[];
  /** What the reader of the figures should know. */
  notes: string[];
}
