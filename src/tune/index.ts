/**
 * Searches ranges of options within a budget of epochs, on the validation split alone: points of the ranges become trials,
 * ordinary runs in one directory, and the better ones go on. Not here: the ranges (recipe/space.ts), which trials go on
 * (halving.ts), the files (run/search.ts), how a run is trained (train/).
 */
import path from 'node:path';
import { ownSignal } from '../base/abort';
import { checkArgument, checkFields, FUNCTION, OBJECT, integer, rule, SIGNAL, TEXT } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import { atExit } from '../base/exit';
import { workThrough } from '../base/jobs';
import type { StillHeld } from '../base/lock';
import { asInstalled, shellWord } from '../base/shell';
import { factsOf } from '../data/inputs';
import { OPTION_NAMES, type OptionName, type ResolvedOptions, type TrainOptions } from '../recipe/options';
import { withRecipe } from '../recipe/presets';
import { isFree, resolveOptions, threadsOf } from '../recipe/resolve';
import { at, NOT_SEARCHED, pointsIn, readSpace, type SearchSpace } from '../recipe/space';
import { readConfig } from '../run/config';
import { checkDepth, checkOutput, createRunDirectory } from '../run/create';
import { resumeCommand, runFiles, withRunLock, writeErrorOf } from '../run/directory';
import { checkPart, errorIn } from '../run/ensemble';
import { checkEntries } from '../run/entries';
import { bestOf, type EpochRow } from '../run/history';
import { readRunFile } from '../run/record';
import {
  freeTrial,
  readSearch,
  writeRecipe,
  writeSearch,
  writeSearchNow,
  type Rung,
  type Search,
  type Trial,
  type TrialResult,
} from '../run/search';
import { runInDirectory } from '../train';
import type { TrainEvent } from '../train/events';
import { trainPart } from '../train/part';
import { ask } from '../train/plan';
import { prepare, type Prepared } from '../train/prepare';
import { EventEmitter } from 'node:events';
import { epochsOf, ranked, rungsOf } from './halving';

/**
 * Options of the trials, which the points of `space` replace in part; `epochs` are those of the trials that go all the way,
 * `jobs` how many are trained at a time, `seed` that of every trial and of the points.
 */
export interface TuneOptions extends Omit<TrainOptions, (typeof NOT_SEARCHED)[number]> {
  /** Ranges by option, or a JSON file of them; default those that the package has for the recipe. */
  space?: SearchSpace | string;
  /** How many points are tried, from 2 to 10,000; default 16. */
  trials?: number;
  /** The directory of a search to continue; then only `jobs`, `threads`, `device` and `data` may be given. */
  resume?: string;
}

export interface TuneControl {
  /** Aborting it stops the search at the next batch, to be resumed: the result has status `stopped`. */
  signal?: AbortSignal;
  onEvent?: (event: TuneEvent) => void;
}

/** `search`, then the events of the trials and a `trial` for each that has reached the end of a rung or failed. */
export type TuneEvent =
  | { type: 'search'; directory: string; trials: number; rungs: Rung[]; epochs: number; resumed: boolean }
  | { type: 'trial'; trial: number; options: Record<string, unknown>; result?: TrialResult; error?: string }
  | (TrainEvent & { trial: number });

export interface TuneResult {
  status: 'finished' | 'stopped';
  /** Absolute path; null when it was stopped before it had one. */
  directory: string | null;
  rungs: Rung[];
  /** From the best to the worst; those without a result last. */
  trials: Trial[];
  /** The number of the best; null when stopped. */
  best: number | null;
  /** The JSON file of its options; null when stopped. */
  recipe: string | null;
  /** The command that trains them again, or that continues the search; null when there is neither. */
  next: string | null;
}

const OWN = {
  space: rule(
    'ranges by option, or a JSON file of them',
    (value) => TEXT.is(value) || (typeof value === 'object' && value !== null),
  ),
  trials: integer(2, 10_000),
  resume: rule('the directory of a search', TEXT.is),
};

/**
 * Searches, and writes search.json, recipe.json, report.html and a run directory per trial. The test split is never scored.
 * A trial whose loss becomes non-finite is recorded as failed. Throws as train, and ERR_CONFIG for ranges.
 */
