/**
 * What stands at a path: a file, a folder, a link, a pipe ... Links are not followed. Not here: what may stand there
 * (the callers).
 */
import type { Stats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';

/** The kind of an entry in words, e.g. `a named pipe`. */
export function kindOf(facts: Stats): string {
  if (facts.isFile()) return 'a file';
  if (facts.isDirectory()) return 'a folder';
  if (facts.isSymbolicLink()) return 'a link';
  if (facts.isFIFO()) return 'a named pipe';
  return facts.isSocket() ? 'a socket' : 'a device';
}

/** The facts of an entry itself; undefined when nothing is there. Rejects with the file system's error otherwise. */
export async function entryAt(place: string): Promise<Stats | undefined> {
  try {
    return await lstat(place);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Whether an error means that nothing is there. */
export const isAbsent = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

/** Whether the file system takes a path of this length, there or not. */
export const fits = (place: string): Promise<boolean> =>
  stat(place).then(
    () => true,
    (error: unknown) => (error as NodeJS.ErrnoException).code !== 'ENAMETOOLONG',
  );
