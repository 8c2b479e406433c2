/**
 * The `.part` files of downloads. Each download writes one of its own, so that two processes never write the same; one
 * that a dead process left is taken over by renaming it, which only one can do.
 */
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

export interface Part {
  readonly path: string;
  /** Call when done: a part that is still there is kept for the next call when that may resume it. */
  release(): Promise<void>;
}

/** A process writes at least this often or gives up; older parts have no writer, whatever their name says. */
const ABANDONED_AFTER_MS = 10 * 60_000;

const active = new Set<string>();
let calls = 0;

/** A part file for `target`; with `resume` what an earlier call left of it, if anything. */
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
      // Another process was faster, or may write here and we may not: look for the next.
    }
  }
}

async function isWritten(part: string, pid: number): Promise<boolean> {
  if (pid === process.pid) return false;
  const { mtimeMs } = await stat(part);
  if (Date.now() - mtimeMs > ABANDONED_AFTER_MS) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
