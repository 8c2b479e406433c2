/** The page of a comparison: figures, options, curves and images side by side, without a network or other files. */
import { isExclusive } from '../base/task';
import { predictionsOfLabel } from '../metrics';
import type { Agreement, Images } from '../metrics/agreement';
import type { ComparedFigure, Figure, Metrics, SummaryFigure } from '../metrics/types';
import { overlaidCurve, type Overlaid } from '../report/charts/curves';
import { overlaidPrecisionRecall, overlaidRoc } from '../report/charts/panels';
import { SERIES, withVariables } from '../report/charts/theme';
import { count, escape, figureText, percent, plural } from '../report/format';
import { figure, section } from '../report/page/charts';
import { frame } from '../report/page/frame';
import { scrolling, sortableTable, type Cell } from '../report/page/labels';
import { optionRows } from './options';
import type { Side } from './side';
import type { ComparedPair, ComparedSide, RunsComparison } from './types';

/** Numbers of images are listed up to this many; --json has all. */
const LISTED = 24;

export function renderComparison(comparison: RunsComparison, sides: readonly Side[]): string {
  const { split, labels, notes, pairs } = comparison;
  const names = comparison.sides.map(({ source }) => source);
  const images = comparison.sides[0].metrics.n;
  return frame({
    title: `${names.join(' and ')} – chestmnist comparison`,
    heading: 'Comparison',
    subtitle: [
      `${names.length} models`,
      `${plural(images, `${split} image`)}`,
      plural(labels.length, 'label'),
      decisionsOf(comparison.sides),
    ].join(' · '),
    notes,
    sections: [
      sidesSection(comparison),
      figuresSection(comparison),
      optionsSection(comparison),
      curvesSection(comparison),
      labelsSection(comparison),
      ...scoreSections(comparison, sides),
      ...pairs.map((pair) => imagesSection(pair, comparison)),
    ].filter((part) => part !== ''),
  });
}

function decisionsOf(sides: readonly ComparedSide[]): string {
  const [first] = sides.map(({ metrics }) => metrics.threshold);
  const text =
    first === null
      ? 'for the most probable class'
      : typeof first === 'number'
        ? `above ${first}`
        : 'at one threshold per label';
  return `decisions ${text}`;
}

/** A short line as it is drawn in the charts, before the name. */
function keyOf(i: number): string {
  const { color, dash } = SERIES[i];
  const dashes = { solid: '', dashed: ' stroke-dasharray="8 5"', dotted: ' stroke-dasharray="2 4"' }[dash];
  const line = `<line x1="1" y1="6" x2="31" y2="6" stroke="${color}" stroke-width="3"${dashes}/>`;
  return `<svg class="key" viewBox="0 0 32 12" width="32" height="12" aria-hidden="true">${withVariables(line)}</svg>`;
}

const table = (name: string, head: readonly string[], rows: readonly (readonly string[])[]): string =>
  scrolling(
    // Its section has the name itself.
    `${name}: table`,
    `<table><thead><tr>${head.map((cell) => `<th scope="col">${cell}</th>`).join('')}</tr></thead>
<tbody>${rows
      .map(
        ([first, ...cells]) =>
          `<tr><th scope="row">${first}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`,
      )
      .join('\n')}</tbody></table>`,
  );

function sidesSection({ sides }: RunsComparison): string {
  const rows = sides.map(({ name, source, kind, data, seeds, best_epoch: epoch, history }, i) => [
    `${keyOf(i)} ${name}`,
    `<span class="path">${escape(source)}</span>`,
    seeds ? `ensemble, seeds ${seeds.join(', ')}` : kind === 'run' ? 'run' : 'file of predictions',
    data ? `${escape(data.name)}, ${data.size} px` : '',
    epoch === null ? '' : `${epoch} of ${history.length}`,
  ]);
  return section(
    'models',
    'Models',
    `A is compared with each of the others. All have predicted the same images.`,
    table('Models', ['Model', 'Path', 'Kind', 'Data', 'Epoch chosen'], rows),
  );
}

