/** What explain gives. */
import type { Skipped } from '../judge/pictures';

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
  method: 'occlusion';
  /** L label names in column order. */
  labels: readonly string[];
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
