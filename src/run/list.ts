/**
 * The runs, ensembles and searches in a folder, one row for each. A damaged one is a row that says so: one bad folder does
 * not hide the others. Not here: a run read as a whole (open.ts).
 */
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { checkArgument, checkFields, rule, TEXT } from '../base/arguments';
import { exists } from '../base/atomic';
import { isAbsent } from '../base/entry';
import { ChestMnistError } from '../base/errors';
import { expandHome } from '../base/folders';
import { isLocked } from '../base/lock';
import type { Metrics } from '../metrics/types';
import { readConfig } from './config';
import { runFiles } from './directory';
import { readEnsemble } from './ensemble';
import { bestOf, readHistory } from './history';
import { readMetrics } from './metrics-file';
import { readRunFile } from './record';
import { readSearch } from './search';

/** One row of `listRuns`. What is not known, or does not exist yet, is null. */
export interface ListedRun {
  /** Its path within the folder, in which `/` parts the names; `.` for the folder itself. */
  name: string;
  /** As other commands take it. */
  path: string;
  kind: 'run' | 'ensemble' | 'search';
  /**
   * As run.json, ensemble.json or search.json says; `killed` when it says `running` and no process does; `damaged` when a
   * file cannot be read.
   */
  status: 'running' | 'finished' | 'stopped' | 'failed' | 'killed' | 'damaged';
  /** Name of the data set, and the side of its images in pixels. */
  data: string | null;
  size: number | null;
  /** The recipe as it was named; null too for none. */
  recipe: string | null;
  /** Finished epochs of a run, and how many were asked for. */
  epochs: number | null;
  of_epochs: number | null;
  /** Finished members of an ensemble, or trials of a search that have ended, and how many there are. */
  parts: number | null;
  of_parts: number | null;
  /** The chosen epoch, from 1. */
  best_epoch: number | null;
  /** Macro AUC of the chosen epoch, of the ensemble or of the best trial, on the validation split. */
  val_auc: number | null;
  /** Macro figures on the test split, at the thresholds of metrics.json. A search has none. */
  test: Record<'auc' | 'average_precision' | 'f1' | 'recall', number | null> | null;
  /** Time of all its epochs, with validation; of an ensemble or a search the sum over its networks. */
  seconds: number | null;
  /** When it began, ISO 8601 in UTC. */
  started: string | null;
  /** Of a failed or damaged one: what was found. */
  problem: string | null;
}

/** The result of `listRuns`. */
export interface RunsList {
  folder: string;
  runs: ListedRun[];
  /** Names of the folders in it that hold no run. */
  others: string[];
}

type Value = string | number | null | undefined;

/** What `sort` takes: the value of a row, and whether the largest comes first. */
const SORTS = {
  started: [(run) => run.started, true],
  name: [(run) => run.name, false],
  status: [(run) => run.status, false],
  data: [(run) => run.data, false],
  recipe: [(run) => run.recipe, false],
  epochs: [(run) => run.epochs, true],
  'val-auc': [(run) => run.val_auc, true],
  'test-auc': [(run) => run.test?.auc, true],
  'test-ap': [(run) => run.test?.average_precision, true],
  'test-f1': [(run) => run.test?.f1, true],
  'test-recall': [(run) => run.test?.recall, true],
  time: [(run) => run.seconds, true],
} as const satisfies Record<string, readonly [(run: ListedRun) => Value, boolean]>;

export type RunsOrder = keyof typeof SORTS;
export const RUN_ORDERS = Object.keys(SORTS) as RunsOrder[];

export interface ListOptions {
  /** Figures, times and dates go from the largest to the smallest, text from A to Z; default `started`. */
  sort?: RunsOrder;
}

/** Runs may stand in folders of folders, such as `runs/sweep/first`. */
const DEPTH = 3;

/**
 * Lists the run directories in `folder` and in the folders in it, three deep; or `folder` alone, when it is one. Links are
 * not followed. Throws ERR_CONFIG when it is no folder.
 */
export async function listRuns(folder = 'runs', options: ListOptions = {}): Promise<RunsList> {
  checkArgument('folder', folder, TEXT);
  checkFields('options', options, {
    sort: rule(RUN_ORDERS.join(', '), (value) => RUN_ORDERS.includes(value as RunsOrder)),
  });
  const top = expandHome(folder);
  const facts = await stat(top).catch((error: unknown) => {
    if (isAbsent(error)) return undefined;
    throw error;
  });
  if (!facts?.isDirectory()) throw notAFolder(folder, facts !== undefined);
  const found = await search(top, DEPTH);
  const runs: ListedRun[] = [];
  for (const directory of found.runs) runs.push(await rowOf(top, directory));
  const { sort = 'started' } = options;
  const [valueOf, largestFirst] = SORTS[sort];
  return { folder: top, runs: sorted(runs, valueOf, largestFirst), others: found.others };
}

const notAFolder = (folder: string, isThere: boolean): ChestMnistError =>
  new ChestMnistError('ERR_CONFIG', {
    found: `${folder} ${isThere ? 'is not a folder' : 'does not exist'}`,
    needed: 'a folder with run directories',
    next: 'name it: runs are in runs/ unless --out named another folder',
  });

