/**
 * Official files of MedMNIST, for tests that skip without them: in the folders where the package looks for them (such as
 * CHESTMNIST_DATA), or in shared/data beside the clone.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { findDataFile } from '../../src/data/places';
import { REPOSITORY } from './reference';

/** The path of a file, or undefined. */
export function officialFile(name: string): string | undefined {
  const beside = path.resolve(REPOSITORY, '..', 'shared', 'data', name);
  return findDataFile(name) ?? (existsSync(beside) ? beside : undefined);
}

/** `test` when the file is there, else a skip by name. */
export const testWithFile = (name: string): jest.It => (officialFile(name) === undefined ? test.skip : test);
