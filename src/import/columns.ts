/**
 * Which columns of a table say what: the image, its labels, its patient, its split. Found by name, or as the user names
 * them; what could be two things is asked about. Not here: the text of a table (csv.ts), the values of labels (labels.ts).
 */
import { ChestMnistError } from '../base/errors';
import { nearest } from '../base/nearest';
import { listed } from '../base/text';
import type { Table } from './csv';

export interface Columns {
  readonly image: ImageColumn;
  readonly labels: LabelColumns;
  /** `path`: the folder of the patient in the path of the image, as in CheXpert. */
  readonly group: number | 'path' | undefined;
  readonly split: number | undefined;
  /** Columns that are not used. */
  readonly others: readonly string[];
}

/** The column that says which pictures a row is about: its file, or the study whose folder they lie in, as in MIMIC-CXR. */
export interface ImageColumn {
  readonly at: number;
  readonly by: 'file' | 'study';
}

/** One column of 0 and 1 per label, one of names with `|` between them, or one that names a class. */
export type LabelColumns =
  | { readonly kind: 'flags'; readonly columns: readonly number[] }
  /** `names`: the labels to take, or all classes in their order, as the user names them. */
  | { readonly kind: 'list' | 'class'; readonly columns: readonly [number]; readonly names?: readonly string[] };

export interface Named {
  readonly image?: string;
  readonly labels?: readonly string[];
  readonly group?: string;
  /** The name of a column. */
  readonly split?: string;
}

const key = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

const IMAGE = words('imageindex image imagepath imagefile imagename imageid path filepath file filename dicomid');
const GROUP = words('patientid patient patientnumber subjectid subject ptid personid');
const STUDY = words('studyid study');
const SPLIT = words('split subset partition');
const LIST = words('findinglabels findings finding');
const CLASS = words('label labels class classname diagnosis category target dx');
/** Facts of a patient or a picture: never labels, though they may be 0 and 1. */
const FACTS =
  /^(?:|unnamed\d*|index|row|rownumber|age.*|.*age|sex|gender|patient.*|study.*|series.*|subject.*|followup.*|fold|view.*|frontal.*|appa|width|height|rows|columns|date|time|.*date|.*time|weight)$/;

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(' '));
}

/** What a cell of a column of flags holds. */
export const FLAG = /^(?:[01](?:\.0*)?|-1(?:\.0*)?|true|false|nan|)$/i;

/** Throws ERR_DATA_SHAPE where a column is missing or several could be meant, ERR_CONFIG for a name that is no column. */
export function findColumns(table: Table, named: Named): Columns {
  const { columns } = table;
  const image = findImage(table, named.image);
  const group = find(table, '--group', named.group, GROUP);
  const split = findSplit(table, named.split);
  const taken = [image.at, group, split];
  const labels = named.labels === undefined ? labelColumns(table, taken) : namedLabels(table, named.labels, taken);
  const used = new Set<number | undefined>([...taken, ...labels.columns]);
  const isInPath = table.rows.every(({ cells }) => patientIn(cells[image.at]) !== undefined);
  return {
    image,
    labels,
    group: group ?? (isInPath ? 'path' : undefined),
    split,
    others: columns.filter((name, i) => name !== '' && !used.has(i)),
  };
}

/** Throws as findColumns. */
export function findImage(table: Table, name?: string): ImageColumn {
  const at = find(table, '--image', name, IMAGE);
  if (at !== undefined) return { at, by: STUDY.has(key(table.columns[at])) ? 'study' : 'file' };
  const looks = (cell: string): boolean => /\.(?:png|jpe?g|jfif|tiff?|webp|dcm|dicom|npy)$/i.test(cell);
  const found = table.columns.flatMap((_, i) => (table.rows.every(({ cells }) => looks(cells[i])) ? [i] : []));
  if (found.length === 1) return { at: found[0], by: 'file' };
  const study = find(table, '--image', undefined, STUDY);
  if (study !== undefined) return { at: study, by: 'study' };
  throw unclear(table, `no column is known to name the images among ${few(table.columns)}`, '--image COLUMN');
}

/** Throws as findColumns. */
export const findSplit = (table: Table, name?: string): number | undefined => find(table, '--split', name, SPLIT);

/** Whether a table has a column of that name, but for case and signs. */
export const hasColumn = ({ columns }: Table, name: string): boolean =>
  columns.some((column) => key(column) === key(name));

