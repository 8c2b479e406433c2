/**
 * Trains the members of an ensemble, one after another or several at a time, each an ordinary run in the ensemble's
 * directory, then scores them together. Not here: how a run is trained (index.ts), the figures (judge/ensemble.ts).
 */
import path from 'node:path';
import { hashFile } from '../base/checksum';
import { ChestMnistError } from '../base/errors';
import { atExit } from '../base/exit';
import { workThrough } from '../base/jobs';
import type { StillHeld } from '../base/lock';
import { asInstalled } from '../base/shell';
import { factsOf } from '../data/inputs';
import { scoreEnsemble } from '../judge/ensemble';
import type { MetricsFile } from '../metrics/types';
import type { OptionName, ResolvedOptions } from '../recipe/options';
import { isFree, threadsOf } from '../recipe/resolve';
import { changesOf, isWhole } from '../run/agree';
import { checkDepth, checkOutput, createRunDirectory } from '../run/create';
import { resumeCommand, runFiles, SCORED_SPLITS, withRunLock, writeErrorOf } from '../run/directory';
import { readEnsemble, writeEnsemble, writeEnsembleNow, checkMember, errorOf, type Ensemble } from '../run/ensemble';
import { checkEntries, isThere } from '../run/entries';
import { readConfig } from '../run/config';
import { readRunFile } from '../run/record';
import type { TrainEvent, TrainResult } from './events';
import type { Session } from './journal';
import { trainPart, type TrainRun } from './part';
import { checkOthers, pick, type Asked } from './plan';
import { prepare, type Prepared } from './prepare';
import type { Wishes } from './training-run';

interface Around {
  emit: Session['emit'];
  wishes: Wishes;
  run: TrainRun;
}

/** Members that differ from the ensemble in nothing but their seed, their threads and the place of their data. */
const memberOptions = (options: ResolvedOptions, seed: number): ResolvedOptions => {
  const { jobs } = options;
  const threads = jobs > 1 ? Math.max(1, Math.floor(threadsOf(options) / jobs)) : options.threads;
  return { ...options, seed, threads, seeds: null, jobs: 1, resume: false };
};

/** Trains a new ensemble, or continues the one in `found`. */
export async function trainEnsemble(asked: Asked, found: string | undefined, around: Around): Promise<TrainResult> {
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  if (found !== undefined) {
    return withRunLock(found, async (held) => {
      await checkEntries(found, resumeCommand(found), ['.', 'predictions', 'plots']);
      const ensemble = await resumed(asked, found);
      return new Training(found, ensemble, { ...around, held, seconds }, givenFree(asked)).go();
    });
  }
  const { options } = asked;
  const seeds = options.seeds!;
  await checkOutput(options.out, options.name);
  await checkDepth(runFiles(path.resolve(options.out, options.name ?? 'yyyymmdd-hhmmss-x')).member(Math.max(...seeds)));
  const { emit, wishes } = around;
  const first = await prepare({ options: memberOptions(options, seeds[0]) }, { emit, signal: wishes.signal });
  if (!first) {
    emit({ type: 'stop', runDirectory: null, epoch: 1, samples: 0, resume: null });
    return stoppedIn(null);
  }
  try {
    const directory = await createRunDirectory(options.out, options.name, first.dataset.name, new Date(), []);
    return await withRunLock(directory, (held) => {
      const ensemble: Ensemble = {
        status: 'running',
        data: factsOf(first.dataset),
        // What became of them with the data, of no member in particular.
        options: { ...first.options, threads: options.threads, seed: seeds[0] },
        members: seeds.map((seed) => ({ seed, status: 'waiting', best_epoch: null })),
        started: new Date().toISOString(),
        resumed: [],
        ended: null,
        argv: process.argv,
      };
      const { jobs } = options;
      return new Training(directory, ensemble, { ...around, held, seconds }, { jobs }, first).go();
    });
  } finally {
    await first.trainer.dispose();
  }
}

/** The options that were given for this process alone. */
const givenFree = ({ options, given }: Asked): Partial<ResolvedOptions> => pick(options, given.filter(isGiven));
const isGiven = (name: OptionName): boolean => isFree(name) && !['resume', 'name', 'out', 'epochs'].includes(name);

