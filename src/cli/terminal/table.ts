/**
 * Aligned columns that fit the terminal. What does not fit is left out by column, in the order that the columns state,
 * and a name too long for the first column stands on a line of its own, its figures below. Nothing is cut.
 */
import { oneLine } from '../../base/text';
import { cells, keepWhatFits } from './width';

export interface Column {
  title: string;
  cells: readonly string[];
  /** Text is aligned to the left, figures to the right. The first column is always text. */
  text?: true;
  /** What it is called when it is left out; by default its title. */
  name?: string;
  /** The column with 1 is left out first, then 2; one without a number never is. */
  goes?: number;
}

export interface Table {
  text: string;
  /** Names of the columns that did not fit. */
  leftOut: string[];
}

const GAP = 2;
/** Names longer than this do not push a column of figures out. */
const NAME = 24;

export function table(columns: readonly Column[], width = Infinity): Table {
  const sized = columns.map((column) => {
    const inRows = column.cells.map((cell) => oneLine(cell));
    return { ...column, cells: inRows, room: Math.max(cells(column.title), ...inRows.map(cells)) };
  });
  const [name] = sized;
  const longest = name.room;
  Object.assign(name, { text: true, room: Math.min(longest, NAME) });
  const kept = keepWhatFits(sized, GAP, width);
  const figures = kept.slice(1);
  // The names have what the figures leave, at the worst nothing: then each is on a line of its own.
  name.room = Math.max(0, Math.min(longest, width - figures.reduce((sum, { room }) => sum + GAP + room, 0)));
  const row = (cell: (column: Column) => string): string => {
    const values = figures.map((column) => ' '.repeat(GAP) + padded(cell(column), column)).join('');
    if (cells(cell(name)) <= name.room) return (padded(cell(name), name) + values).trimEnd();
    return `${cell(name)}\n${(' '.repeat(name.room) + values).trimEnd()}`;
  };
  return {
    text: [row(({ title }) => title), ...name.cells.map((_, i) => row((column) => column.cells[i]))].join('\n'),
    leftOut: sized.filter((column) => !kept.includes(column)).map(({ name, title }) => name ?? title),
  };
}

/** Names what did not fit, after an empty line; nothing when all did. */
export function missing(...tables: readonly Table[]): string[] {
  const names = tables.flatMap(({ leftOut }) => leftOut);
  return names.length > 0
    ? ['', `Left out in this width: ${names.join(', ')}. A pipe and --json have everything.`]
    : [];
}

function padded(cell: string, column: { room: number; text?: true }): string {
  const blank = ' '.repeat(Math.max(0, column.room - cells(cell)));
  return column.text ? cell + blank : blank + cell;
}
