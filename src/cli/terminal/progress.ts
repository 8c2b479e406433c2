/**
 * How a run is watched: two bars on a terminal (epochs, and the images of this one), one line an epoch elsewhere, NDJSON
 * with --json. Progress goes to stderr; the run directory goes to stdout as the first line.
 */
import { MultiBar, type SingleBar } from 'cli-progress';
import type { TrainEvent } from '../../train/events';
import type { Cli } from '../context';

export interface Progress {
  on(event: TrainEvent): void;
  /** A line for people, above the bars. */
  note(text: string): void;
  /** Clears the bars. Idempotent. */
  end(): void;
}

/** Where the events go is decided by --json, --quiet and whether stderr is a terminal. */
export function showProgress(cli: Cli): Progress {
  if (cli.json) return ndjson(cli);
  const watch = process.stderr.isTTY && !cli.quiet ? bars(cli) : lines(cli);
  let epochs = 0;
  return {
    ...watch,
    on: (event) => {
      watch.on(event);
      if (event.type === 'start') {
        epochs = event.epochs;
        process.stdout.write(`${event.runDirectory}\n`);
        const { train, val, test } = event.data.counts;
        watch.note(
          `${event.data.name}, ${event.data.size} px, ${train}/${val}/${test} images; ${event.device}, ${event.threads} threads`,
        );
        if (event.resumed) watch.note(`resumed in epoch ${event.epoch} of ${event.epochs}`);
      }
      if (event.type === 'note') watch.note(event.text);
      if (event.type === 'epoch') watch.note(epochLine(event, epochs));
      if (event.type === 'stop') {
        watch.end();
        watch.note(`stopped in epoch ${event.epoch} after ${event.samples} images; go on with\n  ${event.resume}`);
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
      started ||= event.type === 'start';
      if (event.type === 'progress') {
        const same = pass === `${event.phase} ${event.epoch}`;
        if (!started || (same && performance.now() - last < 1000)) return;
        pass = `${event.phase} ${event.epoch}`;
        last = performance.now();
      }
      cli.emit(event);
    },
    note: (text) => cli.say(text),
    end: () => {},
  };
}

function bars(cli: Cli): Progress {
  let multi = newBars();
  let data: SingleBar | undefined;
  let whole: SingleBar | undefined;
  let part: SingleBar | undefined;
  let shown = '';
  let images = 1;
  let epochs = 0;
  let device = '';
  let best = '';
  let ended = false;
  return {
    on: (event) => {
      if (event.type === 'start') {
        // The run directory is printed next, where the bar of the data was.
        multi.stop();
        multi = newBars();
        images = event.data.counts.train;
        [device, epochs] = [event.device, event.epochs];
        const done = event.epoch - 1;
        whole = multi.create(epochs * images, done * images, {
          title: 'epochs',
          text: `${done}/${epochs} | ${device}`,
        });
        part = multi.create(images, 0, { title: 'batch ', text: '' });
      }
      if (event.type === 'epoch' && event.best) best = ` | best AUC ${auc(event.valAuc)}`;
      if (event.type !== 'progress') return;
      const { phase, epoch, done, loss, imagesPerSecond = 0 } = event;
      const total = event.total ?? done;
      if (phase === 'data') {
        data ??= multi.create(total, 0, { title: 'data  ', text: '' });
        data.setTotal(total);
        return data.update(done);
      }
      const rate = `${Math.round(imagesPerSecond)} img/s`;
      const text = [phase, ...(loss === undefined ? [] : [`loss ${loss.toFixed(4)}`]), rate].join(' | ');
      // A new start where another pass begins, so that the ETA is its own.
      if (shown !== `${phase} ${epoch}`) part?.start(total, 0, { title: 'batch ', text });
      shown = `${phase} ${epoch}`;
      part?.update(done, { text });
      if (phase === 'train') {
        whole?.update((epoch - 1) * images + done, { text: `${epoch}/${epochs} | ${device}${best}` });
      }
    },
    note: (text) => {
      if (ended) cli.say(text);
      else multi.log(`${text}\n`);
    },
    end: () => {
      if (!ended) multi.stop();
      ended = true;
    },
  };
}

const newBars = (): MultiBar =>
  new MultiBar({
    stream: process.stderr,
    clearOnComplete: true,
    gracefulExit: false, // SIGINT is the run's own
    barsize: 24,
    format: '{title} {bar} {text} | ETA {eta_formatted}',
    barCompleteChar: '#',
    barIncompleteChar: '-',
    autopadding: true,
    linewrap: false,
  });

const auc = (value: number | null): string => value?.toFixed(4) ?? 'undefined';

function epochLine(row: Extract<TrainEvent, { type: 'epoch' }>, of: number): string {
  return (
    `epoch ${row.epoch}/${of}  lr ${Number(row.lr.toPrecision(4))}  train loss ${row.trainLoss.toFixed(4)}  val loss ${row.valLoss.toFixed(4)}` +
    `  val AUC ${auc(row.valAuc)}  val acc ${row.valAcc.toFixed(4)}  ${row.seconds.toFixed(1)} s  ${Math.round(row.imagesPerSecond)} img/s${row.best ? '  best so far' : ''}`
  );
}
