/**
 * Bars at the foot of the terminal, on stderr, and the lines that appear above them. cli-progress times and counts; the
 * layout is here. Not here: what the bars of a training show (progress.ts).
 *
 * Between two drawings the cursor rests where the first bar starts and the terminal breaks lines as always. So a line
 * above the bars, a resize (which moves the text that is there), Ctrl-Z and a crash all find a terminal in order: what
 * is below the cursor is cleared, and the bars are drawn in the width of the moment.
 */
import { MultiBar, type Options, type Params } from 'cli-progress';
import { duration } from './duration';
import { columnsOf, fit, keepWhatFits, type Optional } from './width';

/** A piece of text behind a bar. */
export interface Part extends Optional {
  text: string;
}

export interface Bar {
  /** Begins, or begins again with another text before the bar: times count from here. */
  start(title: string, total: number, done?: number): void;
  update(done: number, parts?: readonly Part[]): void;
  setTotal(total: number): void;
}

export interface Bars {
  add(): Bar;
  /** A line above the bars, broken to the width. */
  note(text: string): void;
  /** Takes the bars away. Idempotent. */
  end(): void;
}

interface Payload {
  title: string;
  parts: readonly Part[];
}

const CLEAR_BELOW = '\x1b[J';
/** Without line wrap, a bar drawn in the instant of a resize stays one row. */
const [WRAP_OFF, WRAP_ON] = ['\x1b[?7l', '\x1b[?7h'];

/** Terminals that cannot move the cursor, or not by the sequences of ANSI. */
const STILL = /^(?:dumb|emacs|unknown|network|dialup|switch|lpr|print|paper|tty|glass|vt5\d?$|vt05)/i;

/** True where bars can be drawn: a terminal that moves its cursor. One without a name is not trusted to; Windows' is. */
export function canDraw(): boolean {
  const { TERM = process.platform === 'win32' ? 'windows' : '' } = process.env;
  return process.stderr.isTTY && TERM !== '' && !STILL.test(TERM);
}

export function openBars(): Bars {
  const { stderr } = process;
  const multi = new MultiBar({
    stream: stderr,
    clearOnComplete: true,
    gracefulExit: false, // signals are the verb's own
    linewrap: true, // leaves the terminal's mode alone: it is switched per drawing, below
    etaBuffer: 100,
    forceRedraw: true, // a bar whose text is the same may have been cleared
    format: draw,
  });
  // cli-progress remembers how many rows the cursor is below the first bar, and goes back before it draws.
  const { terminal } = multi as unknown as { terminal: { cursorRelativeReset(): void } };
  multi.on('redraw-pre', () => stderr.write(WRAP_OFF));
  multi.on('redraw-post', () => {
    terminal.cursorRelativeReset();
    stderr.write(WRAP_ON);
  });
  const write = (text: string): void => {
    if (!multi.isActive) return void stderr.write(text);
    stderr.write(`\r${CLEAR_BELOW}${text}`);
    multi.update();
  };
  const resize = (): void => write('');
  const end = (): void => {
    if (multi.isActive) multi.stop();
    stderr.off('resize', resize);
    process.off('exit', end);
  };
  stderr.on('resize', resize);
  process.once('exit', end);
  return {
    add() {
      const payload: Payload = { title: '', parts: [] };
      let bar: ReturnType<MultiBar['create']> | undefined;
      return {
        start(title, total, done = 0) {
          Object.assign(payload, { title, parts: [] });
          if (bar) bar.start(total, done, payload);
          else bar = multi.create(total, done, payload);
        },
        update(done, parts = []) {
          payload.parts = parts;
          bar?.update(done);
        },
        setTotal: (total) => bar?.setTotal(total),
      };
    },
    note: (text) => write(`${fit(text, columnsOf(stderr))}\n`),
    end,
  };
}

/** `epochs ####---- 3/100 | cpu | ETA 2m05s` */
function draw(_options: Options, { progress, eta }: Params, { title, parts }: Payload): string {
  const columns = columnsOf(process.stderr);
  // Short on purpose: when a terminal of xterm.js gets narrower, each bar below the cursor that is then too long
  // would leave a row behind.
  const size = columns < 50 ? 8 : columns < 80 ? 12 : 16;
  const done = Math.round(progress * size);
  const lead = `${title} ${'#'.repeat(done)}${'-'.repeat(size - done)} `;
  const all = [...parts, { text: `ETA ${duration(eta)}`, room: 'ETA 23h59m'.length }];
  const kept = keepWhatFits(all, ' | '.length, columns - lead.length);
  return lead + kept.map(({ text }) => text).join(' | ');
}
