/**
 * The run directory: its name, its small files and how they are written. Every file is whole or absent: JSON goes
 * through a temporary file. Not here: history.csv (history.ts), weights, plots, predictions.
 */
import { constants } from 'node:fs';
import { access, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import os from 'node:os';
import { ChestMnistError } from './errors';
import type { DataFacts } from './events';
import { native } from './native';
import { version } from './version';

/** Where things are in a run directory. */
export const runFiles = (directory: string) => ({
  config: path.join(directory, 'config.json'),
  run: path.join(directory, 'run.json'),
  history: path.join(directory, 'history.csv'),
  metrics: path.join(directory, 'metrics.json'),
  best: path.join(directory, 'weights', 'best.safetensors'),
  last: path.join(directory, 'weights', 'last.safetensors'),
  checkpoint: path.join(directory, 'checkpoint', 'state.safetensors'),
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

/** Writes run.json with status `running`; `end` writes how it ended, the first time it is called. */
export async function startRunFile(
  directory: string,
  facts: { device: string; threads: number; data: DataFacts; path?: string },
): Promise<{ end(status: RunStatus, more: Partial<RunFile>): Promise<void>; seconds(): number }> {
  const file = runFiles(directory).run;
  const began = performance.now();
  const now = new Date().toISOString();
  const before = await readJson<RunFile>(file);
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
    resumed: before ? [...before.resumed, now] : [],
    ended: null,
    seconds: null,
    peak_rss_bytes: null,
    argv: process.argv,
    best_epoch: before?.best_epoch ?? null,
    epochs: before?.epochs ?? 0,
  };
  await writeJson(file, run);
  const seconds = (): number => (performance.now() - began) / 1000;
  let ended = false;
  return {
    seconds,
    end: async (status, more) => {
      if (ended) return;
      ended = true;
      const peak = process.resourceUsage().maxRSS * 1024;
      await writeJson(file, {
        ...run,
        status,
        ended: new Date().toISOString(),
        seconds: seconds(),
        peak_rss_bytes: peak,
        ...more,
      });
    },
  };
}

/** Replaces a JSON file as a whole. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, `${JSON.stringify(value, null, 2)}\n`);
  await rename(temporary, file);
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
