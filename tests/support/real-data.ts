/**
 * Real radiographs, which are not in the repository: below CHESTMNIST_REAL_DATA, or in `shared/data` beside the repository.
 * Tests that use them are skipped by name without them.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { REPOSITORY } from './reference';

const places = [
  process.env.CHESTMNIST_REAL_DATA,
  ...['..', '../..'].map((up) => path.join(REPOSITORY, up, 'shared', 'data')),
];

/** A folder or file of the real data; undefined where it is not at hand. */
export const realData = (name: string): string | undefined =>
  places.flatMap((place) => (place === undefined ? [] : path.join(place, name))).find((place) => existsSync(place));
