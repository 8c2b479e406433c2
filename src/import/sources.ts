/**
 * The pictures to import, each with its labels, patient and split: rows of a table joined with the files of a folder, or
 * folders that are classes. Not here: what a column means (columns.ts), what is in a picture.
 */
import path from 'node:path';
import { ChestMnistError } from '../base/errors';
import { listed } from '../base/text';
import { SPLIT_NAMES, type SplitName } from '../data/dataset';
import { findPictures } from '../data/pictures/find';
import { findColumns, hasColumn, patientIn, type Columns } from './columns';
import { readTable, type Row } from './csv';
import { classesOf, labelsOf, type Labels } from './labels';
import type { ImportOptions } from './options';
import { SPLIT_WORDS } from './split';

export interface Source {
  /** Relative to the folder, with `/`. */
  readonly name: string;
  /** The line of the table, or the folder. */
  readonly row: string;
  /** As it is stored: 0 and 1 per label, or one class number. */
  readonly label: Uint8Array;
  /** Undefined where no patient is known. */
  readonly group: string | undefined;
  /** Undefined where it is still to be drawn. */
  readonly split: SplitName | undefined;
}

/** A row or a picture that is not imported, and why. */
export interface Missing {
  readonly what: string;
  readonly why: string;
}

export interface Sources {
  readonly images: readonly Source[];
  readonly labels: Pick<Labels, 'kind' | 'names' | 'uncertain'>;
  readonly missing: readonly Missing[];
  /** What was found, a line each. */
  readonly found: readonly string[];
  /** Whether the files tell the patients, which is known when they are read. */
  readonly isByDicom: boolean;
}

/** All pictures of the folder, relative. */
export async function picturesIn(folder: string, output: string): Promise<string[]> {
  const names: string[] = [];
  for await (const found of findPictures([folder])) {
    if ('error' in found) throw found.error;
    if (path.resolve(found.file) === output) continue;
    names.push(path.relative(folder, found.file).split(path.sep).join('/'));
  }
  return names;
}

/** What `--group` says when patients are told by the DICOM files. */
export const isDicomPatient = (group: string | undefined): boolean => /^patient[ _]?id$/i.test(group ?? '');

/** Classes are the folders, below train, val and test if there are such. Throws ERR_DATA_SHAPE. */
export function fromFolders({ labels, group }: ImportOptions, folder: string, files: readonly string[]): Sources {
  const parts = files.map((name) => name.split('/'));
  const isSplit = parts.every(([first, second, third]) => SPLIT_WORDS.has(first.toLowerCase()) && second && third);
  const depth = isSplit ? 1 : 0;
  const loose = files.find((_, i) => parts[i].length < depth + 2);
  if (loose !== undefined) {
    throw new ChestMnistError('ERR_DATA_SHAPE', {
      found: `${path.join(folder, loose)} lies in no folder of a class`,
      needed: 'a folder per class, or a table',
      next: 'pass the table before the folder: npx chestmnist import TABLE.csv FOLDER -o FILE.npz',
    });
  }
  const names = classesOf(
    folder,
    parts.map((inside) => inside[depth]),
    labels,
  );
  const images = files.map((name, i): Source => ({
    name,
    row: parts[i].slice(0, depth + 1).join('/'),
    label: Uint8Array.of(names.indexOf(parts[i][depth])),
    group: undefined,
    split: isSplit ? SPLIT_WORDS.get(parts[i][0].toLowerCase()) : undefined,
  }));
  const found = [
    `classes: the folders ${listed(names)}`,
    `split: ${isSplit ? 'the folders train, val and test' : 'to be drawn'}`,
    group === undefined ? NO_GROUP : DICOM_GROUP,
  ];
  return { images, labels: { kind: 'class', names, uncertain: 0 }, missing: [], found, isByDicom: group !== undefined };
}

const DICOM_GROUP = 'patients: the Patient ID of the DICOM files, hashed';

const NO_GROUP =
  'patients: not known, so that two pictures of one may come into two splits (--group COLUMN names them)';

