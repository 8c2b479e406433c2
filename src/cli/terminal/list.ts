/**
 * The runs of a folder as a table. Name, status and the two AUC always stay; what the width does not hold goes in this
 * order: start, recall, F1, AP, time, recipe, epochs, data.
 */
import type { ListedRun, RunsList } from '../../run/list';
import { duration } from './duration';
import { missing, table, type Column } from './table';

const NONE = '–';

export function renderList({ folder, runs, others }: RunsList, width: number): string {
  const problems = runs.filter(({ problem }) => problem !== null);
  const parts = [
    runs.length > 0 ? tableOf(runs, width) : `no run in ${folder}`,
    problems.map(({ name, problem }) => `${name}: ${problem}`).join('\n'),
    others.length > 0 ? `without a run: ${others.join(', ')}` : '',
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function tableOf(runs: readonly ListedRun[], width: number): string {
  const figure = (value: number | null | undefined): string => value?.toFixed(4) ?? NONE;
  const column = (title: string, cellOf: (run: ListedRun) => string, more: Partial<Column> = {}): Column => ({
    title,
    cells: runs.map(cellOf),
    ...more,
  });
  const shown = table(
    [
      column('name', ({ name }) => name),
      column('status', ({ status }) => status, { text: true }),
      column('data', ({ data, size }) => (data === null ? NONE : `${data} ${size} px`), { text: true, goes: 8 }),
      column('recipe', ({ recipe }) => recipe ?? NONE, { text: true, goes: 6 }),
      column('epochs', progressOf, { goes: 7 }),
      column('val AUC', ({ val_auc }) => figure(val_auc)),
      column('test AUC', ({ test }) => figure(test?.auc)),
      column('AP', ({ test }) => figure(test?.average_precision), { goes: 4 }),
      column('F1', ({ test }) => figure(test?.f1), { goes: 3 }),
      column('recall', ({ test }) => figure(test?.recall), { goes: 2 }),
      column('time', ({ seconds }) => (seconds === null ? NONE : duration(seconds)), { goes: 5 }),
      column('started', ({ started }) => started?.slice(0, 16).replace('T', ' ') ?? NONE, { goes: 1 }),
    ],
    width,
  );
  return [shown.text, ...missing(shown)].join('\n');
}

/** `3/100`, `2/5 members`, `7/16 trials`. */
function progressOf({ kind, epochs, of_epochs, parts, of_parts }: ListedRun): string {
  if (parts !== null) return `${parts}/${of_parts} ${kind === 'ensemble' ? 'members' : 'trials'}`;
  return epochs === null ? NONE : `${epochs}/${of_epochs ?? '?'}`;
}
