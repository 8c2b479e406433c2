/**
 * report.html of a search: the budget, every trial from the best to the worst, and what each option did. It shows validation
 * figures alone: a search has no others.
 */
import { writeAtomically } from '../base/atomic';
import { runFiles } from '../run/directory';
import type { Search, Trial } from '../run/search';
import { draw, type Drawing } from './charts/chart';
import { ink } from './charts/theme';
import { escape, figureText, plural } from './format';
import { inline } from './page/charts';
import { frame } from './page/frame';

/** Draws the page of a search; returns its path. */
export async function drawSearch(directory: string, search: Search): Promise<string> {
  const file = runFiles(directory).report;
  const page = renderSearch(directory.split(/[\\/]/).at(-1)!, search);
  await writeAtomically(file, async (handle) => {
    await handle.writeFile(page);
  });
  return file;
}

function renderSearch(name: string, search: Search): string {
  const { trials, rungs, data, options, status } = search;
  const failed = trials.filter((trial) => trial.status === 'failed').length;
  return frame({
    title: `${name} – chestmnist search`,
    heading: name,
    subtitle: `${data.name} · search ${status} · ${plural(trials.length, 'trial')} · by validation ${options.select}`,
    notes: failed > 0 ? [`${plural(failed, 'trial')} ended with a loss that is not finite.`] : [],
    sections: [
      `<section aria-labelledby="budget">
<h2 id="budget">Budget</h2>
<p>Every trial is trained for the epochs of the first rung; only the best go on. The test split was not scored.</p>
<div class="scroll" role="region" aria-label="Budget: table" tabindex="0"><table>
<thead><tr><th scope="col">Rung</th><th scope="col">Trials</th><th scope="col">Epochs</th></tr></thead>
<tbody>${rungs.map(({ trials, epochs }, i) => `<tr><th scope="row">${i + 1}</th><td>${trials}</td><td>${epochs}</td></tr>`).join('\n')}</tbody></table></div>
</section>`,
      trialTable(search),
      `<section aria-labelledby="options">
<h2 id="options">What each option did</h2>
<p>Validation ${options.select === 'loss' ? 'loss' : options.select.toUpperCase()} of each trial at the end of the first rung, before any was left out.</p>
<div class="panels">${Object.keys(search.space)
        .map((option) => `<figure>${inline(scatter(search, option))}</figure>`)
        .join('\n')}</div>
</section>`,
    ],
  });
}

function trialTable({ trials, space, best }: Search): string {
  const names = Object.keys(space);
  const order = [...trials].sort(
    (a, b) => b.results.length - a.results.length || (valueOf(b, 'auc') ?? -1) - (valueOf(a, 'auc') ?? -1),
  );
  const head = ['Trial', 'Epochs', 'Best epoch', 'Val AUC', 'Val AP', ...names];
  const rows = order.map(({ number, results, options, status }) => {
    const last = results.at(-1);
    const cells = [
      ...(last
        ? [String(last.epochs), String(last.best_epoch), figureText(last.val_auc, 4), figureText(last.val_ap, 4)]
        : [status, '', '', '']),
      ...names.map((name) => escape(typeof options[name] === 'string' ? options[name] : JSON.stringify(options[name]))),
    ];
    return `<tr><th scope="row">${number}${number === best ? ' (best)' : ''}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  return `<section aria-labelledby="trials">
<h2 id="trials">Trials</h2>
<div class="scroll" role="region" aria-label="Trials: table" tabindex="0"><table>
<thead><tr>${head.map((name) => `<th scope="col">${escape(name)}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>
</section>`;
}

function valueOf({ results }: Trial, select: 'auc' | 'ap' | 'loss', rung = -1): number | null {
  const result = results.at(rung);
  return result ? { auc: result.val_auc, ap: result.val_ap, loss: result.val_loss }[select] : null;
}

function scatter({ trials, space, options: { select }, best }: Search, option: string): Drawing {
  const range = space[option];
  const names = Array.isArray(range)
    ? range.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
    : [];
  const points = trials.flatMap((trial) => {
    const value = valueOf(trial, select, 0);
    const given = trial.options[option];
    const x = Array.isArray(range)
      ? names.indexOf(typeof given === 'string' ? given : JSON.stringify(given))
      : (given as number);
    return value === null
      ? []
      : [
          {
            value: [x, value],
            ...(trial.number === best ? { symbol: 'diamond', symbolSize: 14, itemStyle: { color: ink.train } } : {}),
          },
        ];
  });
  return draw(
    `${option} against validation ${select}, ${plural(points.length, 'trial')}; the best is a diamond.`,
    320,
    240,
    {
      grid: { left: 56, right: 16, top: 16, bottom: 44 },
      xAxis: Array.isArray(range)
        ? { type: 'category', data: names, name: option, nameLocation: 'middle', nameGap: 26 }
        : {
            type: range.log ? 'log' : 'value',
            scale: true,
            name: option,
            nameLocation: 'middle',
            nameGap: 26,
            axisLabel: { formatter: (value: number) => String(Number(value.toPrecision(2))) },
          },
      yAxis: { type: 'value', scale: true, axisLabel: { formatter: (value: number) => value.toFixed(3) } },
      series: [{ type: 'scatter', data: points, symbolSize: 8, itemStyle: { color: ink.val } }],
    },
  );
}
