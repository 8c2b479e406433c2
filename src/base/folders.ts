/** Where this package keeps its downloads. Nothing here creates the folder. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** This package's folder in the user's cache, by the platform's convention. */
export function cacheDirectory(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, 'chestmnist');
  if (process.platform === 'win32')
    return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'chestmnist', 'Cache');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'chestmnist');
  return join(homedir(), '.cache', 'chestmnist');
}
