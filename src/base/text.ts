/**
 * Text that holds names from elsewhere (files, labels, data sets), made safe for a terminal and for lines of JSON. Not
 * here: words of a command (shell.ts), cells of a spreadsheet (csv.ts).
 */

/**
 * What a terminal would obey instead of showing: control characters, marks that change the direction of text,
 * separators of lines and characters that nobody sees. Joiners stay, since words and emoji need them.
 */
const UNPRINTABLE = /[\0-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Text of several lines; every other character that would command a terminal is replaced. */
export const printable = (text: string): string =>
  text.replace(UNPRINTABLE, (c) => (c === '\n' || c === '\t' ? c : '?'));

/** A name as a part of one line. */
export const oneLine = (name: string, instead = '?'): string => name.replace(UNPRINTABLE, instead);

/** Whether a name holds a character that oneLine replaces. */
export const isPrintable = (name: string): boolean => oneLine(name, '') === name;

/** Names as a list in a sentence; one with a comma is quoted. */
export const listed = (names: readonly string[]): string =>
  names.map((name) => (/[,"]/.test(name) ? JSON.stringify(oneLine(name)) : oneLine(name))).join(', ');

/** JSON of the same value, in which no name can command a terminal or end a line. */
export const jsonText = (value: unknown, indent?: number): string =>
  // Such a character is in a string; the line feeds of the indentation and escaped ones are not among them.
  JSON.stringify(value, null, indent).replace(UNPRINTABLE, (c) =>
    c === '\n' ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
