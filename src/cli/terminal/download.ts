/**
 * How a download, or other work on something countable, is watched: a bar on a terminal, a line for each tenth elsewhere,
 * nothing with --quiet. Not here: the download (base/download.ts), the work.
 */
import type { Cli } from '../context';
import { canDraw, openBars } from './bars';

export interface Download {
  /** Bytes so far, and in all where that is known. */
  update: (done: number, total?: number) => void;
  note(text: string): void;
  end(): void;
}

/** What is counted: its unit, and how much of it is one. */
export interface Unit {
  readonly name: string;
  readonly of: (amount: number) => number;
}

const MEGABYTES: Unit = { name: 'MB', of: (bytes) => Math.round(bytes / 1e5) / 10 };

export function watchDownload(cli: Cli, file: string, unit = MEGABYTES): Download {
  if (canDraw() && !cli.quiet) {
    const bars = openBars();
    const bar = bars.add();
    let started = false;
    return {
      update(done, total) {
        if (!started) bar.start(file, total ?? done, done);
        started = true;
        bar.setTotal(total ?? done);
        const size = total === undefined ? '' : ` of ${unit.of(total)}`;
        const text = `${unit.of(done)}${size} ${unit.name}`;
        bar.update(done, [{ text, room: 19 }]);
      },
      note: (text) => bars.note(text),
      end: () => bars.end(),
    };
  }
  let tenth = -1;
  return {
    update(done, total) {
      const now = total ? Math.floor((10 * done) / total) : Math.floor(done / 1e7);
      if (now <= tenth) return;
      tenth = now;
      cli.say(`${file}  ${unit.of(done)} of ${total ? `${unit.of(total)} ${unit.name}` : 'unknown size'}`);
    },
    note: (text) => cli.say(text),
    end: () => undefined,
  };
}
