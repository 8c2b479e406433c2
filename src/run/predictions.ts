/**
 * Predictions on disk. Reads and writes MedMNIST's standard result CSV, which its Evaluator parses, and .npz files of
 * logits and labels, from which every figure and curve can be recomputed. Labels are as MedMNIST stores them: exclusive ones
 * are one column of class numbers.
 * Format: `{flag}{_size unless 28}_{split}_[AUC]{auc}_[ACC]{acc}@{run}.csv`, lines `index,score,...` without a header.
 */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { readText, writeAtomically } from '../base/atomic';
import { writing } from '../base/disk';
import { fits } from '../base/entry';
import { ChestMnistError } from '../base/errors';
import { readNpz, writeNpz } from '../base/npz';
import type { SplitName } from '../data/dataset';
import { isExclusive, type Task } from '../base/task';
import { highest, oneHot } from '../metrics/classes';
import { predictionsOf } from '../metrics/loss';
import type { Figure, Predictions } from '../metrics/types';
import { damaged, runFiles, type ScoredSplit } from './directory';
import { filesIn, isThere } from './entries';

/** The parts of the name of a result CSV. */
export interface PredictionsName {
  /** MedMNIST flag or name of the data set; characters that the Evaluator cannot parse become hyphens. */
  flag: string;
  /** Side of the images in pixels. */
  size: number;
  split: ScoredSplit;
  /** Name of the run, after the @. */
  run: string;
  /** Macro AUC; null (undefined) is written as nan. */
  auc: Figure;
  /** MedMNIST's ACC: mean accuracy over labels at 0.5, or of exclusive labels the share of right decisions. */
  acc: Figure;
}

/**
 * The most characters of the flag, and of the run, in a file name: the first with which the file system takes it. Two
 * names of the longest length that a file system allows would not fit into one, and some allow less, or the path is long.
 */
const LONGEST = [100, 50, 25, 10] as const;

/** The arrays of predictions, as `metrics` reads them: `logits` [N, L] and `labels` [N, L], or [N, 1] of class numbers. */
export function predictionArrays({
  task,
  truth,
  logits,
  labelCount,
}: Predictions & { logits: Float32Array }): Parameters<typeof writeNpz>[1] {
  const n = truth.length / labelCount;
  const labels = isExclusive(task)
    ? { shape: [n, 1], data: Int32Array.from(highest(truth, labelCount)) }
    : { shape: [n, labelCount], data: truth };
  return { labels, logits: { shape: [n, labelCount], data: logits } };
}

/**
 * Writes `predictions/{split}.npz` (see predictionArrays) and the CSV into a run
 * directory, replacing those of the same split; returns the two paths. Throws ERR_DATA_SHAPE, ERR_OUTPUT or ERR_DISK.
 */
export async function writePredictions(
  directory: string,
  predictions: Predictions & { logits: Float32Array },
  { flag, size, split, run, auc, acc }: PredictionsName,
): Promise<string[]> {
  const { truth, scores, logits, labelCount } = predictions;
  const n = truth.length / labelCount;
  if (!Number.isInteger(n) || logits.length !== truth.length || scores.length !== truth.length) {
    throw new ChestMnistError('ERR_DATA_SHAPE', {
      found: `${truth.length} true labels, ${logits.length} logits and ${scores.length} scores for ${labelCount} labels per image`,
      needed: 'three arrays of one shape [N, labelCount]',
      next: 'pass the arrays of one split',
    });
  }
  const { predictions: folder, scored } = runFiles(directory);
  const npz = scored(split);
  await writing(folder, () => mkdir(folder, { recursive: true }));
  const nameOf = (longest: number): [prefix: string, suffix: string, csv: string] => {
    const prefix = `${flagOf(flag, size, longest)}${size === 28 ? '' : `_${size}`}_${split}_`;
    const suffix = `@${run.replace(/[^A-Za-z0-9_-]+/g, '-').slice(0, longest) || 'run'}.csv`;
    return [prefix, suffix, path.join(folder, `${prefix}[AUC]${fixed(auc)}_[ACC]${fixed(acc)}${suffix}`)];
  };
  let [prefix, suffix, csv] = nameOf(LONGEST[0]);
  for (const longest of LONGEST) {
    [prefix, suffix, csv] = nameOf(longest);
    if (await fits(csv)) break;
  }
  await writeNpz(npz, predictionArrays(predictions));
  await removeFormer(folder, `${prefix}[AUC]`, suffix, path.basename(csv));
  const lines = Array.from(
    { length: n },
    (_, i) => `${i},${scores.subarray(i * labelCount, (i + 1) * labelCount).join(',')}\n`,
  );
  await writeAtomically(csv, async (handle) => {
    await handle.writeFile(lines.join(''));
  });
  return [csv, npz];
}

/**
 * Reads truth, logits and probabilities of a split of a run of this task; undefined when the file does not exist. Throws
 * ERR_DATA_CORRUPT when it is damaged.
 */
