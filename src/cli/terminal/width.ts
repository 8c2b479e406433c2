/**
 * How wide text for people may be, and how it is broken to fit. Nothing else asks a stream for its columns.
 *
 * A terminal has the columns it reports at that moment, so a resize counts from the next line on. One that reports none
 * (0: some containers and serial lines) has those of the variable COLUMNS, else 80. A pipe or a file has no width: it
 * gets every line whole and every table complete, whatever COLUMNS says.
 */
import { asInstalled } from '../../base/shell';
import { oneLine, printable } from '../../base/text';
import { currentFolder, homeFolder } from '../../base/folders';

/** Columns of stdout for results, of stderr for progress, notes and errors. Infinity when it is not a terminal. */
export function columnsOf(stream: NodeJS.WriteStream): number {
  if (!stream.isTTY) return Infinity;
  if (stream.columns > 0) return stream.columns;
  const { COLUMNS = '' } = process.env;
  return /^[1-9]\d{0,4}$/.test(COLUMNS) ? Number(COLUMNS) : 80;
}

/** East Asian wide and fullwidth characters, and emoji: two cells each. */
const WIDE =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation})/u;

/** Made when it is needed: that takes milliseconds. */
let segmenter: Intl.Segmenter | undefined;

/** How many cells of a terminal this text takes. */
export function cells(text: string): number {
  if (/^[\0-\x7f]*$/.test(text)) return text.length;
  segmenter ??= new Intl.Segmenter();
  let count = 0;
  for (const { segment } of segmenter.segment(text)) count += WIDE.test(segment) ? 2 : 1;
  return count;
}

/** A space where no line is broken, until fit() makes it one. No path and no argument can hold this character. */
const FIRM = '\0';

/** A path, a command or another text to copy: it stays in one piece, on a line of its own when need be. */
export const unbroken = (text: string): string => oneLine(text).replaceAll(' ', FIRM);

/** Text as it is printed: broken by wrap() to the columns there are, and nothing in it commands the terminal. */
export const fit = (text: string, columns: number): string => printable(wrap(text, columns).replaceAll(FIRM, ' '));

/** Marks the paths that this process was given or stands in, and those in quotes. */
function withPathsUnbroken(text: string): string {
  return [...process.argv.slice(2), homeFolder(), currentFolder()]
    .filter((place) => place !== undefined && place.includes(' '))
    .reduce<string>((marked, place) => marked.replaceAll(place!, unbroken), text)
    .replace(/"[^"\n]*[/\\][^"\n]*"/g, unbroken);
}

/**
 * Breaks lines between words, to at most `columns`. `first` stands before the text; later lines are indented as far.
 * A word that is too long for what the indent leaves is indented less, and is never cut; a path that this process was
 * given or stands in counts as one word, and so does one in quotes. Without `first`, a line that starts with a space is
 * something to copy, or the row of a table: it is left whole, but a command continues behind the shell's backslash, so
 * that it can be copied all the same.
 */
export function wrap(text: string, columns: number, first = ''): string {
  const installed = asInstalled(text);
  if (columns === Infinity) return first + installed;
  const hang = cells(first);
  const broken = withPathsUnbroken(installed)
    .split('\n')
    .map((line, i) => {
      const lead = i === 0 ? first : ' '.repeat(hang);
      if (cells(lead + line) <= columns) return lead + line;
      if (hang === 0 && line.startsWith(' ')) return COMMAND.test(line) ? breakCommand(line, columns) : line;
      return breakLine(line.split(' '), columns, lead, hang);
    });
  return broken.join('\n');
}

/** A line of its own with one of our commands. A shell of Windows knows no such continuation. */
const COMMAND = process.platform === 'win32' ? /^(?!)/ : /^ +(?:\w+=\S+ )?(?:(?:npx|yarn) )?chestmnist /;

function breakCommand(line: string, columns: number): string {
  const [indent] = /^ */.exec(line)!;
  const words = line
    .trim()
    .replace(/"[^"]*"|'[^']*'/g, unbroken)
    .split(' ');
  return breakLine(words, columns - ' \\'.length, indent, indent.length + 4).replaceAll('\n', ' \\\n');
}

function breakLine(words: readonly string[], columns: number, lead: string, hang: number): string {
  const lines: string[] = [];
  const start = (word: string): string => ' '.repeat(Math.max(0, Math.min(hang, columns - cells(word)))) + word;
  let line = lead;
  for (const [i, word] of words.entries()) {
    const longer = i === 0 ? line + word : `${line} ${word}`;
    if (cells(longer) <= columns) line = longer;
    else {
      if (line.trim() !== '') lines.push(line.trimEnd());
      line = start(word);
    }
  }
  return [...lines, line.trimEnd()].join('\n');
}

/** Something of a row that may be left out. */
export interface Optional {
  /** Cells to set aside for it. */
  room: number;
  /** What goes first when the row is too long has 1, the next 2; what has none always stays. */
  goes?: number;
}

/** What is kept of a row that has `columns`, with `gap` cells between its parts. */
export function keepWhatFits<T extends Optional>(parts: readonly T[], gap: number, columns: number): T[] {
  const kept = [...parts];
  const order = parts.filter(({ goes }) => goes !== undefined).sort((a, b) => a.goes! - b.goes!);
  const length = (): number => kept.reduce((sum, { room }) => sum + room + gap, -gap);
  for (const part of order) {
    if (length() <= columns) break;
    kept.splice(kept.indexOf(part), 1);
  }
  return kept;
}

/**
 * The help of a command in this width. Commander breaks descriptions where 40 columns are left for them. In a list that
 * is still too long, and in the examples, what follows two spaces (a description, a remark) moves to lines of its own
 * below. Lines of prose that follow each other are one paragraph.
 */
export function wrapHelp(text: string, columns: number): string {
  const tooLong = (line: string): boolean => cells(line) > columns;
  if (!text.split('\n').some(tooLong)) return text;
  const paragraphs = text.replace(/(?<=^\S.*[^:\n])\n(?=\S)/gm, ' ');
  return paragraphs.replace(/^.+(?:\n {2}.+)*/gm, (block) => {
    const lines = block.split('\n');
    if (!lines.some(tooLong)) return block;
    return lines
      .map((line) => {
        const [, head, tail] = /^(\s+\S.*?) {2,}(\S.*)$/.exec(line) ?? [];
        return tail ? `${wrap(head, columns)}\n${wrap(tail, columns, '      ')}` : wrap(line, columns);
      })
      .join('\n');
  });
}
