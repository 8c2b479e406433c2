/**
 * A data set in memory: three splits of images and 0/1 labels, and where they came from.
 * Not here: reading files (load.ts), the list of known data sets (catalogue.ts).
 */
import type { Task } from '../base/task';

export type SplitName = 'train' | 'val' | 'test';
export const SPLIT_NAMES = ['train', 'val', 'test'] as const satisfies readonly SplitName[];

/**
 * One split. `images` is uint8 in C order, gray [count, size, size] or RGB [count, size, size, 3]; `truth` is
 * [count, labelCount] of 0 or 1, also where each image has exactly one of the labels.
 */
export interface Split {
  readonly images: Uint8Array;
  readonly truth: Uint8Array;
  readonly count: number;
  readonly size: number;
  /** 1 for gray, 3 for RGB. */
  readonly channels: 1 | 3;
  readonly labelCount: number;
}

export interface Dataset {
  /** MedMNIST flag or file stem, e.g. `chestmnist`, `synthetic`, `chestxray14-sample_28`. */
  readonly name: string;
  /** Side of an image in pixels; even, at least 28. */
  readonly size: number;
  /** 1 for gray, 3 for RGB. */
  readonly channels: 1 | 3;
  /** What is asked of an image. */
  readonly task: Task;
  /** Label names in column order; 14 for ChestMNIST. */
  readonly labels: readonly string[];
  readonly splits: Readonly<Record<SplitName, Split>>;
  /** MD5 of the file (hex), or of the generated content for synthetic data. */
  readonly md5: string;
  /** Absolute path of the file; absent for generated data. */
  readonly path?: string;
}

/** What identifies the data of a run. */
export interface DataFacts {
  name: string;
  size: number;
  md5: string;
  counts: { train: number; val: number; test: number };
}
