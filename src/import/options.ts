/** What a user asks of an import. Names and checks alone, so that the help of the verb loads no decoder. */
import {
  checkArgument,
  checkFields,
  FUNCTION,
  integer,
  rule,
  SIGNAL,
  SWITCH,
  TEXT,
  type Rule,
} from '../base/arguments';
import { nameOptions } from '../base/errors';
import { FITS, type Fit, type VoiWindow } from '../data/pictures/options';

/** What an uncertain label (-1) becomes: absent, present, or its row is left out. */
export const UNCERTAIN = ['zero', 'one', 'drop'] as const;
export type Uncertain = (typeof UNCERTAIN)[number];

export const SIZES = [28, 64, 128, 224] as const;

export interface ImportOptions {
  /** The pictures, in this folder and those below. */
  folder: string;
  /** The .npz file to write; its companions lie beside it. */
  output: string;
  /** A CSV file with a row per picture. Without one the folders of FOLDER are the classes. */
  table?: string;
  /** Pixels of each side: 28 (default), 64, 128 or 224. */
  size?: number;
  /**
   * The columns of the labels, or labels in the one column that holds them: some of a list, all classes in their order.
   * Default: found by name.
   */
  labels?: readonly string[];
  /** The column that names the picture. Default: found by name. */
  image?: string;
  /** The column whose equal values stay in one split. `Patient ID` may be that of DICOM files. Default: found by name. */
  group?: string;
  /**
   * `70/10/20` (default), the name of a column, a table with one (`split.csv`), or lists of pictures:
   * `train=FILE,val=FILE,test=FILE`. Where val is not given, an eighth of train becomes it.
   */
  split?: string;
  /** What -1 becomes. Default `zero`. */
  uncertain?: Uncertain;
  /** What becomes of a picture that is not square. Default `crop`. */
  fit?: Fit;
  /** Values of DICOM files from black to white, instead of their own. */
  window?: VoiWindow;
  /** Of the split. Default 0. */
  seed?: number;
  /** Stop at the first picture that cannot be read, and at rows and pictures without each other. */
  strict?: boolean;
  /** Replace the files. */
  force?: boolean;
  /** Licence of the pictures, to be recorded. */
  license?: string;
  /** Told what was found and decided, a line at a time. */
  onNote?: (line: string) => void;
  /** Told how many of the pictures are done. */
  onProgress?: (done: number, total: number) => void;
  /** Aborting it stops soon; what is done is kept, and the same call resumes it. */
  signal?: AbortSignal;
}

const RULES: Readonly<Record<keyof ImportOptions, Rule>> = {
  folder: TEXT,
  output: TEXT,
  table: TEXT,
  size: rule(SIZES.join(', '), (value) => (SIZES as readonly unknown[]).includes(value)),
  labels: rule('names of columns', (value) => Array.isArray(value) && value.length > 0 && value.every(TEXT.is)),
  image: TEXT,
  group: TEXT,
  split: TEXT,
  uncertain: rule(UNCERTAIN.join(', '), (value) => (UNCERTAIN as readonly unknown[]).includes(value)),
  fit: rule(FITS.join(', '), (value) => (FITS as readonly unknown[]).includes(value)),
  window: rule('a center and a width above 0', isWindow),
  seed: integer(0, 0xffff_ffff),
  strict: SWITCH,
  force: SWITCH,
  license: TEXT,
  onNote: FUNCTION,
  onProgress: FUNCTION,
  signal: SIGNAL,
};

nameOptions(Object.keys(RULES));

function isWindow(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) && value[1] > 0;
}

/** Throws ERR_CONFIG. */
export function checkOptions(options: ImportOptions): void {
  checkFields('options', options, RULES);
  checkArgument('folder', options.folder, TEXT);
  checkArgument('output', options.output, TEXT);
}