export async function tune(options: TuneOptions = {}, control: TuneControl = {}): Promise<TuneResult> {
  checkArgument('options', options, OBJECT);
  checkFields('control', control, { signal: SIGNAL, onEvent: FUNCTION });
  const { space, trials = 16, resume, ...others } = options;
  checkFields('options', { space, trials, resume }, OWN);
  const refused = NOT_SEARCHED.find((name) => name !== 'resume' && (others as TrainOptions)[name] !== undefined);
  if (refused !== undefined) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `the option ${refused} in a search`,
      needed: 'options of the trials: a search scores no test split and makes no report of a trial',
      next: `leave ${refused} out, and give it to the run that the search proposes`,
    });
  }
  const around = { emit: control.onEvent ?? (() => {}), signal: ownSignal(control.signal) };
  const given = await withRecipe(others);
  if (resume !== undefined) return goOn(resume, { ...given, ...(space && { space }) }, around);
  return begin(given, { space, trials, recipe: others.recipe }, around);
}

interface Around {
  emit: (event: TuneEvent) => void;
  signal: AbortSignal;
}

async function begin(
  given: TrainOptions,
  { space: wanted, trials: count, recipe }: { space: unknown; trials: number; recipe: TrainOptions['recipe'] },
  around: Around,
): Promise<TuneResult> {
  const { options } = ask(given);
  const space = await readSpace(wanted, recipe);
  const points = pointsIn(space, count, options);
  const rungs = rungsOf(count, options.epochs);
  await checkOutput(options.out, options.name);
  await checkDepth(runFiles(path.resolve(options.out, options.name ?? 'yyyymmdd-hhmmss-x')).trial(count));
  const trials = points.map((point, i): Trial => ({ number: i + 1, options: point, status: 'waiting', results: [] }));
  const first = await prepare(
    { options: trialOptions(options, trials[0]) },
    { emit: (event) => around.emit({ ...event, trial: 1 }), signal: around.signal },
  );
  if (!first) return { status: 'stopped', directory: null, rungs, trials, best: null, recipe: null, next: null };
  try {
    const { data, size, task } = first.options;
    const directory = await createRunDirectory(options.out, options.name, `${first.dataset.name}-tune`, new Date(), []);
    const search: Search = {
      status: 'running',
      data: factsOf(first.dataset),
      options: { ...options, data, size, task },
      recipe: recipeOf(options, given),
      ...{ space, rungs, trials },
      best: null,
      started: new Date().toISOString(),
      resumed: [],
      ended: null,
      argv: process.argv,
    };
    const { jobs } = options;
    return await withRunLock(directory, (held) =>
      new Searching(directory, search, { ...around, held }, { jobs }, first).go(),
    );
  } finally {
    await first.trainer.dispose();
  }
}

async function goOn(named: string, given: TrainOptions & { space?: unknown }, around: Around): Promise<TuneResult> {
  const directory = path.resolve(named);
  const search = await readSearch(directory);
  if (!search || search.status === 'finished') {
    throw new ChestMnistError('ERR_NOTHING_TO_RESUME', {
      found: search ? `the search ${directory} is finished` : `${directory} is not the directory of a search`,
      needed: 'an unfinished search',
      next: search ? 'start a new search without --resume' : 'check the path; searches have a search.json',
    });
  }
  const names = (Object.keys(given) as OptionName[]).filter((name) => given[name] !== undefined);
  const others = names.filter(
    (name) => !(OPTION_NAMES as string[]).includes(name) || !isFree(name) || name === 'epochs',
  );
  if (others.length > 0) {
    throw new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
      found: `${others.join(', ')} given for a search that has begun`,
      needed: 'the options it has begun with',
      next: `${resumeCommand(directory)} without them`,
    });
  }
  const all = resolveOptions(given);
  const now = Object.fromEntries(names.map((name) => [name, all[name]])) as Partial<ResolvedOptions>;
  await checkEntries(directory, resumeCommand(directory), ['.']);
  const resumed = [...search.resumed, new Date().toISOString()];
  return withRunLock(directory, (held) =>
    new Searching(
      directory,
      { ...search, status: 'running', ended: null, resumed, error: undefined },
      { ...around, held },
      now,
    ).go(),
  );
}

