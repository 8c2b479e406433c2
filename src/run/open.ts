/**
 * What a run directory holds, read back for the report. A run that was stopped early lacks some of it: each missing part
 * is a note, not an error; a part that is there and damaged is an error.
 */
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { readNpz } from '../base/npz';
import { ChestMnistError } from '../base/errors';
import type { EpochRow } from './history';
import { sigmoid } from '../metrics';
import type { MetricsFile } from '../metrics/types';
import { parseMetricsFile } from './metrics-file';

export type ReportSplit = 'val' | 'test';

/** Truth and probabilities of a split, both [count, labelCount] row-major. */
export interface Predicted {
  labels: Uint8Array;
  scores: Float64Array;
  count: number;
  labelCount: number;
}

export interface RunData {
  directory: string;
  name: string;
  /** Parsed config.json and run.json; empty when absent. */
  config: Record<string, unknown>;
  run: Record<string, unknown>;
  history: EpochRow[];
  metrics?: MetricsFile;
  predictions: Partial<Record<ReportSplit, Predicted>>;
  /** What is missing and therefore not drawn, in sentences. */
  notes: string[];
}

/** The chosen epoch: of metrics.json, or of run.json while there is none. */
export const chosenEpoch = ({ metrics, run }: RunData): number | null =>
  metrics?.best_epoch ?? (typeof run.best_epoch === 'number' ? run.best_epoch : null);

/** Truth and probabilities of one label, both [count]. */
export function scoresOf({ labels, scores, count, labelCount }: Predicted, label: number) {
  const yTrue = new Uint8Array(count);
  const yScore = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    yTrue[i] = labels[i * labelCount + label];
    yScore[i] = scores[i * labelCount + label];
  }
  return { yTrue, yScore };
}

/** Reads a run directory. Throws ERR_CONFIG when it is none, ERR_DATA_CORRUPT or ERR_DATA_SHAPE when a file is damaged. */
export async function readRun(directory: string): Promise<RunData> {
  const at = (...names: string[]): string => path.join(directory, ...names);
  const [config, run, metricsJson, csv] = [
    await readObject(at('config.json')),
    await readObject(at('run.json')),
    await readObject(at('metrics.json')),
    await readText(at('history.csv')),
  ];
  if (!config && !run && !metricsJson && csv === undefined) {
    const isFolder = await stat(directory).then(
      (s) => s.isDirectory(),
      () => undefined,
    );
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${directory} ${isFolder === undefined ? 'does not exist' : isFolder ? 'has none of config.json, run.json, history.csv and metrics.json' : 'is a file'}`,
      needed: 'a run directory, as chestmnist train writes it',
      next: 'check the path; runs are in runs/ unless --out said otherwise',
    });
  }
  const notes: string[] = [];
  const history = csv === undefined ? [] : parseHistory(csv, at('history.csv'));
  if (history.length === 0)
    notes.push('No epoch has finished yet (history.csv is missing or empty): there are no loss and AUC curves.');
  const metrics = metricsJson && checkedMetrics(metricsJson, at('metrics.json'));
  if (!metrics)
    notes.push(
      'metrics.json is missing: the run has not scored its best epoch, so there are no figures, matrices and curves a label.',
    );
  const predictions: RunData['predictions'] = {};
  for (const split of ['val', 'test'] as const) {
    const predicted = metrics && (await readPredicted(at('predictions', `${split}.npz`)));
    if (!predicted) {
      if (metrics)
        notes.push(
          `predictions/${split}.npz is missing: there are no ROC, precision-recall and reliability curves of this split.`,
        );
    } else if (predicted.labelCount !== metrics.labels.length || predicted.count !== metrics.splits[split].n) {
      notes.push(
        `predictions/${split}.npz has ${predicted.count} images and ${predicted.labelCount} labels, metrics.json ${metrics.splits[split].n} and ${metrics.labels.length}: they do not belong together, so its curves are left out.`,
      );
    } else {
      predictions[split] = predicted;
    }
  }
  return {
    directory,
    name: path.basename(path.resolve(directory)),
    config: config ?? {},
    run: run ?? {},
    history,
    metrics,
    predictions,
    notes,
  };
}

const damaged = (file: string, what: string, cause?: unknown): ChestMnistError =>
  new ChestMnistError(
    'ERR_DATA_CORRUPT',
    {
      found: `${file} ${what}`,
      needed: 'the file as the run wrote it',
      next: 'restore it, or remove it to draw the report without it',
    },
    { cause },
  );

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw damaged(file, `cannot be read (${(cause as Error).message})`, cause);
  }
}

async function readObject(file: string): Promise<Record<string, unknown> | undefined> {
  const text = await readText(file);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw damaged(file, 'is not JSON', cause);
  }
  throw damaged(file, 'is no JSON object');
}

function checkedMetrics(value: unknown, file: string): MetricsFile {
  const metrics = parseMetricsFile(value);
  if (typeof metrics === 'string')
    throw damaged(file, `is not as expected: ${metrics.replaceAll('\n', ' ').slice(0, 400)}`);
  return metrics;
}

const COLUMNS = ['epoch', 'lr', 'train_loss', 'val_loss', 'val_auc', 'val_acc', 'seconds', 'images_per_second'];

/** The rows of history.csv. A last line that was cut off while it was written is dropped; an empty val_auc is null. */
function parseHistory(csv: string, file: string): EpochRow[] {
  const [header, ...lines] = csv.replaceAll('\r', '').split('\n');
  if (header.trim() === '') return [];
  const names = header.split(',');
  const missing = COLUMNS.filter((column) => !names.includes(column));
  if (missing.length > 0) throw damaged(file, `has no column ${missing.join(', ')}`);
  const places = COLUMNS.map((column) => names.indexOf(column));
  // What follows the last line feed is empty, or a row that was not finished.
  return lines
    .slice(0, -1)
    .filter((line) => line !== '')
    .map((line, i) => {
      const cells = line.split(',');
      const [epoch, lr, trainLoss, valLoss, valAuc, valAcc, seconds, imagesPerSecond] = places.map((place, c) => {
        const cell = cells[place]?.trim() ?? 'nothing';
        if (COLUMNS[c] === 'val_auc' && (cell === '' || cell.toLowerCase() === 'nan')) return NaN;
        const value = cell === '' ? NaN : Number(cell);
        if (!Number.isFinite(value))
          throw damaged(file, `has ${JSON.stringify(cell.slice(0, 60))} as ${COLUMNS[c]} in row ${i + 1}`);
        return value;
      });
      return {
        epoch,
        lr,
        trainLoss,
        valLoss,
        valAuc: Number.isNaN(valAuc) ? null : valAuc,
        valAcc,
        seconds,
        imagesPerSecond,
      };
    });
}

async function readPredicted(file: string): Promise<Predicted | undefined> {
  if (!(await stat(file).catch(() => undefined))) return undefined;
  const arrays = await readNpz(file, { keys: ['labels', 'logits'] });
  const [labels, logits] = [arrays.get('labels'), arrays.get('logits')];
  const isWhole =
    labels?.data instanceof Uint8Array &&
    logits?.data instanceof Float32Array &&
    labels.shape.length === 2 &&
    labels.shape.join() === logits.shape.join() &&
    labels.data.every((value) => value <= 1) &&
    logits.data.every(Number.isFinite);
  if (!isWhole) throw damaged(file, 'does not hold labels [N, L] of 0 and 1 (|u1) and finite logits [N, L] (<f4)');
  const [n, labelCount] = labels.shape;
  return { labels: labels.data, scores: sigmoid(logits.data), count: n, labelCount };
}
