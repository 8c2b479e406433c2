/**
 * One of the things that are compared, opened: a run, an ensemble or a file of predictions, as what they all are here,
 * predictions of one split and what is known of the model. Not here: whether two of them can be compared (index.ts).
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { ChestMnistError } from '../base/errors';
import { isAbsent } from '../base/entry';
import { expandHome } from '../base/folders';
import { shellWord } from '../base/shell';
import type { Task } from '../base/task';
import type { DataFacts } from '../data/dataset';
import { readPredictions } from '../judge/prediction-files';
import { storedThresholds } from '../judge/thresholds';
import { tuneThresholds } from '../metrics';
import type { Predictions, ThresholdRule } from '../metrics/types';
import type { ResolvedOptions } from '../recipe/options';
import { changesOf } from '../run/agree';
import { hasCheckpoint, resumeCommand, runFiles, type ScoredSplit } from '../run/directory';
import type { EpochRow } from '../run/history';
import { readRun, type RunData } from '../run/open';

export interface Side {
  /** As the user named it. */
  source: string;
  kind: 'run' | 'ensemble' | 'predictions';
  predictions: Predictions;
  /** Those of a run. */
  labels?: readonly string[];
  data?: DataFacts;
  options?: ResolvedOptions;
  /** Of the members of an ensemble. */
  seeds?: readonly number[];
  /** Empty of an ensemble and of a file. */
  history: readonly EpochRow[];
  bestEpoch: number | null;
  /** The thresholds that the rule finds on the validation split. Throws ERR_CONFIG where there is none. */
  tuned: (rule: ThresholdRule) => number[];
  notes: readonly string[];
}

/** Whether a folder stands there, which can only be a run. Throws ERR_CONFIG where nothing does. */
export async function isFolder(source: string): Promise<boolean> {
  try {
    return (await stat(expandHome(source))).isDirectory();
  } catch (cause) {
    if (!isAbsent(cause)) throw cause;
    throw new ChestMnistError(
      'ERR_CONFIG',
      {
        found: `${source} does not exist`,
        needed: NEEDED,
        next: 'check the path, with the list of npx chestmnist runs',
      },
      { cause },
    );
  }
}

const NEEDED = 'run directories, or files of predictions (.npz, or .csv as MedMNIST writes them)';

/** Throws ERR_CONFIG (no run), ERR_DATA_MISSING (not scored, or its predictions are lost) and the other ERR_DATA_ codes. */
export async function openRun(source: string, split: ScoredSplit): Promise<Side> {
  const directory = path.resolve(expandHome(source));
  const run = await readRun(directory);
  const { metrics, record, ensemble, options, history } = run;
  const predictions = run.predictions[split];
  if (!metrics || !predictions) throw await withoutPredictions(run, split);
  const known = (ensemble ?? record)?.data;
  return {
    source,
    kind: ensemble ? 'ensemble' : 'run',
    predictions,
    labels: metrics.labels,
    ...(known && { data: known }),
    ...(options && { options }),
    ...(ensemble && { seeds: ensemble.members.map(({ seed }) => seed) }),
    history,
    bestEpoch: metrics.best_epoch,
    tuned: (rule) => {
      const { val } = run.predictions;
      const thresholds = storedThresholds(metrics, rule) ?? (val && tuneThresholds(rule, val));
      if (thresholds) return thresholds;
      throw untunable(source, `no predictions of its validation split`, rule);
    },
    notes: [...run.notes, ...(await changesOf(directory, record))],
  };
}

async function withoutPredictions(
  { directory, metrics, notes }: RunData,
  split: ScoredSplit,
): Promise<ChestMnistError> {
  const about = metrics ? `predictions/${split}.npz` : 'metrics.json';
  const note = notes.find((text) => text.startsWith(about)) ?? `${about} is missing`;
  const file = shellWord(runFiles(directory).scored(split));
  const again = `${resumeCommand(directory)} finishes the run or writes what it lost`;
  return new ChestMnistError('ERR_DATA_MISSING', {
    found: `${directory}: ${note.replace(/[.,:] .*$|\.$/, '')}`,
    needed: `the predictions of its ${split} split, which a finished run has`,
    next: (await hasCheckpoint(directory)) ? again : `restore ${file} from a copy`,
  });
}

/** Throws the ERR_DATA_ codes, and ERR_CONFIG for a file of another kind or a .csv without `labelsFile`. */
export async function openPredictions(source: string, labelsFile: string | undefined, task?: Task): Promise<Side> {
  const kind = path.extname(source).toLowerCase();
  if (['.safetensors', '.pth', '.pt', '.onnx'].includes(kind)) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `${source}, which is a file of weights`,
      needed: NEEDED,
      next: `have it predict: npx chestmnist evaluate ${shellWord(source)} --data FILE -o predictions.npz`,
    });
  }
  return {
    source,
    kind: 'predictions',
    predictions: await readPredictions(expandHome(source), labelsFile && expandHome(labelsFile), task),
    history: [],
    bestEpoch: null,
    tuned: (rule) => {
      throw untunable(source, 'predictions of one split only', rule);
    },
    notes: [],
  };
}

const untunable = (source: string, what: string, rule: ThresholdRule): ChestMnistError =>
  new ChestMnistError('ERR_CONFIG', {
    found: `--thresholds ${rule}, and ${source} has ${what}`,
    needed: 'a validation split, on which thresholds are tuned',
    next: 'pass a number or a JSON file as --thresholds, or compare runs',
  });