/** What a recipe of these options says: what was given of them, without data, place and machine. */
function recipeOf(options: ResolvedOptions, given: TrainOptions): Record<string, unknown> {
  const mine: readonly string[] = [
    ...NOT_SEARCHED,
    'data',
    'out',
    'name',
    'device',
    'threads',
    'jobs',
    'recipe',
    'seed',
  ];
  const names = (Object.keys(given) as OptionName[]).filter(
    (name) => given[name] !== undefined && !mine.includes(name) && !name.startsWith('limit'),
  );
  return { epochs: options.epochs, ...Object.fromEntries(names.map((name) => [name, options[name]])) };
}

/** A trial makes no report, and shares the threads with the others that are trained at a time. */
function trialOptions(options: ResolvedOptions, { options: point }: Trial): ResolvedOptions {
  const threads = options.jobs > 1 ? Math.max(1, Math.floor(threadsOf(options) / options.jobs)) : options.threads;
  return { ...at(options, point), threads, report: false, resamples: 0, jobs: 1, resume: false };
}

/** A search in progress. */
class Searching {
  readonly #directory: string;
  readonly #search: Search;
  readonly #around: Around & { held: StillHeld };
  readonly #now: Partial<ResolvedOptions>;
  /** The first new trial, when it is prepared. */
  #first: Prepared | undefined;
  /** Ends all trials when one ends for another reason than its loss. */
  readonly #failed = new AbortController();
  readonly #signal: AbortSignal;

  constructor(
    directory: string,
    search: Search,
    around: Around & { held: StillHeld },
    now: Partial<ResolvedOptions>,
    first?: Prepared,
  ) {
    this.#directory = directory;
    this.#search = search;
    this.#around = around;
    this.#now = now;
    this.#first = first;
    this.#signal = AbortSignal.any([around.signal, this.#failed.signal]);
  }

