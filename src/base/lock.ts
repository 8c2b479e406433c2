/**
 * A lock file that names its holder, so that the lock of a killed process or thread can be taken over: at once where
 * the kernel knows about the holder (Linux: the same boot and process namespace), elsewhere when the file has not been
 * touched for a minute.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeError, type NextStep } from './disk';
import { atExit } from './exit';

const TOUCH_MS = 5_000;
const STALE_MS = 60_000;
const POLL_MS = 250;

/** Whether the lock is still held. If its file was removed, it is taken again. */
export type StillHeld = () => boolean;

export interface LockOptions {
  /** Called once with the lock's holder; may throw to give up. */
  waiting?: (holder: string) => void;
  signal?: AbortSignal | undefined;
  /** The next step of the error when the file cannot be written. */
  next?: NextStep;
}

/**
 * Runs `work` while holding `file`. Waits for another holder and reports it once through `waiting`, which may throw to
 * give up. Throws ERR_DISK or ERR_OUTPUT when the file cannot be written.
 */
export async function withLock<T>(
  file: string,
  work: (held: StillHeld) => Promise<T>,
  { waiting, signal, next }: LockOptions = {},
): Promise<T> {
  const mine = [process.pid, hostname(), process.hrtime.bigint(), ...identity()].join(' ');
  for (let told = false; !tryToTake(file, mine, next);) {
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
      // Removed together with its folder: nothing to touch.
    }
  }, TOUCH_MS);
  touch.unref();
  const forget = atExit(release);
  const held = (): boolean => {
    if (contentOf(file) === mine) return true;
    return tryToTake(file, mine, next);
  };
  try {
    return await work(held);
  } finally {
    clearInterval(touch);
    forget();
    release();
  }
}

function tryToTake(file: string, mine: string, next: NextStep | undefined): boolean {
  try {
    mkdirSync(path.dirname(file), { recursive: true });
  } catch (error) {
    throw writeError(error, path.dirname(file), next);
  }
  let handle: number;
  try {
    handle = openSync(file, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw writeError(error, file, next);
  }
  try {
    writeSync(handle, mine);
    return true;
  } catch (error) {
    rmSync(file, { force: true });
    throw writeError(error, file, next);
  } finally {
    closeSync(handle);
  }
}

/** Removes the lock of a dead holder and returns undefined; otherwise returns the holder's name. */
function staleOrHolder(file: string): string | undefined {
  const holder = contentOf(file);
  const age = ageOf(file);
  if (holder === undefined || age === undefined) return undefined; // released just now
  const [pid, host, , kernel, thread, start] = holder.split(' ');
  const name = `process ${pid} on ${host}`;
  if (kernel !== undefined && kernel === identity()[0]) {
    // The age is not used here: the holder may have been suspended.
    if (startOf(thread) === start) return name;
  } else {
    // A file without content is being written, or its writer was killed between creating and writing it.
    const dead = holder === '' ? age > 2_000 : kernel === undefined && host === hostname() && !isAlive(Number(pid));
    if (!dead && age < STALE_MS) return holder === '' ? 'a process that is starting' : name;
  }
  // Renamed first: of several processes that see the stale lock only one removes it, and never a fresh one.
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
    if (contentOf(aside) === holder) rmSync(aside, { force: true });
    else renameSync(aside, file);
  } catch {
    // Another process was faster.
  }
  return undefined;
}

/**
 * Identifies this holder: the kernel's boot and process namespace, this thread, and its start time. Empty on systems
 * without /proc.
 */
function identity(): string[] {
  try {
    const kernel = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() + readlinkSync('/proc/self/ns/pid');
    const thread = readlinkSync('/proc/thread-self');
    return [kernel, thread, startOf(thread)!];
  } catch {
    return [];
  }
}

/** The start time of a thread (`PID/task/TID`), in ticks since boot; undefined when the thread has ended. */
function startOf(thread: string): string | undefined {
  const stat = contentOf(`/proc/${thread}/stat`);
  // Split after the name, which may hold any character. The state is field 3 of the line, the start time field 22.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields && !['Z', 'X'].includes(fields[0]) ? fields[19] : undefined;
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