export async function readScored(directory: string, split: ScoredSplit, task?: Task): Promise<Predictions | undefined> {
  const file = runFiles(directory).scored(split);
  if (!(await isThere(directory, file))) return undefined;
  const arrays = await readNpz(file, { keys: ['labels', 'logits'] });
  const [labels, logits] = [arrays.get('labels'), arrays.get('logits')];
  const exclusive = isExclusive(task);
  const labelCount = logits?.shape[1] ?? 0;
  const isWhole =
    (exclusive ? labels?.data instanceof Int32Array : labels?.data instanceof Uint8Array) &&
    logits?.data instanceof Float32Array &&
    logits.shape.length === 2 &&
    labels!.shape.join() === [logits.shape[0], exclusive ? 1 : labelCount].join() &&
    labels!.data.every((value) => value >= 0 && value <= (exclusive ? labelCount - 1 : 1)) &&
    logits.data.every(Number.isFinite);
  if (!isWhole) {
    const needed = exclusive ? 'class numbers [N, 1] (<i4)' : 'labels [N, L] of 0 and 1 (|u1)';
    throw damaged(directory, file, `does not hold ${needed} and finite logits [N, L] (<f4)`);
  }
  const truth = exclusive ? oneHot(labels!.data, labelCount) : (labels!.data as Uint8Array);
  return predictionsOf(task, { truth, logits: logits.data, labelCount });
}

/** Removes the file of an earlier scoring, whose name has other figures. */
async function removeFormer(folder: string, prefix: string, suffix: string, kept: string): Promise<void> {
  await writing(folder, async () => {
    const former = (await filesIn(folder)).filter(
      (name) => name.startsWith(prefix) && name.endsWith(suffix) && name !== kept,
    );
    for (const name of former) await rm(path.join(folder, name), { force: true });
  });
}

/**
 * The Evaluator splits the name at underscores, so the flag must not contain any. A size at the end of the name is
 * dropped.
 */
function flagOf(name: string, size: number, longest: number): string {
  const flag = name.endsWith(`_${size}`) ? name.slice(0, -`_${size}`.length) : name;
  return flag.replace(/[^A-Za-z0-9.-]+/g, '-').slice(0, longest) || 'dataset';
}

const fixed = (value: Figure): string => (value === null || !Number.isFinite(value) ? 'nan' : value.toFixed(3));

/** The contents of a result CSV and of its name; the truth is in another file. */
export interface MedmnistCsv extends Pick<Predictions, 'labelCount'> {
  flag: string;
  /** Side of the images in pixels: 28 when the name has none. */
  size: number;
  split: SplitName;
  /** The text after the @ in the name; undefined without an @. */
  run?: string;
  /** [count, labelCount] row-major, in order of the index column. */
  scores: Float64Array;
  count: number;
}

/**
 * Reads a standard result CSV, ours or MedMNIST's. Throws ERR_DATA_MISSING (no such file), ERR_DATA_CORRUPT (a name or
 * line of another format, a duplicate or missing index) or ERR_DATA_SHAPE (lines of unequal length, no lines).
 */
export async function readMedmnistCsv(file: string): Promise<MedmnistCsv> {
  const name = path.basename(file);
  const parts = /^(?<flag>[^_]+)(?:_(?<size>\d+))?_(?<split>train|val|test)[^/]*?(?:@(?<run>[^@]*))?\.csv$/.exec(
    name,
  )?.groups;
  if (!parts) {
    throw wrong(
      'ERR_DATA_CORRUPT',
      `the name ${name}`,
      '{flag}_{split}….csv or {flag}_{size}_{split}….csv',
      'rename the file to this form',
    );
  }
  const unread = (what: string): ChestMnistError =>
    wrong('ERR_DATA_MISSING', `${file} ${what}`, 'a result CSV', 'check the path');
  const text = await readText(file, unread);
  if (text === undefined) throw unread('does not exist');
  const rows = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const labelCount = (rows[0]?.split(',').length ?? 0) - 1;
  if (labelCount < 1)
    throw wrong('ERR_DATA_SHAPE', `${file} has no line of index and scores`, 'lines index,score,…', FORMAT_HELP);
  const scores = new Float64Array(rows.length * labelCount);
  const seen = new Uint8Array(rows.length);
  rows.forEach((row, i) => {
    const cells = row.split(',');
    const line = `${file}, line ${i + 1}`;
    if (cells.length !== labelCount + 1) {
      throw wrong(
        'ERR_DATA_SHAPE',
        `${line} has ${cells.length - 1} scores`,
        `${labelCount}, as the first line`,
        FORMAT_HELP,
      );
    }
    const values = cells.map((cell) => (cell.trim() === '' ? NaN : Number(cell)));
    const index = values[0];
    if (!values.every(Number.isFinite))
      throw wrong('ERR_DATA_CORRUPT', `${line}: ${row.slice(0, 60)}`, 'an index and finite scores', FORMAT_HELP);
    if (!Number.isInteger(index) || index < 0 || index >= rows.length || seen[index]) {
      throw wrong(
        'ERR_DATA_CORRUPT',
        `${line} has index ${index}`,
        `each of 0 to ${rows.length - 1} once`,
        FORMAT_HELP,
      );
    }
    seen[index] = 1;
    scores.set(values.slice(1), index * labelCount);
  });
  const { flag, size, split, run } = parts;
  return {
    flag,
    size: Number(size ?? 28),
    split: split as SplitName,
    ...(run === undefined ? {} : { run }),
    scores,
    count: rows.length,
    labelCount,
  };
}

const FORMAT_HELP = "write it as MedMNIST's Evaluator does";

const wrong = (
  code: 'ERR_DATA_CORRUPT' | 'ERR_DATA_SHAPE' | 'ERR_DATA_MISSING',
  found: string,
  needed: string,
  next: string,
) => new ChestMnistError(code, { found, needed, next });
