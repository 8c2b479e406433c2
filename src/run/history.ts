/**
 * The epochs of a run: history.csv, and what follows from them alone, the best epoch and the end of patience.
 */
import type { Position } from './checkpoint';
import { writeAtomically } from '../base/atomic';
import { macroAuc, meanAccuracy } from '../metrics';
import { runFiles } from './directory';
import type { Scored } from '../judge/score';

/** One finished epoch, as in history.csv. Losses are means over images and labels. */
export interface EpochRow {
  /** From 1. */
  epoch: number;
  lr: number;
  trainLoss: number;
  valLoss: number;
  /** Macro AUC; null when no label has both values in the validation split. */
  valAuc: number | null;
  /** Mean over labels of the accuracy at 0.5. */
  valAcc: number;
  /** Training and validation. */
  seconds: number;
  /** Of training alone. */
  imagesPerSecond: number;
}

/** The row of an epoch: what was trained, and what the validation split says. */
export function rowOf(trained: Position, lr: number, val: Scored, valSeconds: number): EpochRow {
  return {
    epoch: trained.epoch,
    lr,
    trainLoss: rounded(trained.lossSum / trained.samples, 12),
    valLoss: rounded(val.loss, 12),
    valAuc: macroAuc(val.labels, val.scores, val.labelCount),
    valAcc: meanAccuracy(val.labels, val.scores, val.labelCount),
    seconds: rounded(trained.seconds + valSeconds, 6),
    imagesPerSecond: rounded(trained.samples / trained.seconds, 6),
  };
}

const rounded = (value: number, digits: number): number => Number(value.toPrecision(digits));

/** The columns of history.csv, in order. */
const COLUMNS = {
  epoch: 'epoch',
  lr: 'lr',
  train_loss: 'trainLoss',
  val_loss: 'valLoss',
  val_auc: 'valAuc',
  val_acc: 'valAcc',
  seconds: 'seconds',
  images_per_second: 'imagesPerSecond',
} as const satisfies Record<string, keyof EpochRow>;

/**
 * Writes history.csv as a whole, so that it is right again after whatever happened to it; it is on disk when this
 * resolves. An undefined AUC is an empty field.
 */
export async function writeHistory(directory: string, rows: readonly EpochRow[]): Promise<void> {
  const text = [Object.keys(COLUMNS).join(','), ...rows.map(line)].join('\n') + '\n';
  await writeAtomically(runFiles(directory).history, (handle) => handle.writeFile(text));
}

const line = (row: EpochRow): string =>
  Object.values(COLUMNS)
    .map((key) => row[key] ?? '')
    .join(',');

/** The first epoch with the highest validation AUC; where the AUC is undefined, with the lowest validation loss. */
export function bestOf(history: readonly EpochRow[]): EpochRow | undefined {
  let best: EpochRow | undefined;
  for (const row of history) {
    if (
      !best ||
      (row.valAuc !== null && best.valAuc !== null ? row.valAuc > best.valAuc : row.valLoss < best.valLoss)
    ) {
      best = row;
    }
  }
  return best;
}

/** Whether the last `patience` epochs brought no better one. */
export function outOfPatience(history: readonly EpochRow[], patience: number | null): boolean {
  return patience !== null && history.length > 0 && history.length - bestOf(history)!.epoch >= patience;
}
