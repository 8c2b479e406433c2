/** Folders of small pictures that differ, with a table, for tests of import. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { grayPng } from './png';

/** The picture of this number: no two look alike. */
export const picture = (number: number, side = 32): Buffer =>
  grayPng(
    side,
    side,
    (x, y) =>
      ((Math.imul((x >> 2) + 1, 2654435761 + number * 40503) ^ Math.imul((y >> 2) + 7, 97 + number * 7919)) >>> 3) &
      255,
  );

/** Writes pictures by relative names. */
export function putPictures(folder: string, names: readonly string[]): string {
  names.forEach((name, number) => {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), picture(number));
  });
  return folder;
}

export const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}.png`);