/** ensemble.json, to go on with. Throws ERR_CHECKPOINT_INCOMPATIBLE and ERR_NOTHING_TO_RESUME. */
async function resumed(asked: Asked, directory: string): Promise<Ensemble> {
  const ensemble = (await readEnsemble(directory))!;
  const seeds = ensemble.members.map(({ seed }) => seed);
  // More epochs would be of another schedule in the members that have not begun.
  const fixed = asked.given.filter((name) => !isFree(name) || name === 'epochs');
  checkOthers({ ...asked, given: fixed }, { ...ensemble.options, seeds }, directory);
  const { given } = asked;
  const options = given.includes('calibrate')
    ? { ...ensemble.options, calibrate: asked.options.calibrate }
    : ensemble.options;
  const { metrics, scored } = runFiles(directory);
  const files = [metrics, ...SCORED_SPLITS.map(scored)];
  const isOver =
    ensemble.status === 'finished' &&
    (await Promise.all(files.map((file) => isThere(directory, file)))).every(Boolean) &&
    options.calibrate === ensemble.options.calibrate &&
    (await Promise.all(seeds.map((seed) => isDone(directory, seed, options)))).every(Boolean);
  if (isOver) {
    throw new ChestMnistError('ERR_NOTHING_TO_RESUME', {
      found: `the ensemble ${directory} is finished: all its ${seeds.length} members are trained and scored`,
      needed: 'an unfinished ensemble',
      next: 'for more members, or more epochs, start a new ensemble without --resume',
    });
  }
  const now = new Date().toISOString();
  return {
    ...ensemble,
    options,
    status: 'running',
    ended: null,
    resumed: [...ensemble.resumed, now],
    error: undefined,
  };
}

/** Whether a member is finished, and has all its files as it wrote them. */
async function isDone(directory: string, seed: number, { calibrate }: ResolvedOptions): Promise<boolean> {
  const place = runFiles(directory).member(seed);
  const config = await readConfig(place).catch(() => undefined);
  if (config?.calibrate !== calibrate) return false;
  const record = await readRunFile(place).catch(() => undefined);
  return record?.status === 'finished' && (await isWhole(place)) && (await changesOf(place, record)).length === 0;
}

const stoppedIn = (runDirectory: string | null): TrainResult => ({
  ...{ status: 'stopped', runDirectory, history: [], bestEpoch: null, metrics: null },
});

/** An ensemble in progress. */
class Training {
  readonly #directory: string;
  readonly #ensemble: Ensemble;
  readonly #around: Around & { held: StillHeld; seconds: () => number };
  readonly #now: Partial<ResolvedOptions>;
  /** The first new member, when it is prepared. */
  #first: Prepared | undefined;
  /** Ends all members when one has failed. */
  readonly #failed = new AbortController();
  readonly #signal: AbortSignal;
  /** Where a member was stopped. */
  #stop = { epoch: 1, samples: 0 };

  constructor(
    directory: string,
    ensemble: Ensemble,
    around: Around & { held: StillHeld; seconds: () => number },
    now: Partial<ResolvedOptions>,
    first?: Prepared,
  ) {
    this.#directory = directory;
    this.#ensemble = ensemble;
    this.#around = around;
    this.#now = now;
    this.#first = first;
    this.#signal = AbortSignal.any([around.wishes.signal, this.#failed.signal]);
  }