const FIGURES: readonly [name: string, key: SummaryFigure, of: (metrics: Metrics) => Figure][] = [
  ['Macro AUC', 'auc_macro', ({ auc }) => auc.macro],
  ['Macro average precision', 'average_precision_macro', (of) => of.average_precision.macro],
  ['Macro F1', 'f1_macro', ({ f1 }) => f1.macro],
  ['Macro recall', 'recall_macro', ({ recall }) => recall.macro],
  ['Macro precision', 'precision_macro', ({ precision }) => precision.macro],
  ['Macro specificity', 'specificity_macro', ({ specificity }) => specificity.macro],
  ['Macro balanced accuracy', 'balanced_accuracy_macro', (of) => of.balanced_accuracy.macro],
  ['Macro MCC', 'mcc_macro', ({ mcc }) => mcc.macro],
  ['Accuracy', 'accuracy_mean', ({ accuracy }) => accuracy.mean],
  ['Brier score (lower is better)', 'brier_macro', ({ brier }) => brier.macro],
];

function figuresSection({ sides, pairs }: RunsComparison): string {
  const { level, resamples, seed } = pairs[0].figures;
  const rows = FIGURES.map(([name, key, of]) => [
    name,
    ...sides.map(({ metrics }) => withInterval(of(metrics), metrics.confidence![key])),
    ...pairs.map(({ figures }) => difference(figures[key])),
  ]);
  if (sides[0].metrics.quadratic_weighted_kappa !== undefined) {
    rows.push([
      'Quadratic weighted kappa',
      ...sides.map(({ metrics: of }) =>
        withInterval(of.quadratic_weighted_kappa ?? null, of.confidence!.quadratic_weighted_kappa ?? [null, null]),
      ),
      ...pairs.map(({ figures }) => difference(figures.quadratic_weighted_kappa!)),
    ]);
  }
  return section(
    'figures',
    'Figures',
    `With ${100 * level} % intervals: percentile bootstrap over images, ${count(resamples)} resamples, seed ${seed}, the same for all. An interval of a difference that does not hold 0 is bold; of many such intervals, some leave 0 out by chance.`,
    table('Figures', ['Figure', ...headOf(sides, pairs)], rows),
  );
}

const headOf = (sides: readonly ComparedSide[], pairs: readonly ComparedPair[]): string[] => [
  ...sides.map(({ name }, i) => `${keyOf(i)} ${name}`),
  ...pairs.map(({ a, b }) => `${a} − ${b}`),
];

const withInterval = (value: Figure, [low, high]: readonly [Figure, Figure]): string =>
  `${figureText(value)}${low === null ? '' : `<small>${figureText(low)} to ${figureText(high)}</small>`}`;

const signed = (value: Figure): string =>
  value === null ? 'undefined' : `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`;

function difference({ difference, interval: [low, high] }: ComparedFigure): string {
  if (low === null || high === null) return signed(difference);
  const text = `${signed(difference)}<small>${signed(low)} to ${signed(high)}</small>`;
  return low > 0 || high < 0 ? `<b>${text}</b>` : text;
}

function optionsSection({ sides }: RunsComparison): string {
  const options = optionRows(sides);
  if (!options) return '';
  const { runs, rows } = options;
  if (rows.length === 0) return section('options', 'Options', 'The runs have the same options.', '');
  const files = sides.length > runs.length ? ' Files of predictions do not state any.' : '';
  return section(
    'options',
    'Options that differ',
    `All other options are the same.${files}`,
    table(
      'Options that differ',
      ['Option', ...runs],
      rows.map(([name, ...texts]) => [name, ...texts.map((text) => `<span class="path">${escape(text)}</span>`)]),
    ),
  );
}

const CURVES: readonly Overlaid[] = ['training loss', 'validation loss', 'validation AUC'];

function curvesSection({ sides, task }: RunsComparison): string {
  const runs = sides.flatMap(({ name, history }, side) => (history.length > 0 ? [{ name, side, history }] : []));
  if (runs.length === 0) return '';
  const others = sides.length > runs.length ? ' Ensembles and files of predictions have none of their own.' : '';
  const drawn = CURVES.map((name) =>
    figure(name[0].toUpperCase() + name.slice(1), 'after each epoch', overlaidCurve(name, runs, isExclusive(task))),
  );
  return section(
    'curves',
    'Training',
    `One line for each run.${others}`,
    `<div class="curves">${drawn.join('\n')}</div>`,
  );
}