/** The column that the user names, or the only one that is called so. */
function find(table: Table, flag: string, name: string | undefined, words: ReadonlySet<string>): number | undefined {
  if (name !== undefined) return at(table, flag, name);
  const found = table.columns.flatMap((column, i) => (words.has(key(column)) ? [i] : []));
  if (found.length > 1) throw unclear(table, `${few(found.map((i) => table.columns[i]))} may be meant`, flag);
  return found[0];
}

function at({ file, columns }: Table, flag: string, name: string): number {
  const exact = columns.indexOf(name);
  const index = exact >= 0 ? exact : columns.findIndex((column) => key(column) === key(name));
  if (index >= 0) return index;
  const near = nearest(name, columns);
  throw new ChestMnistError('ERR_CONFIG', {
    found: `${flag} ${name}: ${file} has no such column`,
    needed: near === undefined ? `one of ${few(columns)}` : `perhaps ${near}`,
    next: `correct ${flag}`,
  });
}

/** A damaged table may have thousands, of any length. */
const few = (names: readonly string[]): string => {
  const shown = listed(names.slice(0, 20).map((name) => (name.length > 60 ? `${name.slice(0, 60)}...` : name)));
  return names.length > 20 ? `${shown} and ${names.length - 20} more` : shown;
};

/** `patient00012` of `train/patient00012/study1/view1.jpg`, `p10000032` of MIMIC-CXR's folders. */
export const patientIn = (image: string): string | undefined =>
  /(?:^|[\\/])(patient\d+|p\d{8})[\\/]/i.exec(image)?.[1].toLowerCase();

const unclear = ({ file }: Table, found: string, flag: string): ChestMnistError =>
  new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${file}: ${found}`,
    needed: `to know which is which`,
    next: `name it with ${flag}`,
  });

/** Columns, or names of labels in the one column that holds them. */
function namedLabels(table: Table, names: readonly string[], taken: readonly (number | undefined)[]): LabelColumns {
  const areColumns = names.some((name) => hasColumn(table, name));
  const inside = table.columns.flatMap((name, i) =>
    !taken.includes(i) && (LIST.has(key(name)) || CLASS.has(key(name))) ? [i] : [],
  );
  if (areColumns || inside.length !== 1)
    return kindOf(
      table,
      names.map((name) => at(table, '--labels', name)),
    );
  const found = kindOf(table, inside);
  return found.kind === 'flags'
    ? kindOf(
        table,
        names.map((name) => at(table, '--labels', name)),
      )
    : { ...found, names };
}

function labelColumns(table: Table, taken: readonly (number | undefined)[]): LabelColumns {
  const { columns, rows } = table;
  const free = columns.flatMap((_, i) => (taken.includes(i) ? [] : [i]));
  const list = free.filter((i) => LIST.has(key(columns[i])));
  const single = free.filter((i) => CLASS.has(key(columns[i])));
  const flags = free.filter(
    (i) =>
      !FACTS.test(key(columns[i])) &&
      rows.every(({ cells }) => FLAG.test(cells[i])) &&
      rows.some(({ cells }) => cells[i] !== ''),
  );
  const named = [...list, ...single];
  const others = flags.filter((i) => !named.includes(i));
  if (named.length > 1 || (named.length === 1 && others.length > 0 && list.length === 0)) {
    throw unclear(
      table,
      `the labels may be ${few(named.map((i) => columns[i]))}${others.length > 0 ? ` or ${few(others.map((i) => columns[i]))}` : ''}`,
      '--labels COLUMN,COLUMN',
    );
  }
  if (named.length === 1) return kindOf(table, named);
  if (flags.length > 0) return { kind: 'flags', columns: flags };
  throw new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${table.file}: no label column among ${few(columns)}`,
    needed: 'a column of findings (A|B) or of classes, or columns of 1, 0, -1 or nothing',
    next: 'name them with --labels COLUMN,COLUMN',
  });
}

/** What the named columns hold. */
function kindOf(table: Table, columns: readonly number[]): LabelColumns {
  const [first] = columns;
  const cells = table.rows.map((row) => row.cells[first]);
  if (columns.length > 1 || cells.every((cell) => FLAG.test(cell))) return { kind: 'flags', columns };
  const isList = LIST.has(key(table.columns[first])) || cells.some((cell) => cell.includes('|'));
  return { kind: isList ? 'list' : 'class', columns: [first] };
}
