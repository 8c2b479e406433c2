/** The configuration, the environment and the numbers of each epoch, for repeating the run. */
import { escape, figureText } from '../format';
import { configOf } from '../../recipe/resolve';
import { chosenEpoch, type RunData } from '../../run/open';

/** Nested objects as one list of dotted names. */
function flatten(value: Record<string, unknown>, prefix = ''): [name: string, text: string][] {
  return Object.entries(value).flatMap(([key, item]): [string, string][] => {
    const name = `${prefix}${key}`;
    if (typeof item === 'object' && item !== null && !Array.isArray(item)) {
      return flatten(item as Record<string, unknown>, `${name}.`);
    }
    if (item === undefined) return [];
    if (item === null) return [[name, 'not set']];
    if (Array.isArray(item))
      return [[name, item.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' ')]];
    return [[name, typeof item === 'string' ? item : JSON.stringify(item)]];
  });
}

export function facts(title: string, value: Record<string, unknown> = {}): string {
  const rows = flatten(value).map(
    ([name, text]) => `<tr><th scope="row">${escape(name).replaceAll('.', '.<wbr>')}</th><td>${escape(text)}</td></tr>`,
  );
  return rows.length === 0
    ? `<div><h3>${title}</h3><p class="muted">not recorded</p></div>`
    : `<div><h3>${title}</h3><table class="facts"><tbody>${rows.join('\n')}</tbody></table></div>`;
}

export const environmentSection = ({
  ensemble,
  options,
  record,
}: RunData): string => `<section aria-labelledby="environment">
<h2 id="environment">Configuration and environment</h2>
<div class="columns">${facts(ensemble ? 'Configuration of the members' : 'Configuration (config.json)', options && configOf(options))}${ensemble ? facts('Ensemble (ensemble.json)', { ...ensemble, options: undefined, members: ensemble.members.map(({ seed }) => `seed ${seed}`) }) : facts('Run (run.json)', record)}</div>
</section>`;

export function epochsSection(data: RunData): string {
  if (data.history.length === 0) return '';
  const chosen = chosenEpoch(data);
  const head = [
    'Epoch',
    'Learning rate',
    'Training loss',
    'Validation loss',
    'Validation AUC',
    'Validation accuracy',
    'Seconds',
    'Images/s',
  ];
  const rows = data.history.map((row) => {
    const cells = [
      String(Number(row.lr.toPrecision(4))),
      figureText(row.trainLoss, 4),
      figureText(row.valLoss, 4),
      figureText(row.valAuc, 4),
      figureText(row.valAcc, 4),
      figureText(row.seconds, 1),
      figureText(row.imagesPerSecond, 0),
    ];
    return `<tr><th scope="row">${row.epoch}${row.epoch === chosen ? ' (chosen)' : ''}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  return `<section aria-labelledby="epochs">
<h2 id="epochs">Epochs</h2>
<details><summary>The numbers of each epoch</summary>
<div class="scroll" role="region" aria-label="The numbers of each epoch" tabindex="0"><table>
<thead><tr>${head.map((name) => `<th scope="col">${name}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></details>
</section>`;
}
