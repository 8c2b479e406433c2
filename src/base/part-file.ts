/**
 * The `.part` files of downloads. Each download writes its own, so that two processes never write to the same file. The
 * part that a dead process left is taken over by renaming it, which only one process can do.
 */
import { lstat, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface Part {
  readonly path: string;
  /** Call when done. A remaining part is kept if the next call may resume it, otherwise removed. */
  release(): Promise<void>;
}

/** A process writes at least this often or gives up. Older parts have no writer, even if their process still runs. */
const ABANDONED_AFTER_MS = 10 * 60_000;

const active = new Set<string>();
let calls = 0;

/** A part file for `target`. With `resume`, it continues the part that an earlier call left, if any. */
export async function claimPart(target: string, resume: boolean): Promise<Part> {
  const path = `${target}.${process.pid}-${calls++}.part`;
  active.add(path);
  if (resume) await adopt(target, path);
  return {
    path,
    async release() {
      active.delete(path);
      const bytes = await stat(path).then(
        ({ size }) => size,
        () => 0,
      );
      if (!resume || bytes === 0) await rm(path, { force: true });
    },
  };
}

async function adopt(target: string, path: string): Promise<void> {
  const prefix = `${basename(target)}.`;
  for (const name of await readdir(dirname(target))) {
    const match = name.startsWith(prefix) ? /^(\d+)-\d+\.part$/.exec(name.slice(prefix.length)) : null;
    const candidate = join(dirname(target), name);
    if (!match || active.has(candidate)) continue;
    try {
      if (!(await isWritten(candidate, Number(match[1])))) return await rename(candidate, path);
    } catch {
      // Another process was faster, or this one may not rename the file: try the next.
    }
  }
}

/** Whether it has a writer, or is not a part at all: a link or a pipe of that name is left alone. */
async function isWritten(part: string, pid: number): Promise<boolean> {
  const facts = await lstat(part);
  if (!facts.isFile()) return true;
  if (pid === process.pid) return false;
  const { mtimeMs } = facts;
  if (Date.now() - mtimeMs > ABANDONED_AFTER_MS) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
