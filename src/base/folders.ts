/** Where this package keeps what it downloads, by the convention of the platform. Nothing here is created. */
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
