/**
 * What an import writes: FILE.npz in MedMNIST's layout, FILE.index.csv, which picture became which row, FILE.missing.csv,
 * what was left out, FILE.json, where all of it comes from. Not here: what is in them (index.ts).
 */
import { rm } from 'node:fs/promises';
import { exists, writeAtomically } from '../base/atomic';
import { csvCell } from '../base/csv';
import { ChestMnistError } from '../base/errors';
import { writeJson } from '../base/json';
import { writeNpz } from '../base/npz';
import { outputAt } from '../base/output';
import { SPLIT_NAMES, type SplitName } from '../data/dataset';
import { hashedPatient } from './picture';
import type { Missing, Source } from './sources';

export interface Places {
  readonly npz: string;
  readonly json: string;
  readonly index: string;
  readonly missing: string;
  readonly part: string;
}

/** Where the files of an import go. Throws ERR_OUTPUT or ERR_CONFIG where they cannot. */
export async function placesOf(output: string, force: boolean): Promise<Places> {
  const { path, extension } = await outputAt(output, ['.npz']);
  if (extension !== '.npz') {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `the output ${output}`,
      needed: 'the name of an .npz file, beside which others are written',
      next: 'for example -o chest.npz',
    });
  }
  const stem = path.replace(/\.npz$/i, '');
  const places = { npz: path, json: `${stem}.json`, index: `${stem}.index.csv`, missing: `${stem}.missing.csv` };
  for (const place of force ? [] : Object.values(places)) {
    if (await exists(place)) {
      throw new ChestMnistError('ERR_OUTPUT', {
        found: `${place} exists`,
        needed: 'file names that are free',
        next: 'choose another name, or add --force to overwrite it',
      });
    }
  }
  return { ...places, part: `${stem}.part` };
}

/** An image that is imported. */
export interface Imported {
  readonly id: number;
  readonly source: Source;
  readonly split: SplitName;
  readonly sha256: string;
}

/** Records of pixels that are read and written at a time. */
const AT_ONCE = 256;

export async function writeArrays(
  file: string,
  images: readonly Imported[],
  names: readonly string[],
  size: number,
  read: (id: number) => Promise<Uint8Array>,
): Promise<void> {
  const arrays: Parameters<typeof writeNpz>[1] = {};
  for (const split of SPLIT_NAMES) {
    const rows = images.filter((image) => image.split === split);
    const width = rows[0].source.label.length;
    arrays[`${split}_images`] = { shape: [rows.length, size, size], data: { bytes: pieces(rows, read) } };
    const labels = Buffer.concat(rows.map(({ source }) => source.label));
    arrays[`${split}_labels`] = { shape: [rows.length, width], data: labels };
  }
  arrays.label_names = { shape: [names.length], data: names };
  await writeNpz(file, arrays, { compress: true });
}

async function* pieces(
  rows: readonly Imported[],
  read: (id: number) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < rows.length; from += AT_ONCE)
    yield Buffer.concat(await Promise.all(rows.slice(from, from + AT_ONCE).map(({ id }) => read(id))));
}

/** The patient is hashed with a salt that is gone with the part: equal ones are equal, and none can be looked up. */
export async function writeIndex(file: string, images: readonly Imported[], salt: string): Promise<void> {
  const rows = SPLIT_NAMES.flatMap((split) =>
    images
      .filter((image) => image.split === split)
      .map(({ source: { name, row: from, group }, sha256 }, row) => {
        return [split, row, name, from, sha256, group === undefined ? '' : hashedPatient(group, salt)];
      }),
  );
  await writeCsv(file, [['split', 'row', 'source', 'from', 'sha256', 'group'], ...rows]);
}

/** Without any the file is not there, nor one of an import before. */
export async function writeMissing(file: string, missing: readonly Missing[]): Promise<void> {
  if (missing.length === 0) await rm(file, { force: true });
  else await writeCsv(file, [['what', 'why'], ...missing.map(({ what, why }) => [what, why])]);
}

async function writeCsv(file: string, rows: readonly (readonly (string | number)[])[]): Promise<void> {
  await writeAtomically(file, async (handle) => {
    await handle.writeFile(rows.map((row) => `${row.map(csvCell).join(',')}\n`).join(''));
  });
}

export const writeFacts = writeJson;
