/**
 * A lock file that names its holder, so that the lock of a killed process or thread can be taken over: at once where
 * the kernel knows about the holder (Linux: the same boot and process namespace), elsewhere when the file has not been
 * touched for a minute.
 */
import {
  closeSync,
  constants,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeError, type NextStep } from './disk';
import { isAbsent, kindOf } from './entry';
import { ChestMnistError } from './errors';
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
    const holder = staleOrHolder(file, next);
    if (holder !== undefined && !told) waiting?.(holder);
    told ||= holder !== undefined;
    // Also where it seems to be free: whatever happens to the file, a signal is heard.
    await sleep(holder === undefined ? 1 : POLL_MS, undefined, { signal });
  }
  const isMine = (): boolean => lockAt(file, next)?.content === mine;
  const release = (): void => {
    try {
      if (isMine()) rmSync(file, { force: true });
    } catch {
      // Something else stands there now: it is not ours to remove.
    }
  };
  const touch = setInterval(() => {
    const now = new Date();
    try {
      lutimesSync(file, now, now);
    } catch {
      // Removed together with its folder: nothing to touch.
    }
  }, TOUCH_MS);
  touch.unref();
  const forget = atExit(release);
  const held = (): boolean => isMine() || tryToTake(file, mine, next);
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

/** Whether a holder that lives has locked `file`. Changes nothing. */
export function isLocked(file: string): boolean {
  const lock = lockAt(file, undefined);
  return lock !== undefined && holderOf(lock) !== undefined;
}

/** Removes the lock of a dead holder and returns undefined; otherwise returns the holder's name. */
function staleOrHolder(file: string, next: NextStep | undefined): string | undefined {
  const lock = lockAt(file, next);
  if (lock === undefined) return undefined; // released just now
  const holder = holderOf(lock);
  if (holder !== undefined) return holder;
  // Renamed first: of several processes that see the stale lock only one removes it, and never a fresh one.
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
    if (lockAt(aside, next)?.content === lock.content) rmSync(aside, { force: true });
    else renameSync(aside, file);
  } catch (error) {
    // Absent: another process was faster.
    if (!isAbsent(error)) throw writeError(error, file, next);
  }
  return undefined;
}

interface Lock {
  content: string;
  /** Milliseconds since it was touched. */
  age: number;
}

/** The name of the holder; undefined when it is dead. */
function holderOf({ content, age }: Lock): string | undefined {
  const [pid, host, , kernel, thread, start] = content.split(' ');
  const name = `process ${pid} on ${host}`;
  // Where the kernel knows, the age is not used: the holder may have been suspended.
  if (kernel !== undefined && kernel === identity()[0]) return startOf(thread) === start ? name : undefined;
  // A file without content is being written, or its writer was killed between creating and writing it.
  const isEmpty = content === '';
  const dead = isEmpty ? age > 2_000 : kernel === undefined && host === hostname() && !isAlive(Number(pid));
  if (dead || age >= STALE_MS) return undefined;
  return isEmpty ? 'a process that is starting' : name;
}

/** What `withLock` writes: process, host, a number of its own, and where the kernel tells them the three of identity(). */
const CONTENT = /^(\d+ \S+ \d+( \S+ \d+\/task\/\d+ \d+)?)?$/;
const LONGEST = 1_000;

/**
 * The lock at this path; undefined when nothing is there. Throws ERR_OUTPUT for anything that is not a lock, such as a
 * folder, a link or a file of someone else: it is neither opened nor removed, and waiting for it would never end.
 */
function lockAt(file: string, next: NextStep | undefined): Lock | undefined {
  try {
    const facts = lstatSync(file);
    if (!facts.isFile()) throw notALock(file, `is ${kindOf(facts)}`, next);
    const content = readStart(file);
    if (!CONTENT.test(content)) throw notALock(file, 'is a file that holds something else', next);
    return { content, age: Date.now() - facts.mtimeMs };
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw writeError(error, file, next);
  }
}

const notALock = (file: string, what: string, next: NextStep | undefined): ChestMnistError =>
  new ChestMnistError('ERR_OUTPUT', {
    found: `${file} ${what}, not a lock of chestmnist`,
    needed: 'nothing of that name, which is that of the lock',
    next: `move ${file} away, then ${next?.then ?? 'run the same command again'}`,
  });

/** The first bytes of a file as text, without following a link or waiting for a pipe. */
function readStart(file: string): string {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants as Partial<typeof constants>;
  const handle = openSync(file, (O_RDONLY ?? 0) | O_NOFOLLOW | O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(LONGEST);
    return bytes.toString('utf8', 0, readSync(handle, bytes, 0, LONGEST, 0));
  } finally {
    closeSync(handle);
  }
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
  let stat: string;
  try {
    stat = readFileSync(`/proc/${thread}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // Split after the name, which may hold any character. The state is field 3 of the line, the start time field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ['Z', 'X'].includes(fields[0]) ? undefined : fields[19];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
