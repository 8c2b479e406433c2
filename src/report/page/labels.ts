/** The table of the labels, sortable, and the tables of tuned thresholds with their drift from validation to test. */
import type { Figure, MetricsFile } from '../../metrics/types';
import { count, escape, figureText, percent } from '../format';

export interface Cell {
  /** The sort key of the row; empty sorts last. */
  value: Figure | string;
  html: string;
}

const number = (value: Figure, digits = 3): Cell => ({
  value,
  html: value === null ? '<span title="undefined: one value only in this split">n/a</span>' : value.toFixed(digits),
});

/** A wide table in a frame that scrolls on its own, also by keyboard. */
export const scrolling = (name: string, table: string): string =>
  `<div class="scroll" role="region" aria-label="${escape(name)}" tabindex="0">${table}</div>`;

const nameOf = (label: string): string => `<span class="name">${escape(label)}</span>`;

const attribute = (value: Cell['value']): string => escape(value ?? '');

export function labelTable({ labels, splits, tuned = {} }: MetricsFile): string {
  const { test } = splits;
  const { confidence } = test;
  const [rule, best] = Object.entries(tuned)[0] ?? [];
  const ranked = (key: 'auc' | 'average_precision', i: number): Cell => {
    const cell = number(test[key].per_label[i]);
    const [low, high] = confidence?.[`${key}_per_label`][i] ?? [null, null];
    return low === null ? cell : { ...cell, html: `${cell.html}<small>${figureText(low)}–${figureText(high)}</small>` };
  };
  const columns: [name: string, cell: (i: number) => Cell][] = [
    [
      'Positives',
      (i) => ({
        value: test.support[i],
        html: `${count(test.support[i])}<small>${percent(test.prevalence[i])}</small>`,
      }),
    ],
    ['AUC', (i) => ranked('auc', i)],
    ['AP', (i) => ranked('average_precision', i)],
    ...(['precision', 'recall', 'specificity', 'f1', 'mcc'] as const).map((key): [string, (i: number) => Cell] => [
      NAMES[key],
      (i) => number(test[key].per_label[i]),
    ]),
    ...(best
      ? ([
          [`Recall, ${rule}`, (i) => number(best.test.recall.per_label[i])],
          [`F1, ${rule}`, (i) => number(best.test.f1.per_label[i])],
        ] as [string, (i: number) => Cell][])
      : []),
    [
      'Accuracy',
      (i) => ({
        value: test.accuracy.per_label[i],
        html: `${figureText(test.accuracy.per_label[i])}<small>nothing: ${figureText(1 - test.prevalence[i])}</small>`,
      }),
    ],
    ['Brier', (i) => number(test.brier.per_label[i])],
    ['ECE', (i) => number(test.ece.per_label[i])],
  ];
  const rows = labels.map((label, i) => ({ label, cells: columns.map(([, cell]) => cell(i)) }));
  const interval = confidence ? ` Below AUC and AP: ${100 * confidence.level} % bootstrap intervals.` : '';
  return `<section aria-labelledby="labels">
<h2 id="labels">Labels</h2>
<p>Test split, decisions ${test.threshold === null ? 'for the most probable class, each against the rest' : typeof test.threshold === 'number' ? `at a threshold of ${test.threshold}` : 'at one threshold per label'}. The prevalence is below the positives, the accuracy of predicting nothing below the accuracy.${interval} Choose a heading to sort by it.</p>
${sortableTable(
  'Figures of each label',
  columns.map(([name]) => name),
  rows,
)}
</section>`;
}

/** A table of the labels that the page's script sorts; one on a page. */
export function sortableTable(
  name: string,
  columns: readonly string[],
  rows: readonly { label: string; cells: readonly Cell[] }[],
): string {
  const head = ['Label', ...columns].map(
    (column) => `<th scope="col"><button type="button">${escape(column)}</button></th>`,
  );
  const body = rows.map(({ label, cells }) => {
    const each = cells.map(({ value, html }) => `<td data-value="${attribute(value)}">${html}</td>`);
    return `<tr><th scope="row" data-value="${escape(label)}">${nameOf(label)}</th>${each.join('')}</tr>`;
  });
  return `${scrolling(
    name,
    `<table class="labels sortable">
<thead><tr>${head.join('')}</tr></thead>
<tbody>${body.join('\n')}</tbody></table>`,
  )}
<p id="sorted" class="muted" role="status"></p>`;
}

const NAMES = { precision: 'Precision', recall: 'Recall', specificity: 'Specificity', f1: 'F1', mcc: 'MCC' };

/** The thresholds of one rule per label, with their figures on validation and on test, which shows drift. */
export function tunedTable({ labels, tuned = {} }: MetricsFile, rule: string): string {
  const { thresholds, val, test, untuned = [] } = tuned[rule];
  const figures = ['precision', 'recall', 'f1'] as const;
  const head = ['Label', 'Threshold', ...figures.flatMap((key) => [`${NAMES[key]}, val`, `${NAMES[key]}, test`])];
  const cells = (values: Figure[]): string => values.map((value) => `<td>${number(value).html}</td>`).join('');
  const rows = [
    ...labels.map((label, i) => {
      const pairs = figures.flatMap((key) => [val[key].per_label[i], test[key].per_label[i]]);
      const mark = untuned.includes(i) ? ' <small>(not tuned: one value only in validation)</small>' : '';
      return `<tr><th scope="row">${nameOf(label)}${mark}</th>${cells([thresholds[i], ...pairs])}</tr>`;
    }),
    `<tr><th scope="row">mean</th><td></td>${cells(figures.flatMap((key) => [val[key].macro, test[key].macro]))}</tr>`,
  ];
  return `<p>Tuned on validation, then applied unchanged to test.</p>
${scrolling(
  `Thresholds by ${rule}`,
  `<table class="labels">
<thead><tr>${head.map((name) => `<th scope="col">${name}</th>`).join('')}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`,
)}`;
}
