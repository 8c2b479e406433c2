/** The epochs of a run: history.csv, and what depends only on it, the best epoch and the end of patience. */
import { z } from 'zod';
import { readText, writeAtomically } from '../base/atomic';
import type { ResolvedOptions } from '../recipe/options';
import { damaged, runFiles } from './directory';
import { isThere } from './entries';

/** One finished epoch, as in history.csv. Losses are means over images and labels. */
export interface EpochRow {
  /** From 1. */
  epoch: number;
  /** Learning rate of the epoch's last step. */
  lr: number;
  trainLoss: number;
  valLoss: number;
  /** Macro AUC; null when no label has both values in the validation split. */
  valAuc: number | null;
  /** Macro average precision, likewise; null too where an earlier version did not record it. */
  valAp: number | null;
  /** Mean over labels of the accuracy at 0.5. */
  valAcc: number;
  /** Training and validation. */
  seconds: number;
  /** Training only. */
  imagesPerSecond: number;
}

/** The same as the checkpoint keeps it. */
export const epochSchema = z.object({
  epoch: z.int().min(1),
  lr: z.number().min(0),
  trainLoss: z.number(),
  valLoss: z.number(),
  valAuc: z.number().min(0).max(1).nullable(),
  valAp: z.number().min(0).max(1).nullable().default(null),
  valAcc: z.number().min(0).max(1),
  seconds: z.number().min(0),
  imagesPerSecond: z.number().min(0),
}) satisfies z.ZodType<EpochRow>;

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
  val_ap: 'valAp',
} as const satisfies Record<string, keyof EpochRow>;

/**
 * Writes the whole of history.csv, which also repairs a damaged one. It is on disk when this resolves. An undefined AUC
 * is an empty field.
 */
export async function writeHistory(directory: string, rows: readonly EpochRow[]): Promise<void> {
  const text = [Object.keys(COLUMNS).join(','), ...rows.map(line)].join('\n') + '\n';
  await writeAtomically(runFiles(directory).history, (handle) => handle.writeFile(text));
}

const line = (row: EpochRow): string =>
  Object.values(COLUMNS)
    .map((key) => row[key] ?? '')
    .join(',');

/** The epochs in history.csv; undefined when it does not exist. Throws ERR_DATA_CORRUPT when it is damaged. */
export async function readHistory(directory: string): Promise<EpochRow[] | undefined> {
  const { history: file } = runFiles(directory);
  if (!(await isThere(directory, file))) return undefined;
  const csv = await readText(file, (what, cause) => damaged(directory, file, what, cause));
  return csv === undefined ? undefined : parse(csv, directory, file);
}

/** An unfinished last line is dropped; an empty val_auc is null. */
function parse(csv: string, directory: string, file: string): EpochRow[] {
  const [header, ...lines] = csv.replaceAll('\r', '').split('\n');
  if (header.trim() === '') return [];
  const names = header.split(',');
  const columns = Object.entries(COLUMNS);
  // Earlier versions did not write val_ap.
  const missing = columns
    .filter(([column]) => column !== 'val_ap' && !names.includes(column))
    .map(([column]) => column);
  if (missing.length > 0) throw damaged(directory, file, `has no column ${missing.join(', ')}`);
  // The text after the last line feed is empty or an unfinished row.
  const rows = lines.slice(0, -1).filter((line) => line !== '');
  return rows.map((line, i) => {
    const cells = line.split(',');
    const values = columns.map(([column, key]): [string, number | null] => {
      if (key === 'valAp' && !names.includes(column)) return [key, null];
      const cell = cells[names.indexOf(column)]?.trim() ?? 'nothing';
      if ((key === 'valAuc' || key === 'valAp') && (cell === '' || cell.toLowerCase() === 'nan')) return [key, null];
      const value = cell === '' ? NaN : Number(cell);
      if (!Number.isFinite(value))
        throw damaged(directory, file, `has ${JSON.stringify(cell.slice(0, 60))} as ${column} in row ${i + 1}`);
      return [key, value];
    });
    return Object.fromEntries(values) as unknown as EpochRow;
  });
}

/** What the best epoch is chosen by. */
export type Selection = ResolvedOptions['select'];

/**
 * The first epoch with the highest validation AUC or average precision, or the lowest loss; by the loss too where the
 * figure is undefined.
 */
export function bestOf<Row extends Pick<EpochRow, 'valAuc' | 'valAp' | 'valLoss'>>(
  history: readonly Row[],
  select: Selection,
): Row | undefined {
  const figureOf = (row: Row): number | null => (select === 'auc' ? row.valAuc : select === 'ap' ? row.valAp : null);
  let best: Row | undefined;
  for (const row of history) {
    const [figure, most] = [figureOf(row), best ? figureOf(best) : null];
    if (!best || (figure !== null && most !== null ? figure > most : row.valLoss < best.valLoss)) best = row;
  }
  return best;
}

/** Whether none of the last `patience` epochs was a new best. */
export function outOfPatience(
  history: readonly EpochRow[],
  { patience, select }: Pick<ResolvedOptions, 'patience' | 'select'>,
): boolean {
  return patience !== null && history.length > 0 && history.length - bestOf(history, select)!.epoch >= patience;
}