/** The run directories in a folder, and the names of its folders that have none. */
async function search(folder: string, depth: number): Promise<{ runs: string[]; others: string[] }> {
  if (await isRun(folder)) return { runs: [folder], others: [] };
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const runs: string[] = [];
  const others: string[] = [];
  for (const name of names.sort().filter((name) => !name.startsWith('.') && name !== 'node_modules')) {
    const within = depth > 0 ? await search(path.join(folder, name), depth - 1) : { runs: [] };
    runs.push(...within.runs);
    if (within.runs.length === 0) others.push(name);
  }
  return { runs, others };
}

/** config.json may be of another program: alone it makes no run. */
async function isRun(directory: string): Promise<boolean> {
  const { run, ensemble, search: trials } = runFiles(directory);
  for (const file of [run, ensemble, trials]) if (await exists(file)) return true;
  return false;
}

type Facts = Omit<ListedRun, 'name' | 'path'>;

const UNKNOWN: Facts = {
  ...{ kind: 'run', status: 'damaged', data: null, size: null, recipe: null, epochs: null, of_epochs: null },
  ...{ parts: null, of_parts: null, best_epoch: null, val_auc: null, test: null, seconds: null, started: null },
  problem: null,
};

async function rowOf(top: string, directory: string): Promise<ListedRun> {
  const name = path.relative(top, directory).split(path.sep).join('/') || '.';
  const { ensemble, search: trials } = runFiles(directory);
  const kind = (await exists(ensemble)) ? 'ensemble' : (await exists(trials)) ? 'search' : 'run';
  try {
    const facts = await { run: ofRun, ensemble: ofEnsemble, search: ofSearch }[kind](directory);
    return { name, path: directory, ...UNKNOWN, kind, ...facts };
  } catch (error) {
    const problem = error instanceof ChestMnistError ? error.found : (error as Error).message;
    return { name, path: directory, ...UNKNOWN, kind, problem };
  }
}

async function ofRun(directory: string): Promise<Partial<Facts>> {
  const record = (await readRunFile(directory))!;
  const options = await readConfig(directory);
  const history = (await readHistory(directory)) ?? [];
  const metrics = await readMetrics(directory);
  const best = bestOf(history, options?.select ?? 'auc');
  return {
    ...endOf(directory, record),
    recipe: options?.recipe ?? null,
    epochs: history.length,
    of_epochs: options?.epochs ?? null,
    best_epoch: metrics?.best_epoch ?? best?.epoch ?? null,
    val_auc: metrics?.splits.val.auc.macro ?? best?.valAuc ?? null,
    test: metrics ? testFigures(metrics.splits.test) : null,
    seconds: history.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

async function ofEnsemble(directory: string): Promise<Partial<Facts>> {
  const ensemble = (await readEnsemble(directory))!;
  const { members, options } = ensemble;
  const metrics = await readMetrics(directory);
  return {
    ...endOf(directory, ensemble),
    recipe: options.recipe,
    of_epochs: options.epochs,
    parts: members.filter(({ status }) => status === 'finished').length,
    of_parts: members.length,
    val_auc: metrics?.splits.val.auc.macro ?? null,
    test: metrics ? testFigures(metrics.splits.test) : null,
    seconds: await timeOf(members.map(({ seed }) => runFiles(directory).member(seed))),
  };
}

async function ofSearch(directory: string): Promise<Partial<Facts>> {
  const search = (await readSearch(directory))!;
  const { trials, options, best } = search;
  const last = trials.find(({ number }) => number === best)?.results.at(-1);
  const ended = ['finished', 'out', 'failed'];
  return {
    ...endOf(directory, search),
    recipe: options.recipe,
    of_epochs: options.epochs,
    parts: trials.filter(({ status }) => ended.includes(status)).length,
    of_parts: trials.length,
    best_epoch: last?.best_epoch ?? null,
    val_auc: last?.val_auc ?? null,
    seconds: await timeOf(trials.map(({ number }) => runFiles(directory).trial(number))),
  };
}

/** What the three records say in the same words. */
function endOf(
  directory: string,
  record: {
    status: 'running' | 'finished' | 'stopped' | 'failed';
    data: { name: string; size: number };
    started: string;
    error?: { message: string };
  },
): Pick<Facts, 'status' | 'data' | 'size' | 'started' | 'problem'> {
  const { status, data, started, error } = record;
  const isKilled = status === 'running' && !isLocked(runFiles(directory).lock);
  return {
    status: isKilled ? 'killed' : status,
    data: data.name,
    size: data.size,
    started,
    problem: error?.message ?? null,
  };
}

const testFigures = ({ auc, average_precision, f1, recall }: Metrics): ListedRun['test'] => ({
  auc: auc.macro,
  average_precision: average_precision.macro,
  f1: f1.macro,
  recall: recall.macro,
});

/** The time of the epochs of several networks. */
async function timeOf(directories: readonly string[]): Promise<number> {
  let sum = 0;
  for (const directory of directories) for (const { seconds } of (await readHistory(directory)) ?? []) sum += seconds;
  return sum;
}

/** A row without the value comes last; rows of one value stay in the order of their names. */
function sorted(runs: readonly ListedRun[], valueOf: (run: ListedRun) => Value, largestFirst: boolean): ListedRun[] {
  return [...runs].sort((a, b) => {
    const [x, y] = [valueOf(a) ?? null, valueOf(b) ?? null];
    if (x === null || y === null) return Number(x === null) - Number(y === null);
    if (x === y) return 0;
    return x < y === largestFirst ? 1 : -1;
  });
}
