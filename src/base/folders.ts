/**
 * Where this package keeps its downloads, and the user's home. Nothing here creates a folder. A service, a container
 * with an unknown user or a batch job may have no home: what only searches does without, what writes says what to set.
 */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { ChestMnistError } from './errors';

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
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, 'chestmnist');
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
  if (folder !== undefined) return folder;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `no place for downloads: HOME ${process.env.HOME ? `is ${process.env.HOME}, which is not a whole path` : 'is not set'}, and the system names no home of this user`,
    needed: 'a folder of this user that can be written',
    next: 'set XDG_CACHE_HOME=FOLDER (or HOME=FOLDER), keep it set, and run the same command again',
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
