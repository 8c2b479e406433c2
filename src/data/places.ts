/** The folders of data sets on this machine, for searching and for downloads. Nothing here creates them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { absolute, cacheDirectory, currentFolder, homeFolder, knownCache } from '../base/folders';

/** MedMNIST's Python package keeps its files here; undefined without a home. */
const medmnistDirectory = (): string | undefined => {
  const home = homeFolder();
  return home === undefined ? undefined : join(home, '.medmnist');
};

/** Folders searched for a catalogue file, in order: the current one, CHESTMNIST_DATA, ~/.medmnist, the user's cache. */
export function dataDirectories(): string[] {
  const named = process.env.CHESTMNIST_DATA;
  const folders = [currentFolder(), named ? absolute(named) : undefined, medmnistDirectory(), knownCache()];
  return folders.filter((folder) => folder !== undefined);
}

/** The folder for downloads: CHESTMNIST_DATA, else ~/.medmnist if it exists, else the user's cache. */
export function downloadDirectory(): string {
  const named = process.env.CHESTMNIST_DATA;
  if (named) return absolute(named);
  const medmnist = medmnistDirectory();
  return medmnist !== undefined && existsSync(medmnist) ? medmnist : cacheDirectory();
}

/** The first copy of `file` in the data folders, or undefined. */
export function findDataFile(file: string): string | undefined {
  return dataDirectories()
    .map((directory) => join(directory, file))
    .find((path) => existsSync(path));
}
