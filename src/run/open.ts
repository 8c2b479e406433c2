/**
 * A run directory read back as a whole, for the report. A missing part, as in a run that stopped early, is a note; a
 * damaged part is an error.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ChestMnistError } from '../base/errors';
import { decide, type Predictions } from '../metrics';
import type { Metrics, MetricsFile } from '../metrics/types';
import type { ResolvedOptions } from '../recipe/options';
import { readConfig } from './config';
import { SCORED_SPLITS, type ScoredSplit } from './directory';
import { readEnsemble, unfinished, type Ensemble } from './ensemble';
import { readHistory, type EpochRow } from './history';
import { readMetrics } from './metrics-file';
import { readScored } from './predictions';
import { readRunFile, type RunFile } from './record';

export interface RunData {
  directory: string;
  name: string;
  /** From ensemble.json, of an ensemble: it has the options of its members, and neither epochs nor a run.json. */
  ensemble?: Ensemble;
  /** From config.json. */
  options?: ResolvedOptions;
  /** From run.json. */
  record?: RunFile;
  history: EpochRow[];
  /** Of a run in progress: the best epoch so far. */
  best?: number;
  metrics?: MetricsFile;
  predictions: Partial<Record<ScoredSplit, Predictions>>;
  /** What is missing and therefore not drawn, in sentences. */
  notes: string[];
}

/** The chosen epoch: from metrics.json, or from run.json before that exists. */
export const chosenEpoch = ({ metrics, record, best }: RunData): number | null =>
  metrics?.best_epoch ?? record?.best_epoch ?? best ?? null;

/**
 * Reads a run directory, or that of an ensemble. Throws ERR_CONFIG when it is neither, or an ensemble without figures yet, ERR_DATA_CORRUPT or ERR_DATA_SHAPE when a file is
 * damaged.
 */
export async function readRun(directory: string): Promise<RunData> {
  const ensemble = await readEnsemble(directory);
  const options = ensemble?.options ?? (await readConfig(directory));
  const record = await readRunFile(directory);
  const rows = await readHistory(directory);
  const metrics = await readMetrics(directory);
  if (!options && !record && !rows && !metrics) throw await notARun(directory);
  if (ensemble && !metrics) throw unfinished(directory, ensemble);
  const notes: string[] = [];
  const history = rows ?? [];
  if (!ensemble && history.length === 0)
    notes.push('No epoch has finished yet (history.csv is missing or empty): there are no loss and AUC curves.');
  if (!metrics)
    notes.push(
      'metrics.json is missing: the run has not scored its best epoch, so there are no figures, matrices and curves per label.',
    );
  const predictions = metrics ? await predictionsOf(directory, metrics, notes) : {};
  if (record?.status === 'finished' && metrics && record.best_epoch !== metrics.best_epoch)
    notes.push(
      `metrics.json is of epoch ${metrics.best_epoch}, but run.json names epoch ${record.best_epoch} as best.`,
    );
  if (record?.status === 'finished' && history.length > 0 && record.epochs !== history.length)
    notes.push(`history.csv has ${history.length} epochs, but run.json ${record.epochs}.`);
  return {
    directory,
    name: path.basename(path.resolve(directory)),
    ensemble,
    options,
    record,
    history,
    metrics,
    predictions,
    notes,
  };
}

async function predictionsOf(
  directory: string,
  { task, labels, splits }: MetricsFile,
  notes: string[],
): Promise<RunData['predictions']> {
  const predictions: RunData['predictions'] = {};
  for (const split of SCORED_SPLITS) {
    const scored = await readScored(directory, split, task);
    const count = scored && scored.truth.length / scored.labelCount;
    if (!scored) {
      notes.push(
        `predictions/${split}.npz is missing: there are no ROC, precision-recall and reliability curves of this split.`,
      );
    } else if (scored.labelCount !== labels.length || count !== splits[split].n) {
      notes.push(
        `predictions/${split}.npz has ${count} images and ${scored.labelCount} labels, metrics.json ${splits[split].n} and ${labels.length}: they do not belong together, so its curves are left out.`,
      );
    } else if (!isSameConfusion(splits[split], scored)) {
      notes.push(
        `predictions/${split}.npz does not give the confusion matrices of metrics.json: they do not belong together, so its curves are left out.`,
      );
    } else {
      predictions[split] = scored;
    }
  }
  return predictions;
}

/** Counts are exact, so predictions of another run with as many images and labels are told apart. */
function isSameConfusion({ confusion, threshold }: Metrics, { task, labelCount, truth, scores }: Predictions): boolean {
  const counts = confusion.map(() => [
    [0, 0],
    [0, 0],
  ]);
  const decisions = decide(scores, labelCount, threshold ?? undefined, task);
  truth.forEach((value, i) => counts[i % labelCount][value][decisions[i]]++);
  return isDeepStrictEqual(counts, confusion);
}

async function notARun(directory: string): Promise<ChestMnistError> {
  const isFolder = await stat(directory).then(
    (s) => s.isDirectory(),
    () => undefined,
  );
  const what = isFolder ? 'has none of config.json, run.json, history.csv and metrics.json' : 'is a file';
  return new ChestMnistError('ERR_CONFIG', {
    found: `${directory} ${isFolder === undefined ? 'does not exist' : what}`,
    needed: 'a run directory, as written by chestmnist train',
    next: 'check the path; runs are in runs/ unless --out named another folder',
  });
}
