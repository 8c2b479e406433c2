/**
 * report.html of a run in progress: how far it is, when it will end, curves and numbers of its epochs. While the run goes on
 * the page reloads by itself (script.ts); its last writing does not. Not here: when it is written (train/live-page.ts).
 */
import type { ResolvedOptions } from '../../recipe/options';
import { configOf } from '../../recipe/resolve';
import { isExclusive } from '../../base/task';
import { bestOf, type EpochRow } from '../../run/history';
import type { RunData } from '../../run/open';
import { drawPictures } from '../charts/pictures';
import { escape, figureText, plural } from '../format';
import { curveSection } from '../page/charts';
import { epochsSection, facts } from '../page/facts';
import { frame } from '../page/frame';
import { LIVE_SCRIPT } from './script';

export interface LiveRun {
  directory: string;
  name: string;
  data: string;
  options: ResolvedOptions;
  history: readonly EpochRow[];
}

export interface LiveState {
  status: 'running' | 'finished' | 'stopped' | 'failed';
  /** When the page was written. */
  now: Date;
  /** Where it ends: the command that goes on, or what went wrong. */
  text?: string;
}

/** The page; curves are drawn by each call. */
export function renderLive(run: LiveRun, state: LiveState): string {
  const { directory, name, data, options } = run;
  const history = [...run.history];
  const best = bestOf(history, options.select)?.epoch;
  // Only what an unfinished run has: no figures yet.
  const read: RunData = { directory, name, options, history, best, predictions: {}, notes: [] };
  return frame({
    title: `${history.length}/${options.epochs} ${name} – chestmnist`,
    heading: name,
    subtitle: `${data} · run ${state.status} · ${plural(history.length, 'epoch')} of ${options.epochs}`,
    notes: [],
    sections: [
      progressSection(run, state),
      curveSection(drawPictures(read), isExclusive(options.task ?? undefined)),
      epochsSection(read),
      `<section aria-labelledby="environment">
<h2 id="environment">Configuration</h2>
${facts('config.json', configOf(options))}
</section>`,
    ].filter((section) => section !== ''),
    ...(state.status === 'running' && { script: LIVE_SCRIPT }),
  });
}

/** Seconds of an epoch: the mean of the last five; 0 before the first. */
const secondsOf = (history: readonly EpochRow[]): number => {
  const last = history.slice(-5);
  return last.reduce((sum, { seconds }) => sum + seconds, 0) / Math.max(1, last.length);
};

function progressSection({ options, history }: LiveRun, { status, now, text }: LiveState): string {
  const { epochs, select } = options;
  const done = history.length;
  const best = bestOf(history, select);
  const seconds = secondsOf(history);
  const left = (epochs - done) * seconds;
  const tile = (title: string, value: string, small: string): string =>
    `<div class="tile"><dt>${title}</dt><dd><span class="value">${value}</span><small>${small}</small></dd></div>`;
  const tiles = [
    tile(
      'Epochs',
      `${done} of ${epochs}`,
      options.patience ? `fewer after ${options.patience} without a better one` : '',
    ),
    ...(best
      ? [tile('Best validation AUC', figureText(best.valAuc, 4), `epoch ${best.epoch}, chosen by ${select}`)]
      : []),
    ...(done > 0
      ? [tile('Time per epoch', spanOf(seconds), `${figureText(history.at(-1)!.imagesPerSecond, 0)} images/s`)]
      : []),
    ...(status === 'running' && done > 0
      ? [tile('Time left', spanOf(left), 'for training, when this was written; scoring and the report follow')]
      : []),
  ];
  return `<section aria-labelledby="progress">
<h2 id="progress">Progress</h2>
<p><progress max="${epochs}" value="${done}" aria-label="Epochs">${done} of ${epochs}</progress></p>
<dl class="tiles">${tiles.join('\n')}</dl>
${
  status === 'running'
    ? `<p id="live" data-written="${now.getTime()}" data-seconds="${seconds.toFixed(3)}">Written at <time datetime="${now.toISOString()}">${now.toISOString().slice(11, 19)} UTC</time>. <span role="status">${done < epochs ? 'The page reloads by itself after each epoch.' : 'All epochs are trained; the page reloads by itself once they are scored.'}</span> <button type="button" hidden>Pause</button></p>`
    : `<p class="verdict">The run is ${status}.${text === undefined ? '' : ` <span class="path">${escape(text)}</span>`}</p>`
}
</section>`;
}

/** `41 s`, `3 min 05 s`, `7 h 20 min`. */
function spanOf(seconds: number): string {
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two((seconds % 3600) / 60)} min`;
}
