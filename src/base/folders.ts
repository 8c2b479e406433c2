/**
 * Paths as people write them, where this package keeps its downloads, and the user's home. Nothing here creates a
 * folder. A service, a container with an unknown user or a batch job may have no home: what only searches does without
 * it, and what writes reports which variable to set.
 */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { ChestMnistError } from './errors';

/**
 * A path whose first part is `~`, the user's home, written out; any other text as it is. A shell does this only at the
 * start of a word: not after `=`, not in quotes, not in JSON, a variable or a program. Throws ERR_CONFIG for another
 * user's home, which only a shell knows.
 */
export function expandHome(path: string): string {
  if (!path.startsWith('~')) return path;
  const [first] = path.split(/[\\/]/, 1);
  if (first === '~') return join(homeFolder() ?? noHome(`write ${path} in full, or set HOME=FOLDER`), path.slice(1));
  if (first === path) return path; // a file with such a name, as editors make them
  throw new ChestMnistError('ERR_CONFIG', {
    found: `the path ${path}`,
    needed: 'a path from / or from ~, your own home: the homes of others are known to shells only',
    next: `write the path in full; for a folder of that name, ./${path}`,
  });
}

/** The absolute path of what a user, a file or a variable calls `path`. */
export const absolute = (path: string): string => resolve(expandHome(path));

/** The user's home; undefined where the variable names none and the system does not know the user. */
export function homeFolder(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : undefined;
  } catch {
    return undefined;
  }
}

/** This package's folder in the user's cache, by the platform's convention; undefined without a home. */
export function knownCache(): string | undefined {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return join(absolute(XDG_CACHE_HOME), 'chestmnist');
  if (process.platform === 'win32' && LOCALAPPDATA) return join(LOCALAPPDATA, 'chestmnist', 'Cache');
  const home = homeFolder();
  if (home === undefined) return undefined;
  if (process.platform === 'win32') return join(home, 'AppData', 'Local', 'chestmnist', 'Cache');
  if (process.platform === 'darwin') return join(home, 'Library', 'Caches', 'chestmnist');
  return join(home, '.cache', 'chestmnist');
}

/**
 * The same, to write to. Throws ERR_CONFIG without a home. A folder that all users share is no substitute: libraries
 * are loaded from the cache.
 */
export const cacheDirectory = (): string => toWriteTo(knownCache());

/** A place below the user's home, to write to. Throws ERR_CONFIG without a home. */
export function toWriteTo(folder: string | undefined): string {
  return folder ?? noHome('set XDG_CACHE_HOME=FOLDER (or HOME=FOLDER), keep it set, and run the same command again');
}

function noHome(next: string): never {
  const { HOME } = process.env;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `no home folder: HOME is ${HOME ? `${HOME}, which is not a whole path` : 'not set, and the system does not know a home of this user'}`,
    needed: 'a folder of this user that can be written',
    next,
  });
}

/** The current folder; undefined when it was removed. */
export function currentFolder(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}
