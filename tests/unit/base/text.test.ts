/** Names that would command a terminal, end a line or run in a spreadsheet. */
import { csvCell } from '../../../src/base/csv';
import { isPrintable, jsonText, listed, oneLine, printable } from '../../../src/base/text';

/** Escapes, C1, bidirectional overrides and marks, line separators, what nobody sees. */
const COMMANDS = [
  '\x1b',
  '\x07',
  '\0',
  '\x7f',
  '\x9b',
  '\u202e',
  '\u2066',
  '\u200f',
  '\u061c',
  '\u2028',
  '\u0085',
  '\ufeff',
];

test.each(COMMANDS)('%j is shown as a question mark, and escaped in JSON', (command) => {
  expect(printable(`a${command}b`)).toBe('a?b');
  expect(oneLine(`a${command}b`, '-')).toBe('a-b');
  expect(isPrintable(`a${command}b`)).toBe(false);
  const json = jsonText({ [`a${command}`]: [command] }, 2);
  expect(json).not.toContain(command);
  expect(JSON.parse(json)).toEqual({ [`a${command}`]: [command] });
});

test('only a text of several lines keeps its lines', () => {
  expect(printable('a\n\tb\r')).toBe('a\n\tb?');
  expect(oneLine('a\n\tb\r')).toBe('a??b?');
  expect(jsonText(['a\nb\u2028'])).toBe('["a\\nb\\u2028"]');
});

test('words of any script, their joiners and emoji stay', () => {
  for (const name of ['肺炎', 'التهاب', 'می\u200cخواهم', '👩\u200d⚕️', 'e\u0301 é'])
    expect([printable(name), isPrintable(name)]).toEqual([name, true]);
});

test('in a list a name with a comma is quoted', () => {
  expect(listed(['a', 'b, c', 'd"e', 'f\ng'])).toBe('a, "b, c", "d\\"e", f?g');
});

test.each(['=HYPERLINK(1)', '+1', '-1', '@SUM(1)', '  =1', '\t=1', '\r=1', '\n', '＝1', '＋1', '－1', '＠x'])(
  '%j gets an apostrophe in CSV',
  (name) => {
    expect(csvCell(name)).toBe(`'${oneLine(name)}`);
  },
);

test.each([
  [0.5, '0.5'],
  [-1, '-1'],
  ['0.500000', '0.500000'],
  ['a.png', 'a.png'],
  ['a=b-c', 'a=b-c'],
  ['a "b", c', '"a ""b"", c"'],
  ['a;=1+1', '"a;=1+1"'],
  ['=a,b', '"\'=a,b"'],
  ['new\nline\x1b[2J', 'new?line?[2J'],
])('%j in CSV: %j', (value, cell) => {
  expect(csvCell(value)).toBe(cell);
});
