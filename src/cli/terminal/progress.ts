/**
 * How a run is watched: two bars on a terminal (epochs, and the images of this one) and one line per epoch above them,
 * the lines alone elsewhere, NDJSON with --json. Progress goes to stderr; the run directory goes to stdout as the first
 * line.
 */
import { oneLine } from '../../base/text';
import type { TrainEvent } from '../../train/events';
import type { Cli } from '../context';
import { canDraw, openBars, type Bar, type Part } from './bars';
import { columnsOf, keepWhatFits } from './width';

export interface Progress {
  on(event: TrainEvent): void;
  /** A line for people, above the bars. */
  note(text: string): void;
  /** Clears the bars. Idempotent. */
  end(): void;
}

/** Where the events go is decided by --json, --quiet and whether stderr is a terminal. */
export function showProgress(cli: Cli, { several }: { several: boolean }): Progress {
  if (cli.json) return ndjson(cli);
  // The bars are those of one run.
  const watch = canDraw() && !cli.quiet && !several ? bars() : lines(cli);
  let epochs = 0;
  return {
    ...watch,
    on: (event) => {
      const { member } = event;
      const note = (text: string): void => watch.note(member === undefined ? text : `seed ${member}: ${text}`);
      watch.on(event);
      if (event.type === 'ensemble') {
        process.stdout.write(`${oneLine(event.runDirectory)}\n`);
        watch.note(`an ensemble of ${event.seeds.length} members, seeds ${event.seeds.join(', ')}`);
      }
      if (event.type === 'start') {
        epochs = event.epochs;
        if (member === undefined) process.stdout.write(`${oneLine(event.runDirectory)}\n`);
        const { train, val, test } = event.data.counts;
        note(
          `${event.data.name}, ${event.data.size} px, ${train}/${val}/${test} images; ${event.device}, ${event.threads} threads`,
        );
        if (event.resumed) note(`resumed in epoch ${event.epoch} of ${event.epochs}`);
      }
      if (event.type === 'note') note(event.text);
      if (event.type === 'epoch') note(epochLine(event, epochs));
      if (event.type === 'stop' && member === undefined) {
        watch.end();
        watch.note(
          event.resume === null
            ? 'stopped before the run directory was made: nothing to resume'
            : `stopped in epoch ${event.epoch} after ${event.samples} images; go on with\n  ${event.resume}`,
        );
      }
    },
  };
}

const lines = (cli: Cli): Progress => ({ on: () => {}, note: (text) => cli.say(text), end: () => {} });

/** Events as they are; of progress the first of each pass and one a second. Nothing comes before `start`, so that the first line tells the run directory. */
function ndjson(cli: Cli): Progress {
  let started = false;
  let last = -Infinity;
  let pass = '';
  return {
    on: (event) => {
      started ||= event.type === 'start' || event.type === 'ensemble';
      if (event.type === 'progress') {
        const name = `${event.member} ${event.phase} ${event.epoch}`;
        const same = pass === name;
        if (!started || (same && performance.now() - last < 1000)) return;
        pass = name;
        last = performance.now();
      }
      cli.emit(event);
    },
    note: (text) => cli.say(text),
    end: () => {},
  };
}

/** Left out in this order where the terminal is narrow: of the epochs device, then best AUC; of the images speed, then loss. */
function bars(): Progress {
  let foot = openBars();
  let data: Bar | undefined;
  let whole: Bar | undefined;
  let pass: Bar | undefined;
  let shown = '';
  let images = 1;
  let epochs = 0;
  let device = '';
  let best: number | null = null;
  const overall = (epoch: number): Part[] => [
    { text: `${epoch}/${epochs}`, room: 2 * String(epochs).length + 1 },
    { text: device, room: device.length, goes: 1 },
    ...(best === null ? [] : [{ text: `best AUC ${best.toFixed(4)}`, room: 15, goes: 2 }]),
  ];
  return {
    on: (event) => {
      if (event.type === 'start') {
        // The run directory is printed next, where the bar of the data was.
        foot.end();
        foot = openBars();
        images = event.data.counts.train;
        [device, epochs] = [event.device, event.epochs];
        const done = event.epoch - 1;
        whole = foot.add();
        whole.start('epochs', epochs * images, done * images);
        whole.update(done * images, overall(done));
        pass = foot.add();
        pass.start('train ', images);
      }
      if (event.type === 'epoch') {
        if (event.best) best = event.valAuc;
        whole?.update(event.epoch * images, overall(event.epoch));
      }
      if (event.type !== 'progress') return;
      const { phase, epoch, done, loss, imagesPerSecond = 0 } = event;
      const total = event.total ?? done;
      if (phase === 'data') {
        if (!data) (data = foot.add()).start('data  ', total);
        data.setTotal(total);
        return data.update(done);
      }
      // Begins again where another pass does, so that the ETA is its own.
      if (shown !== `${phase} ${epoch}`) pass?.start(phase.padEnd(6), total);
      shown = `${phase} ${epoch}`;
      pass?.update(done, [
        ...(loss === undefined ? [] : [{ text: `loss ${loss.toFixed(4)}`, room: 11, goes: 2 }]),
        { text: `${Math.round(imagesPerSecond)} img/s`, room: 11, goes: 1 },
      ]);
      if (phase === 'train') whole?.update((epoch - 1) * images + done, overall(epoch));
    },
    note: (text) => foot.note(text),
    end: () => foot.end(),
  };
}

const auc = (value: number | null): string => value?.toFixed(4) ?? 'undefined';

/**
 * One line per epoch. Below 100 columns the names are short. Left out until it fits: images per second, seconds,
 * learning rate, accuracy, training loss, validation loss; epoch, AUC and the mark of the best stay. What is left out
 * depends on the number of epochs and the columns alone, so the lines of a run look the same.
 */
function epochLine(row: Extract<TrainEvent, { type: 'epoch' }>, of: number): string {
  const columns = columnsOf(process.stderr);
  const name = (long: string, short: string): string => (columns < 100 ? short : long);
  const part = (text: string, room: number, goes?: number): Part => ({ text, room, goes });
  const figure = (named: string, value: string, goes?: number): Part =>
    part(`${named} ${value}`, named.length + 7, goes);
  const best = name('best so far', 'best');
  const parts = [
    part(`epoch ${row.epoch}/${of}`, 7 + 2 * String(of).length),
    part(`lr ${Number(row.lr.toPrecision(4))}`, 12, 3),
    figure(name('train loss', 'loss'), row.trainLoss.toFixed(4), 5),
    figure('val loss', row.valLoss.toFixed(4), 6),
    figure(name('val AUC', 'AUC'), auc(row.valAuc)),
    figure(name('val acc', 'acc'), row.valAcc.toFixed(4), 4),
    part(`${row.seconds.toFixed(1)} s`, 8, 2),
    part(`${Math.round(row.imagesPerSecond)} img/s`, 11, 1),
    part(row.best ? best : '', best.length),
  ];
  return keepWhatFits(parts, 2, columns)
    .map(({ text }) => text)
    .join('  ')
    .trimEnd();
}
