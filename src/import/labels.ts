/** The labels of rows: names in the order of the columns, and a vector of 0 and 1 or a class for each row. */
import { ChestMnistError } from '../base/errors';
import { isPrintable } from '../base/text';
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

/** NIH's words for an image without findings. */
const NONE = /^no[ _]?findings?$/i;
/** A class is stored in a byte. */
const MOST_CLASSES = 255;

/** Throws ERR_DATA_SHAPE for what is no label. */
export function labelsOf(table: Table, { kind, columns }: LabelColumns, policy: Uncertain): Labels {
  const [first] = columns;
  if (kind === 'flags') return flags(table, columns, policy);
  const cells = table.rows.map((row) => row.cells[first]);
  const empty = table.rows.find((row) => row.cells[first] === '');
  if (empty !== undefined) throw noLabel(table, empty.line, table.columns[first], '', 'a label in each row');
  if (kind === 'class') {
    const names = checkNames(table.file, classesOf(cells));
    return { kind, names, values: cells.map((cell) => Uint8Array.of(names.indexOf(cell))), uncertain: 0 };
  }
  const lists = cells.map((cell) => cell.split('|').map((name) => name.trim()));
  const mixed = lists.findIndex((list) => list.includes('') || (list.length > 1 && list.some((n) => NONE.test(n))));
  if (mixed >= 0) {
    const needed = 'labels with | between them, or No Finding alone';
    throw noLabel(table, table.rows[mixed].line, table.columns[first], cells[mixed], needed);
  }
  const names = checkNames(table.file, [...new Set(lists.flat())].filter((name) => !NONE.test(name)).sort());
  if (names.length === 0)
    throw noLabel(table, table.rows[0].line, table.columns[first], cells[0], 'a finding somewhere');
  return {
    kind,
    names,
    values: lists.map((list) => Uint8Array.from(names, (n) => Number(list.includes(n)))),
    uncertain: 0,
  };
}

/** Names in order, numbers by their value. */
export function classesOf(cells: readonly string[]): string[] {
  const names = [...new Set(cells)];
  return names.every((name) => /^\d+$/.test(name)) ? names.sort((a, b) => Number(a) - Number(b)) : names.sort();
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
    found: `${file}, line ${line}, ${column}: ${JSON.stringify(cell)}`,
    needed,
    next: 'correct the table, or name other columns with --labels COLUMN,COLUMN',
  });

/** Names that --label-names, tables and terminals can hold. */
export function checkNames(file: string, names: string[]): string[] {
  const odd = names.find((name) => name === '' || name.includes(',') || !isPrintable(name));
  if (odd === undefined && names.length <= MOST_CLASSES) return names;
  throw new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${file}: ${odd === undefined ? `${names.length} different labels` : `the label ${JSON.stringify(odd)}`}`,
    needed: `at most ${MOST_CLASSES} names without commas and control characters`,
    next: 'correct the names, or name other columns with --labels COLUMN,COLUMN',
  });
}
