/**
 * A table of text as rows of named cells: commas, semicolons or tabs, quotes, Excel's `sep=;` line and its `="text"`.
 * Parsing is csv-parse's. Not here: what the columns mean (columns.ts).
 */
import { ChestMnistError } from '../base/errors';
import { readText } from '../base/atomic';
import { oneLine } from '../base/text';

export interface Row {
  /** As an editor counts them, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

export interface Table {
  readonly file: string;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

const refusal = (file: string, what: string, needed = 'a table with one header line', cause?: unknown) =>
  new ChestMnistError(
    'ERR_DATA_CORRUPT',
    { found: `${file} ${what}`, needed, next: 'export the table again as CSV in UTF-8' },
    { cause },
  );

/** Throws ERR_DATA_MISSING or ERR_DATA_CORRUPT. */
export async function readTable(file: string): Promise<Table> {
  const given = await readText(file, (what, cause) => refusal(file, what, 'CSV text', cause));
  if (given === undefined) {
    throw new ChestMnistError('ERR_DATA_MISSING', {
      found: `${file} does not exist`,
      needed: 'the table as CSV',
      next: 'check the path',
    });
  }
  const [, stated] = /^sep=(.)\r?\n/i.exec(given) ?? [];
  const text = stated === undefined ? given : given.replace(/^[^\n]*\n/, '');
  if (/^\s*<(?:!doctype|html|\?xml)/i.test(text)) throw refusal(file, 'is an HTML page, perhaps that of an error');
  const delimiter = stated ?? delimiterOf(text);
  const { parse } = await import('csv-parse/sync');
  let parsed: { info: { lines: number }; record: string[] }[];
  try {
    parsed = parse(text, {
      delimiter,
      info: true,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as typeof parsed;
  } catch (cause) {
    throw refusal(
      file,
      `is not CSV (${oneLine((cause as Error).message.slice(0, 200))})`,
      'CSV with every quote closed',
      cause,
    );
  }
  const shift = stated === undefined ? 0 : 1;
  const rows = parsed.map(({ info, record }) => ({ line: info.lines + shift, cells: record.map(plain) }));
  const header = rows.shift();
  if (header === undefined || rows.length === 0) throw refusal(file, 'has no rows');
  const columns = [...header.cells];
  while (columns.at(-1) === '') columns.pop();
  const twice = columns.find((name, i) => name !== '' && columns.indexOf(name) !== i);
  if (twice !== undefined)
    throw refusal(file, `has the column ${JSON.stringify(twice.slice(0, 60))} twice`, 'each name once');
  for (const { line, cells } of rows) {
    if (cells.length < columns.length || cells.slice(columns.length).some((cell) => cell !== ''))
      throw refusal(file, `has ${cells.length} cells in line ${line} and ${columns.length} columns`, 'one per column');
  }
  return { file, columns, rows };
}

/** Of the header: the most frequent outside quotes. */
function delimiterOf(text: string): string {
  const header = /^(?:"[^"]*"|[^"\r\n])*/.exec(text)![0].replace(/"[^"]*"/g, '');
  const count = (character: string): number => header.split(character).length - 1;
  return [',', ';', '\t'].reduce((best, next) => (count(next) > count(best) ? next : best));
}

/** Excel keeps the zeros of `="00012"`. */
const plain = (cell: string): string => /^="(.*)"$/s.exec(cell)?.[1] ?? cell;