function labelsSection({ sides, pairs, labels }: RunsComparison): string {
  const { support, prevalence } = sides[0].metrics;
  const ranks = [
    ['AUC', 'auc'],
    ['AP', 'average_precision'],
  ] as const;
  const columns: [name: string, cell: (i: number) => Cell][] = [
    ['Positives', (i) => ({ value: support[i], html: `${count(support[i])}<small>${percent(prevalence[i])}</small>` })],
    ...ranks.flatMap(([title, key]): [string, (i: number) => Cell][] => [
      ...sides.map(({ name, metrics }): [string, (i: number) => Cell] => [
        `${title}, ${name}`,
        (i) => ({
          value: metrics[key].per_label[i],
          html: withInterval(metrics[key].per_label[i], metrics.confidence![`${key}_per_label`][i]),
        }),
      ]),
      ...pairs.map(({ a, b, figures }): [string, (i: number) => Cell] => [
        `${title}, ${a} − ${b}`,
        (i) => {
          const of = figures[`${key}_per_label`][i];
          return { value: of.difference, html: difference(of) };
        },
      ]),
    ]),
  ];
  return section(
    'labels',
    'Labels',
    'With the same intervals as above. Choose a heading to sort by it.',
    sortableTable(
      'Figures of each label',
      columns.map(([name]) => name),
      labels.map((label, i) => ({ label, cells: columns.map(([, cell]) => cell(i)) })),
    ),
  );
}

/** The curves of each label over one another. */
function scoreSections({ labels, sides: compared }: RunsComparison, sides: readonly Side[]): string[] {
  const { prevalence } = compared[0].metrics;
  const split = sides.map(({ predictions }) => labels.map((_, label) => predictionsOfLabel(predictions, label)));
  const panels = (
    key: 'auc' | 'average_precision',
    drawn: typeof overlaidRoc | typeof overlaidPrecisionRecall,
  ): string =>
    `<div class="panels">${labels
      .map((label, i) => {
        const models = compared.map(({ name, metrics }, side) => ({
          ...{ name, of: split[side][i] },
          figure: metrics[key].per_label[i],
        }));
        const figures = models.map((of) => `${of.name} ${figureText(of.figure)}`).join(' · ');
        return figure(label, figures, drawn({ label, models, prevalence: prevalence[i] }));
      })
      .join('\n')}</div>`;
  return [
    section(
      'roc',
      'ROC curves',
      'The dashed diagonal is chance; the area is below each label.',
      panels('auc', overlaidRoc),
    ),
    section(
      'pr',
      'Precision-recall curves',
      'The dashed line is the prevalence; the average precision is below each label.',
      panels('average_precision', overlaidPrecisionRecall),
    ),
  ];
}

function imagesSection({ a, b, images }: ComparedPair, { labels, task, split }: RunsComparison): string {
  const name = `${a} and ${b}`;
  const all: [name: string, Agreement][] = [
    [isExclusive(task) ? 'the class' : 'all labels', images.whole],
    ...images.labels.map((of, i): [string, Agreement] => [labels[i], of]),
  ];
  const cell = ({ images, positives }: Images): string =>
    `${count(images.length)}${images.length > 0 ? `<small>${count(positives)} positive</small>` : ''}`;
  const rows = all.map(([label, of]) => [
    `<span class="name">${escape(label)}</span>`,
    count(of.both_right),
    cell(of.only_a),
    cell(of.only_b),
    count(of.both_wrong),
    of.p_value < 0.0001 ? 'below 0.0001' : of.p_value.toFixed(4),
  ]);
  const lists = all.flatMap(([label, of]) => {
    const parts = [
      [a, b, of.only_a],
      [b, a, of.only_b],
    ] as const;
    return parts.flatMap(([right, wrong, { images }]) =>
      images.length === 0
        ? []
        : [`<dt>${escape(label)}: ${right} right, ${wrong} wrong</dt><dd>${numbers(images)}</dd>`],
    );
  });
  return section(
    `images-${b}`,
    `Images, ${name}`,
    `How many images of the ${split} split each decides rightly. p: McNemar's exact test, two-sided, of one being right more often than the other.`,
    `${table(`Images, ${name}`, ['Label', 'Both right', `Only ${a} right`, `Only ${b} right`, 'Both wrong', 'p'], rows)}
${
  lists.length === 0
    ? ''
    : `<details><summary>Which images, by their numbers from 0</summary><dl class="numbers">${lists.join('\n')}</dl></details>`
}`,
  );
}

const numbers = (images: readonly number[]): string =>
  images.length <= LISTED
    ? images.join(', ')
    : `${images.slice(0, LISTED).join(', ')} and ${count(images.length - LISTED)} more (--json has all)`;
