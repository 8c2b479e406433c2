/** The parts of a model card, as model-card.json has them. What is not known is null. */
import type { Task } from '../../base/task';
import type { DataFacts, SplitName } from '../../data/dataset';
import type { Calibration, Figure, Interval } from '../../metrics/types';
import type { ResolvedOptions } from '../../recipe/options';
import type { RunFile } from '../../run/record';

export interface CardFigure {
  test: Figure;
  /** Of the test split; null without resamples. */
  interval: Interval | null;
  validation: Figure;
  /** The same figure of the baseline; null where it has none. */
  baseline: Figure;
}

export interface CardData {
  name: string;
  /** Side of the images in pixels. */
  size: number;
  md5: string;
  /** Images of each split; all that the run has used. */
  counts: DataFacts['counts'];
  /** Of a set that the catalogue knows by its MD5; null of other data. */
  licence: string | null;
  licence_url: string | null;
  source: string | null;
}

export interface CardLabel {
  label: string;
  /** Images with the label; null where the run has not recorded them. */
  images: Record<SplitName, number | null>;
  /** Share of the images of the test split. */
  prevalence: number;
  auc: Figure;
  auc_interval: Interval | null;
  average_precision: Figure;
  average_precision_interval: Interval | null;
  precision: Figure;
  recall: Figure;
  specificity: Figure;
  f1: Figure;
  ece: Figure;
}

/** An exported file; null of a run's own card. */
export interface CardFile {
  name: string;
  format: string;
  bytes: number;
  sha256: string;
}

/** The network, as far as it is known. Sides are in pixels. */
export interface CardModel {
  architecture: string;
  stem: string | null;
  task: Task | null;
  labels: readonly string[] | null;
  image_size: number | null;
  input_size: number | null;
  channels: 1 | 3 | null;
  /** Seeds of the members of an ensemble, whose probabilities are averaged; null of one network. */
  members: number[] | null;
  /** How a pixel becomes an input; of a network that was trained elsewhere it is not known. */
  preprocessing: string | null;
}

export interface Card {
  card: 1;
  name: string;
  intended_use: string;
  file: CardFile | null;
  model: CardModel;
  data: CardData | null;
  recipe: {
    /** Those that differ from their defaults. */
    options: Partial<ResolvedOptions>;
    /** null of an ensemble: each of its members has its own. */
    best_epoch: number | null;
    versions: RunFile['versions'] | null;
    device: string | null;
    /** ISO 8601. */
    started: string | null;
  } | null;
  /** Of the test split, by the decision that `decision` names. */
  figures: {
    decision: string;
    images: number;
    level: number | null;
    resamples: number | null;
    baseline: string;
    summary: Record<string, CardFigure>;
    labels: CardLabel[];
  } | null;
  /** By the rule that tuned them on validation, in the order of the labels; null of exclusive classes, which have none. */
  thresholds: Record<string, number[]> | null;
  calibration: (Pick<Calibration, 'temperatures' | 'kept'> & { ece: CalibrationPair; loss: CalibrationPair }) | null;
  /** In sentences. */
  limits: string[];
  written_by: string;
}

/** Of the test split, before the temperatures and after them. */
interface CalibrationPair {
  before: Figure;
  after: Figure;
}
