/**
 * How many threads this process should use: the least of the processors it may run on, the CPU quota of its container,
 * what a scheduler gave the job, and the variables that limit numeric libraries. A fact of the machine, asked anew in
 * each process. Not here: the option --threads, which overrules it (recipe/options.ts).
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';

export interface ThreadLimit {
  /** At least 1. */
  readonly threads: number;
  /** Which limit won, e.g. `the CPU quota of this container or service (cgroup)`. */
  readonly limit: string;
  /** Variables that are set and hold no number of threads, e.g. `OMP_NUM_THREADS=all`. */
  readonly ignored: readonly string[];
}

/** Where the facts come from; the tests pass others. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that holds proc/ and the mount points of the cgroups. */
  readonly root: string;
  /** Processors that this process may run on, and those of the machine. */
  readonly allowed: number;
  readonly all: number;
}

/** What schedulers set for a job or a task: Slurm, PBS and Torque, LSF, Grid Engine. */
const SCHEDULERS = [
  ...['SLURM_CPUS_PER_TASK', 'SLURM_CPUS_ON_NODE', 'NCPUS', 'PBS_NUM_PPN', 'PBS_NP'],
  ...['LSB_DJOB_NUMPROC', 'LSB_MAX_NUM_PROCESSORS', 'NSLOTS'],
];
/** What LibTorch and its OpenMP read. */
const LIBRARIES = ['OMP_NUM_THREADS', 'OMP_THREAD_LIMIT', 'MKL_NUM_THREADS'];

/** The largest number that --threads accepts. */
export const MOST_THREADS = 1024;

/** The threads to use where --threads is not given. */
export const defaultThreads = (machine = thisMachine()): ThreadLimit => least(machine, [...SCHEDULERS, ...LIBRARIES]);

/** The processes to start at a time, such as compilers: the variables of numeric libraries are not about them. */
export const processorsToUse = (machine = thisMachine()): number => least(machine, SCHEDULERS).threads;

/**
 * One line on the default, for the notes of whatever trains or predicts: which limit won, and which variables are
 * ignored. Nothing when the number was given, or all processors are used.
 */
export function threadsNotes(given: number | null | undefined, machine = thisMachine()): string[] {
  const { threads, limit, ignored } = defaultThreads(machine);
  if (typeof given === 'number' || (threads === machine.all && ignored.length === 0)) return [];
  const without = ignored.length === 0 ? '' : `; ${ignored.join(' and ')} ignored: not a number from 1`;
  return [`threads: ${threads}, from ${limit}${without} (--threads sets another number)`];
}

const thisMachine = (): Machine => ({
  env: process.env,
  root: '/',
  allowed: availableParallelism(),
  all: Math.max(cpus().length, availableParallelism()),
});

function least({ env, root, allowed, all }: Machine, names: readonly string[]): ThreadLimit {
  const ignored: string[] = [];
  const limits: [threads: number, limit: string][] = [];
  for (const name of names) {
    const text = env[name]?.trim();
    if (!text) continue;
    const threads = numberIn(text);
    if (threads === undefined) ignored.push(`${name}=${text.slice(0, 40)}`);
    else limits.push([threads, `${name}=${text.slice(0, 40)}`]);
  }
  const quota = cpuQuota(root);
  // Whole processors, as Node counts them itself: a thread beyond the quota only waits for the next period.
  if (quota !== undefined) {
    const shown = Number(quota.toFixed(2));
    limits.push([Math.floor(quota), `the CPU quota of this container or service (cgroup: ${shown} CPUs)`]);
  }
  limits.push([allowed, allowed < all ? 'the processors this process may run on (CPU affinity)' : 'all processors']);
  limits.push([MOST_THREADS, 'the largest number of threads']);
  const [threads, limit] = limits.reduce((a, b) => (b[0] < a[0] ? b : a));
  return { threads: Math.max(1, threads), limit, ignored };
}

/** `4`, or the first level of OpenMP's `4,2`; undefined for anything else, which OpenMP ignores too. */
function numberIn(text: string): number | undefined {
  const first = /^\+?(\d+)\s*(,\s*\+?\d+\s*)*$/.exec(text)?.[1];
  return first === undefined || Number(first) === 0 ? undefined : Number(first);
}

/** The CPU quota of this process in processors, such as 1.5; undefined without one. */
function cpuQuota(root: string): number | undefined {
  const text = (file: string): string | undefined => {
    try {
      return readFileSync(path.join(root, file), 'utf8');
    } catch {
      return undefined; // another system, another version of cgroups, or not permitted
    }
  };
  // HIERARCHY:CONTROLLERS:PATH; version 2 is hierarchy 0 without controllers.
  const groups = lines(text('proc/self/cgroup')).map((line) => /^\d+:([^:]*):(.*)$/.exec(line) ?? ['', '-', '/']);
  const quotas = lines(text('proc/self/mountinfo')).flatMap((line) => {
    const [before, after = ''] = line.split(' - ');
    const [, , , mounted = '/', place = '/'] = before.split(' ').map(unescaped);
    const [type, , options = ''] = after.split(' ');
    const isFirst = type === 'cgroup' && options.split(',').includes('cpu');
    if (!isFirst && type !== 'cgroup2') return [];
    const group = groups.find(([, names]) => (isFirst ? names.split(',').includes('cpu') : names === ''))?.[2];
    if (group === undefined) return [];
    const read = isFirst
      ? (folder: string) => [text(`${folder}/cpu.cfs_quota_us`), text(`${folder}/cpu.cfs_period_us`)]
      : (folder: string) => text(`${folder}/cpu.max`)?.trim().split(/\s+/) ?? [];
    const inside = group.startsWith('/..') ? group : path.posix.relative(mounted, group);
    return foldersTo(place, inside).map((folder) => ratio(read(folder)));
  });
  const known = quotas.filter((quota) => quota !== undefined);
  return known.length > 0 ? Math.min(...known) : undefined;
}

/** The mount point and each folder from it to the group: every one of them may have a quota. */
function foldersTo(place: string, group: string): string[] {
  // A container may see a path on the host that leads out of what is mounted: its own group is the mount point.
  const parts = group.split('/').filter((part) => part !== '');
  if (parts.includes('..')) return [place];
  return [place, ...parts.map((_, i) => path.posix.join(place, ...parts.slice(0, i + 1)))];
}

/** Microseconds of processor time per period of microseconds. `max` and -1 stand for no quota. */
function ratio([quota, period]: (string | undefined)[]): number | undefined {
  const processors = Number(quota) / Number(period);
  return Number.isFinite(processors) && processors > 0 ? processors : undefined;
}

const lines = (text: string | undefined): string[] => text?.split('\n').filter(Boolean) ?? [];

/** The kernel writes a space in a path as \040. */
const unescaped = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
