/**
 * The run directory: its name, its lock, its small files and how they are written. Every file is whole or absent. Not
 * here: history.csv (history.ts), the checkpoint, weights, plots, predictions.
 */
import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import os from 'node:os';
import { TEMPORARY, writeAtomically } from '../base/atomic';
import { ChestMnistError } from '../base/errors';
import type { DataFacts } from '../train/events';
import { withLock, type StillHeld } from '../base/lock';
import { native } from '../engine/addon';
import { version } from '../base/version';

/** Where things are in a run directory. */
export const runFiles = (directory: string) => ({
  config: path.join(directory, 'config.json'),
  run: path.join(directory, 'run.json'),
  history: path.join(directory, 'history.csv'),
  metrics: path.join(directory, 'metrics.json'),
  best: path.join(directory, 'weights', 'best.safetensors'),
  last: path.join(directory, 'weights', 'last.safetensors'),
  checkpoint: path.join(directory, 'checkpoint', 'state.safetensors'),
  /** The checkpoint before it. */
  previous: path.join(directory, 'checkpoint', 'previous.safetensors'),
  lock: path.join(directory, 'lock'),
});

/** Refuses an output that cannot be used, before anything slow is done and without creating anything. */
export async function checkOutput(out: string, name: string | null): Promise<void> {
  if (name !== null && (await exists(path.resolve(out, name)))) throw taken(path.resolve(out, name));
  let folder = path.resolve(out);
  while (!(await exists(folder)) && path.dirname(folder) !== folder) folder = path.dirname(folder);
  const { isFolder } = await stat(folder).then((s) => ({ isFolder: s.isDirectory() }));
  if (!isFolder) throw unusable(folder, 'is a file');
  await access(folder, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
    throw unusable(folder, 'cannot be written', cause);
  });
}

/** Makes `out/name`, or `out/<yyyymmdd-hhmmss>-<data>` with -2, -3 ... where that exists. Never takes a folder that is there. */
export async function createRunDirectory(
  out: string,
  name: string | null,
  dataName: string,
  now = new Date(),
): Promise<string> {
  const base = path.resolve(out, name ?? `${timestamp(now)}-${dataName}`);
  try {
    await mkdir(path.dirname(base), { recursive: true });
    for (let copy = 1; ; copy++) {
      const directory = copy === 1 ? base : `${base}-${copy}`;
      try {
        await mkdir(directory);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        if (name !== null) throw taken(directory);
        continue;
      }
      await mkdir(path.join(directory, 'weights'));
      await mkdir(path.join(directory, 'checkpoint'));
      return directory;
    }
  } catch (error) {
    if (error instanceof ChestMnistError) throw error;
    throw unusable(base, 'cannot be made', error);
  }
}

export type RunStatus = 'running' | 'finished' | 'stopped' | 'failed';

/** run.json. Times are ISO 8601 in UTC. */
export interface RunFile {
  status: RunStatus;
  versions: { chestmnist: string; node: string; libtorch: string; cuda: string | null };
  device: string;
  device_name: string;
  threads: number;
  cpu_capability: string;
  platform: string;
  data: DataFacts & { path: string | null };
  started: string;
  /** When each continuation began. */
  resumed: string[];
  ended: string | null;
  /** Of this process's part of the run. */
  seconds: number | null;
  peak_rss_bytes: number | null;
  argv: string[];
  best_epoch: number | null;
  /** Epochs that are finished. */
  epochs: number;
  error?: { code?: string; message: string };
}

/** Runs `work` with the run directory locked. ERR_BUSY when another run goes on in it, in this process or another. */
export async function withRunLock<T>(directory: string, work: (held: StillHeld) => Promise<T>): Promise<T> {
  try {
    return await withLock(runFiles(directory).lock, work, {
      waiting: (holder) => {
        throw busy(directory, holder);
      },
    });
  } catch (error) {
    throw writeErrorOf(error, directory);
  }
}

/** What another run in this directory, or one that has taken it over, is told. */
export const busy = (directory: string, holder: string): ChestMnistError =>
  new ChestMnistError('ERR_BUSY', {
    found: `${directory} is in use by ${holder}`,
    needed: 'one run in a run directory at a time',
    next: 'wait for it or stop it, or start a run of its own without --resume',
  });

