/**
 * A lock file that outlives no process: it names its holder and is touched every few seconds, so that one left by a
 * process that was killed is taken over at once on the same host, and after a minute from another.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const TOUCH_MS = 5_000;
const STALE_MS = 60_000;
const POLL_MS = 250;

/** Runs `work` while holding `file`; waits for another holder, and says so once through `waiting`. */
export async function withLock<T>(
  file: string,
  work: () => Promise<T>,
  { waiting, signal }: { waiting?: (holder: string) => void; signal?: AbortSignal | undefined } = {},
): Promise<T> {
  mkdirSync(path.dirname(file), { recursive: true });
  const mine = `${process.pid} ${hostname()} ${process.hrtime.bigint()}`;
  for (let told = false; !tryToTake(file, mine);) {
    const holder = staleOrHolder(file);
    if (holder === undefined) continue;
    if (!told) waiting?.(holder);
    told = true;
    await sleep(POLL_MS, undefined, { signal });
  }
  const release = (): void => {
    if (contentOf(file) === mine) rmSync(file, { force: true });
  };
  const touch = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(file, now, now);
    } catch {
      // Cleaned away together with its folder: nothing to keep alive.
    }
  }, TOUCH_MS);
  touch.unref();
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(touch);
    process.removeListener('exit', release);
    release();
  }
}

function tryToTake(file: string, mine: string): boolean {
  try {
    const handle = openSync(file, 'wx');
    writeSync(handle, mine);
    closeSync(handle);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes the lock of a dead holder and returns undefined; otherwise says who holds it. */
function staleOrHolder(file: string): string | undefined {
  const holder = contentOf(file);
  const age = ageOf(file);
  if (holder === undefined || age === undefined) return undefined; // released just now
  const [pid, host] = holder.split(' ');
  // A file without content is being written, or its writer was killed between creating and writing it.
  const dead = holder === '' ? age > 2_000 : host === hostname() && !isAlive(Number(pid));
  if (!dead && age < STALE_MS) return holder === '' ? 'a process that is starting' : `process ${pid} on ${host}`;
  // Renamed first: of several who see the stale lock only one takes it away, and never a fresh one.
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
    if (contentOf(aside) === holder) rmSync(aside, { force: true });
    else renameSync(aside, file);
  } catch {
    // Another process was quicker.
  }
  return undefined;
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function ageOf(file: string): number | undefined {
  try {
    return Date.now() - statSync(file).mtimeMs;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