  async go(): Promise<TrainResult> {
    const [directory, ensemble] = [this.#directory, this.#ensemble];
    const { emit, held } = this.#around;
    await this.#write();
    const forget = atExit(() => {
      if (held()) writeEnsembleNow(directory, { ...ensemble, ...this.#ending('stopped') });
    });
    try {
      const seeds = ensemble.members.map(({ seed }) => seed);
      emit({ type: 'ensemble', runDirectory: directory, seeds, resumed: ensemble.resumed.length > 0 });
      await this.#trainAll();
      if (this.#signal.aborted) {
        await this.#write(this.#ending('stopped'));
        emit({ type: 'stop', runDirectory: directory, ...this.#stop, resume: asInstalled(resumeCommand(directory)) });
        return stoppedIn(directory);
      }
      const metrics = await this.#score();
      emit({ type: 'finish', runDirectory: directory, seconds: this.#around.seconds(), metrics });
      return { status: 'finished', runDirectory: directory, history: [], bestEpoch: null, metrics };
    } catch (cause) {
      const error = await writeErrorOf(cause, directory);
      const { code, message } = error as ChestMnistError;
      if (held()) await this.#write({ ...this.#ending('failed'), error: { code, message } }).catch(() => {});
      throw error;
    } finally {
      forget();
    }
  }

  #ending(status: Ensemble['status']): Partial<Ensemble> {
    const members = this.#ensemble.members.map((of) => ({
      ...of,
      status: of.status === 'running' ? ('stopped' as const) : of.status,
    }));
    return { status, ended: new Date().toISOString(), members };
  }

  #write(more: Partial<Ensemble> = {}): Promise<void> {
    return writeEnsemble(this.#directory, Object.assign(this.#ensemble, more));
  }

  /** Trains what is left, `jobs` members at a time. The first error ends all and is thrown. */
  async #trainAll(): Promise<void> {
    const { jobs = 1 } = this.#now;
    const how = { jobs, signal: this.#signal, abort: () => this.#failed.abort() };
    await workThrough(this.#ensemble.members, how, ({ seed }) =>
      this.#trainMember(seed).catch((error: unknown) => {
        throw errorOf(seed, error);
      }),
    );
  }

  async #trainMember(seed: number): Promise<void> {
    const directory = runFiles(this.#directory).member(seed);
    const member = this.#ensemble.members.find((of) => of.seed === seed)!;
    if (!(await isDone(this.#directory, seed, this.#ensemble.options))) {
      member.status = 'running';
      await this.#write();
      try {
        member.status = await this.#run(directory, seed);
      } catch (error) {
        member.status = 'failed';
        throw error;
      }
    } else member.status = 'finished';
    const record = await readRunFile(directory);
    checkMember(this.#directory, seed, this.#ensemble, { config: await readConfig(directory), record });
    member.best_epoch = record?.best_epoch ?? null;
    await this.#write();
  }

  async #run(directory: string, seed: number): Promise<'finished' | 'stopped'> {
    const emit = (event: TrainEvent): void => this.#emit(seed, event);
    const options = memberOptions({ ...this.#ensemble.options, ...this.#now }, seed);
    // The threads are those of now, as many as other members leave.
    const given = [...(Object.keys(this.#now) as OptionName[]), 'threads' as const].filter((name) => name !== 'jobs');
    const of = { directory: this.#directory, data: this.#ensemble.data };
    const ready = this.#first?.options.seed === seed ? this.#first : undefined;
    if (ready) this.#first = undefined;
    const { wishes, run } = this.#around;
    const part = { directory, asked: { options, given }, of, ready };
    const result = await trainPart(part, { emit, signal: this.#signal, requests: wishes.requests, run });
    return result?.status ?? 'stopped';
  }

  #emit(seed: number, event: TrainEvent): void {
    if (event.type === 'stop') this.#stop = { epoch: event.epoch, samples: event.samples };
    // A member is continued with its ensemble.
    const resume = event.type === 'stop' && { resume: asInstalled(resumeCommand(this.#directory)) };
    this.#around.emit({ ...event, ...resume, member: seed });
  }

  async #score(): Promise<MetricsFile> {
    const directory = this.#directory;
    const options = { ...this.#ensemble.options, ...this.#now };
    const metrics = await scoreEnsemble(directory, { ...this.#ensemble, options });
    const metrics_sha256 = await hashFile(runFiles(directory).metrics, 'sha256');
    if (options.report) {
      const { drawReport } = await import('../report/index.js');
      await drawReport(directory);
    } else {
      const { writeRunCard } = await import('../report/card/index.js');
      await writeRunCard(directory);
    }
    // Written last: a finished ensemble has all its files.
    await this.#write({ ...this.#ending('finished'), metrics_sha256 });
    return metrics;
  }
}
