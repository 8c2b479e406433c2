/** The folders that hold data sets on this machine: where they are searched and where a download goes. Nothing here is created. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { cacheDirectory } from '../base/folders';

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