/** A failed write as a run tells it: what was finished is on disk. Other errors stay as they are. */
export function writeErrorOf(error: unknown, directory: string): unknown {
  const cause = error instanceof ChestMnistError ? error.cause : error;
  if (!(cause instanceof Error) || (cause as NodeJS.ErrnoException).syscall === undefined) return error;
  return new ChestMnistError(
    'ERR_CONFIG',
    {
      found: `${directory} cannot be written (${cause.message})`,
      needed: 'a folder that can be written, with room for about 600 MB',
      next: `make room or allow writing, then chestmnist train --resume ${directory}`,
    },
    { cause },
  );
}

/** Removes the temporary files of a process that was killed while it wrote. */
export async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory, { recursive: true })) {
    if (TEMPORARY.test(name)) await rm(path.join(directory, name), { force: true });
  }
}

/** run.json of a run in progress. */
export interface RunRecord {
  /** Of this process's part of the run. */
  seconds(): number;
  /** What run.json will say when the run ends so. */
  ending(status: RunStatus, more: Partial<RunFile>): RunFile;
  write(file?: RunFile): Promise<void>;
}

/** Writes run.json with status `running`. */
export async function startRunFile(
  directory: string,
  facts: Pick<RunFile, 'device' | 'threads' | 'best_epoch' | 'epochs'> & { data: DataFacts; path?: string },
  resumed: boolean,
): Promise<RunRecord> {
  const began = performance.now();
  const now = new Date().toISOString();
  const before = await readRunFile(directory);
  const cuda = facts.device === 'cpu' ? undefined : native().cudaStatus();
  const index = Number(facts.device.split(':')[1] ?? 0);
  const run: RunFile = {
    status: 'running',
    versions: {
      chestmnist: version,
      node: process.versions.node,
      libtorch: native().torchVersion(),
      cuda: cuda?.builtWith ?? null,
    },
    device: facts.device,
    device_name: cuda?.devices[index]?.name ?? os.cpus()[0]?.model.trim() ?? 'unknown',
    threads: facts.threads,
    cpu_capability: native().cpuCapability(),
    platform: `${process.platform}-${process.arch}`,
    data: { ...facts.data, path: facts.path ?? null },
    started: before?.started ?? now,
    resumed: [...(before?.resumed ?? []), ...(resumed ? [now] : [])],
    ended: null,
    seconds: null,
    peak_rss_bytes: null,
    argv: process.argv,
    best_epoch: facts.best_epoch,
    epochs: facts.epochs,
  };
  const record: RunRecord = {
    seconds: () => (performance.now() - began) / 1000,
    ending: (status, more) => ({
      ...run,
      status,
      ended: new Date().toISOString(),
      seconds: record.seconds(),
      peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
      ...more,
    }),
    write: (file = run) => writeJson(runFiles(directory).run, file),
  };
  await record.write();
  return record;
}

/** run.json; undefined when it is absent or damaged, which loses nothing that a run depends on. */
export async function readRunFile(directory: string): Promise<RunFile | undefined> {
  const file = await readJson<Partial<RunFile>>(runFiles(directory).run).catch(() => undefined);
  return typeof file?.status === 'string' && Array.isArray(file.resumed) ? (file as RunFile) : undefined;
}

/** Replaces a JSON file as a whole. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  await writeAtomically(file, (handle) => handle.writeFile(`${JSON.stringify(value, null, 2)}\n`));
}

/** Parses a JSON file of a run; undefined when it is absent, ERR_CONFIG when it is no JSON object. */
export async function readJson<T>(file: string): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new ChestMnistError(
      'ERR_CONFIG',
      { found: `${file} cannot be read`, needed: 'a readable JSON file', next: 'check its permissions' },
      { cause: error },
    );
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as T;
  } catch {
    // falls through: not JSON at all
  }
  throw new ChestMnistError('ERR_CONFIG', {
    found: `${file} is no JSON object`,
    needed: 'a JSON object',
    next: 'mend or remove the file',
  });
}

export async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

/** Local time, as in a run's name. */
function timestamp(now: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `${date}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}

const taken = (directory: string): ChestMnistError =>
  new ChestMnistError('ERR_CONFIG', {
    found: `${directory} exists already`,
    needed: 'a run name of its own: no run is ever overwritten',
    next: `choose another --name, or continue it with --resume ${directory}`,
  });

const unusable = (folder: string, how: string, cause?: unknown): ChestMnistError =>
  new ChestMnistError(
    'ERR_CONFIG',
    { found: `${folder} ${how}`, needed: 'a folder that can be written', next: 'choose another --out' },
    { cause },
  );
