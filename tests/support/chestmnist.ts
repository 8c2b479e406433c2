/**
 * Runs the built command line (`npm run build` first) as a user does: a process of its own, streams apart.
 * CHESTMNIST_CLI names another build, such as an installed package.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { REPOSITORY } from './reference';

export const MAIN = process.env.CHESTMNIST_CLI ?? path.join(REPOSITORY, 'dist', 'cli', 'main.js');
/** The built package, for scripts that require or import it. */
export const PACKAGE = path.join(path.dirname(MAIN), '..', 'index.js');

export interface Finished {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Starts node with these arguments; `done` resolves when it has ended. */
export function start(args: readonly string[], cwd?: string): { child: ChildProcess; done: Promise<Finished> } {
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => (out[name] += text));
  }
  const done = new Promise<Finished>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, ...out })),
  );
  return { child, done };
}

export const chestmnist = (args: readonly string[], cwd?: string): Promise<Finished> =>
  start([MAIN, ...args], cwd).done;

/** What JSON.parse gives. */
export type Json = ReturnType<typeof JSON.parse>;

/** The NDJSON lines of a stream. */
export const eventsOf = (stdout: string): Json[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as unknown);

/** Small synthetic data, on the CPU, so that the tests are the same everywhere. */
export const SMALL = [
  ...['--data', 'synthetic', '--limit-train', '256', '--limit-val', '128', '--limit-test', '128'],
  ...['--device', 'cpu', '--threads', '1'],
] as const;

/** The same for a run of which neither the report nor the confidence intervals are looked at: both take longer than it. */
export const QUICK = [...SMALL, '--no-report', '--resamples', '0'] as const;

/** A folder that is gone after the tests of a file. */
export function scratch(): () => string {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'chestmnist-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return () => folder;
}
