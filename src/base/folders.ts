/** Paths as people write them, and where this package keeps its downloads. Nothing here creates a folder. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ChestMnistError } from './errors';

/**
 * A path whose first part is `~`, the user's home, written out; any other text as it is. A shell does this only at the
 * start of a word: not after `=`, not in quotes, not in JSON, a variable or a program. Throws ERR_CONFIG for another
 * user's home, which only a shell knows.
 */
export function expandHome(path: string): string {
  if (!path.startsWith('~')) return path;
  const [first] = path.split(/[\\/]/, 1);
  if (first === '~') return join(homedir(), path.slice(1));
  if (first === path) return path; // a file with such a name, as editors make them
  throw new ChestMnistError('ERR_CONFIG', {
    found: `the path ${path}`,
    needed: 'a path from / or from ~, your own home: the homes of others are known to shells only',
    next: `write the path in full; for a folder of that name, ./${path}`,
  });
}

/** The absolute path of what a user, a file or a variable calls `path`. */
export const absolute = (path: string): string => resolve(expandHome(path));

/** This package's folder in the user's cache, by the platform's convention. */
export function cacheDirectory(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return join(absolute(XDG_CACHE_HOME), 'chestmnist');
  if (process.platform === 'win32')
    return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'chestmnist', 'Cache');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'chestmnist');
  return join(homedir(), '.cache', 'chestmnist');
}