/** Throws ERR_DATA_SHAPE where rows disagree or are unclear. */
export async function fromTable(
  options: ImportOptions,
  tableFile: string,
  files: readonly string[],
  splitColumn: string | undefined,
  isDrawn: boolean,
): Promise<Sources> {
  const table = await readTable(tableFile);
  const isByDicom = isDicomPatient(options.group) && !hasColumn(table, options.group!);
  const columns = findColumns(table, {
    ...options,
    group: isByDicom ? undefined : options.group,
    split: splitColumn,
  });
  const policy = options.uncertain ?? 'zero';
  const labels = labelsOf(table, columns.labels, policy);
  const splitAt = isDrawn ? undefined : columns.split;
  const find = columns.image.by === 'study' ? studyFinder(files) : finder(files, path.basename(options.folder));
  const isOne = columns.image.by === 'file';
  const byName = new Map<string, Said>();
  const missing: Missing[] = [];
  const refuse = (found: string, needed: string, next = 'correct the table'): ChestMnistError =>
    new ChestMnistError('ERR_DATA_SHAPE', { found: `${tableFile}, ${found}`, needed, next });
  const groupOf = ({ line, cells }: Row): string | undefined => {
    if (columns.group === undefined || isByDicom) return undefined;
    const group = columns.group === 'path' ? patientIn(cells[columns.image.at]) : cells[columns.group];
    if (group) return group;
    throw refuse(`line ${line}: no ${table.columns[Number(columns.group)]}`, 'the patient of each picture');
  };
  const splitOf = ({ line, cells }: Row): SplitName | undefined => {
    if (splitAt === undefined) return undefined;
    const split = SPLIT_WORDS.get(cells[splitAt].toLowerCase());
    if (split !== undefined) return split;
    throw refuse(`line ${line}: the split ${JSON.stringify(cells[splitAt].slice(0, 60))}`, SPLIT_NAMES.join(', '));
  };
  for (const [i, row] of table.rows.entries()) {
    const given = row.cells[columns.image.at];
    const candidates = given === '' ? [] : find(given);
    if (isOne && candidates.length > 1) {
      throw refuse(
        `line ${row.line}: ${given} may be ${listed(candidates.slice(0, 3))}`,
        'one picture per row',
        'write its path within the folder',
      );
    }
    if (candidates.length === 0) missing.push({ what: `line ${row.line}: ${given}`, why: 'the row has no picture' });
    const label = labels.values[i] ?? ('left out' as const);
    for (const name of candidates) {
      const source: Said = { name, row: `${row.line}`, label, group: groupOf(row), split: splitOf(row) };
      const before = byName.get(name);
      if (before === undefined) {
        byName.set(name, source);
        if (label === 'left out') missing.push({ what: name, why: 'left out: an uncertain label' });
      } else if (isSame(before, source))
        missing.push({ what: `line ${row.line}: ${given}`, why: `says the same as line ${before.row}` });
      else throw refuse(`lines ${before.row} and ${row.line} disagree about ${name}`, 'one row per picture');
    }
  }
  for (const name of files) {
    if (!byName.has(name)) missing.push({ what: name, why: 'the picture has no row' });
  }
  const nameOf = (i: number): string => table.columns[i];
  const images = [...byName.values()].flatMap(({ label, ...source }): Source[] =>
    label === 'left out' ? [] : [{ ...source, label }],
  );
  if (images.length === 0) {
    throw new ChestMnistError('ERR_DATA_MISSING', {
      found: `no row of ${tableFile} names a picture in ${options.folder}: ${nameOf(columns.image.at)} has ${JSON.stringify(table.rows[0].cells[columns.image.at].slice(0, 200))}`,
      needed: 'the names of its files, or their paths within it',
      next: 'check the folder, or name the column with --image COLUMN',
    });
  }
  const WAYS = { flags: '1 or 0 in', list: 'names in', class: 'the class in' };
  const found = [
    `images: ${isOne ? '' : 'all in the folder of '}${nameOf(columns.image.at)}`,
    `labels: ${WAYS[labels.kind]} ${listed(columns.labels.columns.map(nameOf))}`,
    ...(labels.kind === 'flags' ? [] : [`names: ${listed(labels.names)}`]),
    isByDicom ? DICOM_GROUP : groupFound(columns, nameOf),
    `split: ${splitAt === undefined ? 'to be drawn, or from lists' : nameOf(splitAt)}`,
    ...(labels.uncertain > 0 ? [`uncertain labels (-1): ${labels.uncertain}, --uncertain ${policy}`] : []),
    ...(columns.others.length > 0 ? [`not used: ${listed(columns.others)}`] : []),
  ];
  return { images, labels, missing, found, isByDicom };
}

function groupFound({ image, group }: Columns, nameOf: (column: number) => string): string {
  if (group === undefined) return NO_GROUP;
  return `patients: ${group === 'path' ? `the folders in ${nameOf(image.at)}` : nameOf(group)}`;
}

/** What a row says of a picture; a row that is left out says it too, so that another must not disagree. */
type Said = Omit<Source, 'label'> & { readonly label: Uint8Array | 'left out' };

const isSame = (a: Said, b: Said): boolean =>
  String(a.label) === String(b.label) && a.group === b.group && a.split === b.split;

/** Finds the files of a study: those below its folder, `s50414267` in MIMIC-CXR. */
function studyFinder(files: readonly string[]): (cell: string) => readonly string[] {
  const byStudy = new Map<string, string[]>();
  for (const name of files) {
    for (const folder of new Set(name.split('/').slice(0, -1))) {
      const study = folder.replace(/^s(?=\d+$)/, '');
      if (!byStudy.has(study)) byStudy.set(study, []);
      byStudy.get(study)!.push(name);
    }
  }
  return (cell) => byStudy.get(cell.replace(/^s(?=\d+$)/, '')) ?? [];
}

/**
 * Finds the files that a cell names: by its path in the folder, or the end of that path, as tables often begin above the
 * folder; by its name alone wherever it lies; and without its extension. `folder` is the name of the folder itself.
 */
export function finder(files: readonly string[], folder: string): (cell: string) => readonly string[] {
  const stem = (name: string): string => name.replace(/\.[^./]*$/, '');
  const index = new Map<string, string[]>();
  const add = (key: string, name: string): void => {
    const known = index.get(key);
    if (known === undefined) index.set(key, [name]);
    else if (!known.includes(name)) known.push(name);
  };
  for (const name of files) {
    add(name, name);
    add(`stem ${stem(name)}`, name);
  }
  for (const name of files) {
    const base = path.posix.basename(name);
    add(`name ${base}`, name);
    add(`name stem ${stem(base)}`, name);
  }
  return (cell) => {
    const parts = cell
      .replaceAll('\\', '/')
      .split('/')
      .filter((part) => part !== '' && part !== '.');
    for (let from = 0; from < parts.length; from++) {
      // The bare name of a path that leads to another folder would be another picture.
      if (from > 0 && from === parts.length - 1 && parts[from - 1] !== folder) break;
      const rest = parts.slice(from).join('/');
      const found = index.get(rest) ?? index.get(`stem ${rest}`);
      if (found) return found;
    }
    if (parts.length !== 1) return [];
    return index.get(`name ${parts[0]}`) ?? index.get(`name stem ${parts[0]}`) ?? [];
  };
}
