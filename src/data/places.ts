/** The folders of data sets on this machine, for searching and for downloads. Nothing here creates them. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { absolute, cacheDirectory } from '../base/folders';

/** MedMNIST's Python package keeps its files here. */
const medmnistDirectory = (): string => join(homedir(), '.medmnist');

/** Folders searched for a catalogue file, in order: the current one, CHESTMNIST_DATA, ~/.medmnist, the user's cache. */
export function dataDirectories(): string[] {
  const named = process.env.CHESTMNIST_DATA;
  return [resolve('.'), ...(named ? [absolute(named)] : []), medmnistDirectory(), cacheDirectory()];
}

/** The folder for downloads: CHESTMNIST_DATA, else ~/.medmnist if it exists, else the user's cache. */
export function downloadDirectory(): string {
  const named = process.env.CHESTMNIST_DATA;
  if (named) return absolute(named);
  return existsSync(medmnistDirectory()) ? medmnistDirectory() : cacheDirectory();
}

/** The first copy of `file` in the data folders, or undefined. */
export function findDataFile(file: string): string | undefined {
  return dataDirectories()
    .map((directory) => join(directory, file))
    .find((path) => existsSync(path));
}