  async go(): Promise<TuneResult> {
    const [directory, search] = [this.#directory, this.#search];
    const { emit, held } = this.#around;
    const { rungs, trials } = search;
    await this.#write();
    const forget = atExit(() => {
      if (held()) writeSearchNow(directory, { ...search, ...ending(search, 'stopped') });
    });
    try {
      const all = { trials: trials.length, rungs, epochs: epochsOf(rungs) };
      emit({ type: 'search', directory, ...all, resumed: search.resumed.length > 0 });
      for (const [i, rung] of rungs.entries()) {
        await this.#climb(i, rung);
        if (this.#signal.aborted) {
          await this.#write(ending(search, 'stopped'));
          return this.#result(asInstalled(resumeCommand(directory)));
        }
        await this.#promote(i);
      }
      return await this.#finish();
    } catch (cause) {
      const error = await writeErrorOf(cause, directory);
      const { code, message } = error as ChestMnistError;
      if (held()) await this.#write({ ...ending(search, 'failed'), error: { code, message } }).catch(() => {});
      throw error;
    } finally {
      forget();
    }
  }

  #write(more: Partial<Search> = {}): Promise<void> {
    return writeSearch(this.#directory, Object.assign(this.#search, more));
  }

  #result(next: string | null): TuneResult {
    const { status, rungs, trials, best, options } = this.#search;
    const order = ranked(trials, options.select).sort((a, b) => b.results.length - a.results.length);
    const recipe = best === null ? null : runFiles(this.#directory).recipe;
    return {
      status: status === 'finished' ? 'finished' : 'stopped',
      ...{ directory: this.#directory, rungs, best, recipe, next },
      trials: [...order, ...trials.filter((trial) => !order.includes(trial))],
    };
  }

  /** Trains every trial that is still in it to the end of a rung. */
  async #climb(number: number, { epochs }: Rung): Promise<void> {
    const { jobs = 1 } = this.#now;
    const going = this.#search.trials.filter(
      ({ status, results }) => status !== 'out' && status !== 'failed' && results.length <= number,
    );
    await workThrough(going, { jobs, signal: this.#signal, abort: () => this.#failed.abort() }, (trial) =>
      this.#train(trial, epochs).catch((error: unknown) => {
        throw errorIn(`trial ${trial.number}`, error);
      }),
    );
  }

  async #train(trial: Trial, until: number): Promise<void> {
    const { number, options: point } = trial;
    const directory = runFiles(this.#directory).trial(number);
    const { data, options: base } = this.#search;
    const options = trialOptions({ ...base, ...this.#now }, trial);
    const own = { config: await readConfig(directory), record: await readRunFile(directory) };
    checkPart(this.#directory, directory, { options, data }, own);
    const ready = number === 1 ? this.#first : undefined;
    this.#first = ready ? undefined : this.#first;
    trial.status = 'running';
    await this.#write();
    const emit = (event: TrainEvent): void => this.#around.emit({ ...event, trial: number });
    const given = [...(Object.keys(this.#now) as OptionName[]), 'threads' as const].filter((name) => name !== 'jobs');
    const of = { directory: this.#directory, data };
    try {
      const requests = new EventEmitter<{ checkpoint: [] }>();
      const how = { emit, signal: this.#signal, requests, run: runInDirectory };
      const result = await trainPart({ directory, asked: { options, given }, of, ready, until }, how);
      const rows = result?.history.slice(0, until) ?? [];
      if (this.#signal.aborted && rows.length < until) {
        trial.status = 'stopped';
        return;
      }
      trial.results.push(resultOf(rows, options));
      trial.status = 'waiting';
      this.#around.emit({ type: 'trial', trial: number, options: point, result: trial.results.at(-1)! });
    } catch (error) {
      trial.status = 'failed';
      if (!(error instanceof ChestMnistError) || error.code !== 'ERR_NON_FINITE_LOSS') throw error;
      const { code, message } = error;
      trial.error = { code, message };
      await freeTrial(this.#directory, number);
      this.#around.emit({ type: 'trial', trial: number, options: point, error: message });
    }
    await this.#write();
  }

  /** Ends the trials that do not go on to the next rung. */
  async #promote(number: number): Promise<void> {
    const { rungs, trials, options } = this.#search;
    const next = rungs.at(number + 1);
    if (!next) return;
    const reached = trials.filter(({ status, results }) => status !== 'failed' && results.length > number);
    for (const trial of ranked(reached, options.select).slice(next.trials)) trial.status = 'out';
    await this.#write();
    for (const { status, number } of trials) if (status === 'out') await freeTrial(this.#directory, number);
  }

  async #finish(): Promise<TuneResult> {
    const [directory, search] = [this.#directory, this.#search];
    const last = search.trials.filter(({ results }) => results.length === search.rungs.length);
    const [best] = ranked(last, search.options.select);
    if (!best) {
      throw new ChestMnistError('ERR_NON_FINITE_LOSS', {
        found: `all trials of ${directory} ended with a loss that is not finite`,
        needed: 'ranges in which a network can be trained',
        next: 'start a new search with smaller learning rates in --space',
      });
    }
    for (const trial of last) trial.status = 'finished';
    const { data, seed } = search.options;
    const recipe = await writeRecipe(directory, { ...search.recipe, ...best.options });
    await this.#write({ status: 'finished', ended: new Date().toISOString(), best: best.number });
    const { drawSearch } = await import('../report/search.js');
    await drawSearch(directory, search);
    const more = seed === 0 ? '' : ` --seed ${seed}`;
    return this.#result(
      asInstalled(`npx chestmnist train --data ${shellWord(data)} --config ${shellWord(recipe)}${more}`),
    );
  }
}

function ending({ trials }: Search, status: Search['status']): Partial<Search> {
  for (const trial of trials) if (trial.status === 'running') trial.status = 'stopped';
  return { status, ended: new Date().toISOString() };
}

function resultOf(rows: readonly EpochRow[], { select }: ResolvedOptions): TrialResult {
  const { epoch, valAuc, valAp, valLoss } = bestOf(rows, select)!;
  return { epochs: rows.length, best_epoch: epoch, val_auc: valAuc, val_ap: valAp ?? null, val_loss: valLoss };
}
