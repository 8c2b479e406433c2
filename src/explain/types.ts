/** What explain gives. */
import type { Skipped } from '../judge/pictures';

/** `evidence`: what each position of the last layer adds to the logit. `occlusion`: how much it falls when a square is covered. */
export const METHODS = ['evidence', 'occlusion'] as const;
export type Method = (typeof METHODS)[number];

/** One label of one picture. */
export interface Finding {
  label: string;
  /** Of an exclusive label: the log-odds against all others. */
  logit: number;
  probability: number;
  /** null for exclusive labels. */
  threshold: number | null;
  /** Whether it is decided: false for the most probable one of a picture without any. */
  above: boolean;
  /** Absolute path of the PNG, and of the map as .npy, float32 [rows, columns]. */
  picture: string;
  map: string;
}

export interface Explanation {
  method: Method;
  /** L label names in column order. */
  labels: readonly string[];
  /** Of an evidence map, what is added to its mean for the logit, for each label; null of occlusion. */
  bias: readonly number[] | null;
  /** Where the values of a map lie, for rows and columns: pixels from the edge of an image of `size` pixels. */
  size: number;
  centers: readonly number[];
  /** The size of value with the full colour, for each label. */
  scale: { from: 'validation' | 'pictures'; values: number[] };
  images: { image: string; findings: Finding[] }[];
  /** Absolute path of the page. */
  page: string;
  skipped: Skipped[];
  /** What the reader should know, in sentences. */
  notes: string[];
}
