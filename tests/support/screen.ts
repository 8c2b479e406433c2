/**
 * A program in a pseudo-terminal, and the screen a person sees: `script` makes the terminal, xterm.js (the terminal of
 * VS Code, without a window) draws what arrives. Not for streams apart: see chestmnist.ts.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Terminal } from '@xterm/headless';

/** False where there is no `script`, as on Windows. */
export const HAS_PTY = process.platform !== 'win32' && spawnSync('script', ['--version']).error === undefined;

export interface Row {
  text: string;
  /** True when the terminal itself broke the line before this row. */
  wrapped: boolean;
}

export interface Shown {
  code: number | null;
  /** What was on the screen at the end, what scrolled away included; empty rows at the end are left out. */
  rows: Row[];
  /** The same after each drawing of bars, while the program ran. */
  frames: Row[][];
  /** Every byte that reached the terminal. */
  output: string;
}

export interface Setting {
  /** As the terminal reports them; 0 gives a screen of 80. */
  columns: number;
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  /** Once `when` is on the screen, the terminal gets that many columns. `file` is for the terminal's name. */
  resize?: { when: RegExp; columns: number; file: string };
}

/** A drawing of bars ends by switching line wrap on. */
const END_OF_DRAWING = '\x1b[?7h';
const ROWS = 30;

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** Runs node with these arguments until it ends. */
export async function inTerminal(args: readonly string[], setting: Setting): Promise<Shown> {
  const { columns, cwd, env, resize } = setting;
  const screen = new Terminal({ cols: columns || 80, rows: ROWS, scrollback: 1000, allowProposedApi: true });
  const variables = Object.entries({ TERM: 'xterm-256color', ...env }).map(([name, value]) => `${name}=${value}`);
  const command = [
    `stty cols ${columns} rows ${ROWS}`,
    ...(resize ? [`tty > ${quote(resize.file)}`] : []),
    // Here, since a shell sets COLUMNS itself.
    `exec ${['env', '-u', 'COLUMNS', ...variables, process.execPath, ...args].map(quote).join(' ')}`,
  ].join(' && ');
  const bsd = process.platform === 'darwin';
  // Its input stays open: at the end of it `script` would type an end of file.
  const child = spawn('script', bsd ? ['-q', '/dev/null', 'sh', '-c', command] : ['-qefc', command, '/dev/null'], {
    cwd,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const closed = new Promise<number | null>((done) => child.on('close', done));
  child.stdout.setEncoding('utf8');
  const shown: Omit<Shown, 'code' | 'rows'> & { output: string } = { frames: [], output: '' };
  let resized = false;
  for await (const chunk of child.stdout as AsyncIterable<string>) {
    shown.output += chunk;
    for (const piece of chunk.split(/(?<=\x1b\[\?7h)/)) {
      await new Promise<void>((done) => screen.write(piece, done));
      if (!piece.endsWith(END_OF_DRAWING)) continue;
      const rows = rowsOf(screen);
      shown.frames.push(rows);
      if (resize && !resized && rows.some(({ text }) => resize.when.test(text))) {
        resized = true;
        screen.resize(resize.columns, ROWS);
        const tty = readFileSync(resize.file, 'utf8').trim();
        execFileSync('sh', ['-c', `stty cols ${resize.columns} < ${quote(tty)}`]);
      }
    }
  }
  const rows = rowsOf(screen);
  screen.dispose();
  return { code: await closed, rows, ...shown };
}

function rowsOf(screen: Terminal): Row[] {
  const { active } = screen.buffer;
  const rows = Array.from({ length: active.length }, (_, y) => {
    const line = active.getLine(y)!;
    return { text: line.translateToString(true), wrapped: line.isWrapped };
  });
  return rows.slice(0, rows.findLastIndex(({ text }) => text !== '') + 1);
}

/** The lines that were written: rows that the terminal broke are joined. */
export function linesOf(rows: readonly Row[]): string[] {
  const lines: string[] = [];
  for (const { text, wrapped } of rows) {
    if (wrapped) lines.push(`${lines.pop() ?? ''}${text}`);
    else lines.push(text);
  }
  return lines;
}

/** The lines that the terminal had to break. */
export function brokenLines(rows: readonly Row[]): string[] {
  return linesOf(rows).filter((_, i, lines) => {
    const starts = rows.flatMap(({ wrapped }, row) => (wrapped ? [] : [row]));
    return (starts[i + 1] ?? rows.length) - starts[i] > 1 && lines[i] !== '';
  });
}
