/**
 * Where files live on this machine: the data folders that are searched, and the user's cache. Nothing here is created.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** This package's folder in the user's cache, by the platform's convention. */
export function cacheDirectory(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, 'chestmnist');
  if (process.platform === 'win32')
    return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'chestmnist', 'Cache');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'chestmnist');
  return join(homedir(), '.cache', 'chestmnist');
}

/** MedMNIST's Python package keeps its files here. */
const medmnistDirectory = (): string => join(homedir(), '.medmnist');

/** Folders searched for a catalogue file, first match wins: here, CHESTMNIST_DATA, ~/.medmnist, the user's cache. */
export function dataDirectories(): string[] {
  const named = process.env.CHESTMNIST_DATA;
  return [resolve('.'), ...(named ? [resolve(named)] : []), medmnistDirectory(), cacheDirectory()];
}

/** Where a download goes: CHESTMNIST_DATA, else ~/.medmnist when Python made it, else the user's cache. */
export function downloadDirectory(): string {
  const named = process.env.CHESTMNIST_DATA;
  if (named) return resolve(named);
  return existsSync(medmnistDirectory()) ? medmnistDirectory() : cacheDirectory();
}

/** The first copy of `file` in the data folders, or undefined. */
export function findDataFile(file: string): string | undefined {
  return dataDirectories()
    .map((directory) => join(directory, file))
    .find((path) => existsSync(path));
}
