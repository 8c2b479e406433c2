/**
 * How a run is watched: two bars on a terminal (epochs, and the images of this one), one line an epoch elsewhere, NDJSON
 * with --json. Progress goes to stderr; the run directory goes to stdout as the first line.
 */
import { MultiBar, type SingleBar } from 'cli-progress';
import type { TrainEvent } from '../events';
import type { Cli } from './context';

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
      if (event.type === 'start') {
        epochs = event.epochs;
        process.stdout.write(`${event.runDirectory}\n`);
        const { train, val, test } = event.data.counts;
        watch.note(
          `${event.data.name}, ${event.data.size} px, ${train}/${val}/${test} images; ${event.device}, ${event.threads} threads`,
        );
        if (event.resumed) watch.note(`resumed in epoch ${event.epoch} of ${event.epochs}`);
      }
      watch.on(event);
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

/** Events as they are; of progress one a second. Nothing comes before `start`, so that the first line tells the run directory. */
function ndjson(cli: Cli): Progress {
  let started = false;
  let last = -Infinity;
  return {
    on: (event) => {
      started ||= event.type === 'start';
      if (event.type === 'progress') {
        if (!started || performance.now() - last < 1000) return;
        last = performance.now();
      }
      cli.emit(event);
    },
    note: (text) => cli.say(text),
    end: () => {},
  };
}

function bars(cli: Cli): Progress {
  const multi = new MultiBar({
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
  let whole: SingleBar | undefined;
  let part: SingleBar | undefined;
  let images = 1;
  let device = '';
  let of = 0;
  let best = '';
  let ended = false;
  return {
    on: (event) => {
      if (event.type === 'start') {
        if (part) multi.remove(part);
        images = event.data.counts.train;
        [device, of] = [event.device, event.epochs];
        const done = (event.epoch - 1) * images;
        whole = multi.create(of * images, done, { title: 'epochs', text: `${event.epoch - 1}/${of} | ${device}` });
        part = multi.create(images, 0, { title: 'batch ', text: '' });
      } else if (event.type === 'progress' && event.phase === 'data') {
        const size = event.total ?? event.done;
        part ??= multi.create(size, 0, { title: 'data  ' });
        part.setTotal(size);
        part.update(event.done, { text: '' });
      } else if (event.type === 'progress') {
        const text = [
          event.phase,
          event.loss === undefined ? '' : `loss ${event.loss.toFixed(4)}`,
          `${Math.round(event.imagesPerSecond ?? 0)} img/s`,
        ];
        part?.setTotal(event.total ?? event.done);
        part?.update(event.done, { text: text.filter(Boolean).join(' | ') });
        if (event.phase === 'train')
          whole?.update((event.epoch - 1) * images + event.done, { text: `${event.epoch}/${of} | ${device}${best}` });
      } else if (event.type === 'epoch' && event.best) {
        best = ` | best AUC ${event.valAuc?.toFixed(4) ?? 'undefined'}`;
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

function epochLine(row: Extract<TrainEvent, { type: 'epoch' }>, of: number): string {
  const auc = row.valAuc === null ? 'undefined' : row.valAuc.toFixed(4);
  return (
    `epoch ${row.epoch}/${of}  lr ${Number(row.lr.toPrecision(4))}  train loss ${row.trainLoss.toFixed(4)}  val loss ${row.valLoss.toFixed(4)}` +
    `  val AUC ${auc}  val acc ${row.valAcc.toFixed(4)}  ${row.seconds.toFixed(1)} s  ${Math.round(row.imagesPerSecond)} img/s${row.best ? '  best so far' : ''}`
  );
}
