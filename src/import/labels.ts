/** The labels of rows: names in the order of the columns, and a vector of 0 and 1 or a class for each row. */
import { ChestMnistError } from '../base/errors';
import { isPrintable, listed } from '../base/text';
import { FLAG, type LabelColumns } from './columns';
import type { Table } from './csv';
import type { Uncertain } from './options';

export interface Labels {
  readonly kind: LabelColumns['kind'];
  readonly names: readonly string[];
  /** For each row what is stored: 0 and 1 per label, or one class number; undefined for a row to leave out. */
  readonly values: readonly (Uint8Array | undefined)[];
  /** Cells of -1. */
  readonly uncertain: number;
}

/** Words for an image without findings, in a list of them. */
const NONE = /^(?:no[ _-]?findings?|none|normal)$/i;
/** The class of no finding is the first, so that of two the second is what is looked for. */
const FIRST = /^(?:no[ _-]?findings?|none|normal|healthy|negative|absent|benign|control)$/i;
/** A class is stored in a byte. */
const MOST_CLASSES = 255;

/** Throws ERR_DATA_SHAPE for what is no label. */
export function labelsOf(table: Table, found: LabelColumns, policy: Uncertain): Labels {
  const { kind, columns } = found;
  const [first] = columns;
  if (kind === 'flags') return flags(table, columns, policy);
  const cells = table.rows.map((row) => row.cells[first]);
  const empty = table.rows.find((row) => row.cells[first] === '');
  if (empty !== undefined) throw noLabel(table, empty.line, table.columns[first], '', 'a label in each row');
  if (kind === 'class') {
    const names = classesOf(table.file, cells, found.names);
    return { kind, names, values: cells.map((cell) => Uint8Array.of(names.indexOf(cell))), uncertain: 0 };
  }
  const lists = cells.map((cell) => cell.split('|').map((name) => name.trim()));
  const mixed = lists.findIndex((list) => list.includes('') || (list.length > 1 && list.some((n) => NONE.test(n))));
  if (mixed >= 0) {
    const needed = 'labels with | between them, or No Finding alone';
    throw noLabel(table, table.rows[mixed].line, table.columns[first], cells[mixed], needed);
  }
  const known = [...new Set(lists.flat())].filter((name) => !NONE.test(name)).sort();
  if (known.length === 0)
    throw noLabel(table, table.rows[0].line, table.columns[first], cells[0], 'a finding somewhere');
  const names = checkNames(table.file, found.names ?? known);
  const absent = names.find((name) => !known.includes(name));
  if (absent !== undefined) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--labels ${absent}: ${table.file} has no such label`,
      needed: `some of ${listed(known.slice(0, 30))}`,
      next: 'correct --labels',
    });
  }
  return {
    kind,
    names,
    values: lists.map((list) => Uint8Array.from(names, (n) => Number(list.includes(n)))),
    uncertain: 0,
  };
}

/** Numbers by their value, names by code units. */
const sorted = (names: string[]): string[] =>
  names.every((name) => /^\d+$/.test(name)) ? names.sort((a, b) => Number(a) - Number(b)) : names.sort();

/** The classes of a table or a folder in order, which may be `asked` for. Throws ERR_DATA_SHAPE, ERR_CONFIG. */
export function classesOf(file: string, cells: readonly string[], asked?: readonly string[]): readonly string[] {
  const found = [...new Set(cells)];
  const [first, rest] = [true, false].map((is) => sorted(found.filter((name) => FIRST.test(name) === is)));
  const names = asked ?? [...first, ...rest];
  const other = found.find((name) => !names.includes(name));
  if (other !== undefined) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--labels ${names.join(',')}: ${file} has also the class ${JSON.stringify(other.slice(0, 60))}`,
      needed: 'all classes, in the order that they are to have',
      next: 'correct --labels, or leave it out',
    });
  }
  if (names.length > 1) return checkNames(file, names);
  throw new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${file} has one class, ${JSON.stringify(names[0].slice(0, 60))}`,
    needed: 'at least two classes',
    next: 'add pictures of another, or name columns of labels with --labels COLUMN,COLUMN',
  });
}

function flags(table: Table, columns: readonly number[], policy: Uncertain): Labels {
  let uncertain = 0;
  const values = table.rows.map(({ line, cells }) => {
    const row = new Uint8Array(columns.length);
    let isDropped = false;
    columns.forEach((column, i) => {
      const cell = cells[column];
      if (!FLAG.test(cell)) throw noLabel(table, line, table.columns[column], cell, '1, 0, -1 (uncertain) or nothing');
      const value = /^true$/i.test(cell) ? 1 : Number(cell) || 0;
      if (value === -1) uncertain++;
      if (value === -1 && policy === 'drop') isDropped = true;
      row[i] = value === -1 ? Number(policy === 'one') : value;
    });
    return isDropped ? undefined : row;
  });
  return {
    kind: 'flags',
    names: checkNames(
      table.file,
      columns.map((column) => table.columns[column]),
    ),
    values,
    uncertain,
  };
}

const noLabel = ({ file }: Table, line: number, column: string, cell: string, needed: string): ChestMnistError =>
  new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${file}, line ${line}, ${column.slice(0, 60)}: ${JSON.stringify(cell.slice(0, 60))}`,
    needed,
    next: 'correct the table, or name other columns with --labels COLUMN,COLUMN',
  });

/** Names that --label-names, tables and terminals can hold. */
function checkNames(file: string, names: readonly string[]): readonly string[] {
  const odd = names
    .slice(0, MOST_CLASSES)
    .find((name, i) => name === '' || name.includes(',') || !isPrintable(name) || names.indexOf(name) < i);
  if (odd === undefined && names.length <= MOST_CLASSES) return names;
  throw new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${file}: ${odd === undefined ? `${names.length} different labels` : `the label ${JSON.stringify(odd.slice(0, 60))}`}`,
    needed: `at most ${MOST_CLASSES} different names without commas and control characters`,
    next: 'correct the names, or name other columns with --labels COLUMN,COLUMN',
  });
}
