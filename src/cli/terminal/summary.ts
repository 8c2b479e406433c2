/**
 * The summary people read in a terminal: a headline that puts what predicting nothing, or the majority, scores beside
 * accuracy, then a table of the labels, and of exclusive ones the confusion matrix. The train, evaluate and metrics verbs
 * print it; the numbers themselves are metrics/types.ts.
 *
 * What does not fit the width is left out in this order: of the labels the interval of AP, that of AUC, prevalence,
 * support, threshold, precision, recall, AP (name, AUC and F1 stay); of the headline the interval; of a comparison the
 * interval, then "A better". A line below the tables names what is missing.
 */
import { isExclusive } from '../../base/task';
import { listed } from '../../base/text';
import { baselineOf } from '../../metrics/baselines';
import type {
  EnsembleFigures,
  RankSummary,
  Comparison,
  ComparedFigure,
  Confidence,
  Figure,
  Interval,
  Metrics,
  MetricsFile,
  SummaryFigure,
} from '../../metrics/types';
import { missing, table, type Column, type Table } from './table';
import { cells, unbroken } from './width';

const UNDEFINED = '–';

const fixed = (value: Figure, digits = 3): string => (value === null ? UNDEFINED : value.toFixed(digits));
const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
/** `95 %`, `99.5 %`. */
const levelText = (level: number): string => `${Number((100 * level).toFixed(2))} %`;
const whole = (value: number): string => value.toLocaleString('en-US');

function interval([low, high]: Interval, digits = 3): string {
  return low === null ? UNDEFINED : `${fixed(low, digits)} to ${fixed(high, digits)}`;
}

/** Our figures, their intervals when there are some, and what the baseline scores. */
function headline(metrics: Metrics, labels: readonly string[], width: number): Table {
  const { confidence } = metrics;
  const { name: baseline, ...nothing } = baselineOf(metrics, labels);
  type Row = [
    name: string,
    key: SummaryFigure | 'quadratic_weighted_kappa',
    value: Figure,
    baseline: Figure,
    digits?: number,
  ];
  const kappa = metrics.quadratic_weighted_kappa;
  const rows: Row[] = [
    ['macro AUC', 'auc_macro', metrics.auc.macro, nothing.auc_macro],
    [
      'macro average precision',
      'average_precision_macro',
      metrics.average_precision.macro,
      nothing.average_precision_macro,
    ],
    ['macro F1', 'f1_macro', metrics.f1.macro, nothing.f1_macro],
    ['macro recall', 'recall_macro', metrics.recall.macro, nothing.recall_macro],
    ['accuracy', 'accuracy_mean', metrics.accuracy.mean, nothing.accuracy, 4],
    ...(kappa === undefined ? [] : ([['quadratic kappa', 'quadratic_weighted_kappa', kappa, 0]] satisfies Row[])),
  ];
  const columns: Column[] = [
    { title: '', cells: rows.map(([name]) => name) },
    { title: 'model', cells: rows.map(([, , value, , digits]) => fixed(value, digits)) },
    { title: baseline, cells: rows.map(([, , , baseline, digits]) => fixed(baseline, digits)) },
  ];
  if (confidence) {
    columns.splice(2, 0, {
      title: `${levelText(confidence.level)} interval`,
      cells: rows.map(([, key, , , digits]) => interval(confidence[key] ?? [null, null], digits)),
      goes: 1,
    });
  }
  return table(columns, width);
}

/** Says what accuracy hides: whether it beats predicting nothing, and which labels are never found. */
function verdict(metrics: Metrics, labels: readonly string[]): string[] {
  const baseline = baselineOf(metrics, labels);
  const gain = metrics.accuracy.mean - baseline.accuracy;
  const points = `${Math.abs(100 * gain).toFixed(2)} points`;
  const named = baseline.name.startsWith('always ') ? `deciding ${baseline.name}` : baseline.name;
  const lines = [
    gain > 0
      ? `Accuracy is ${points} above ${named}.`
      : gain < 0
        ? `Accuracy is ${points} below ${named}: judge this model by the other figures.`
        : `Accuracy is that of ${named}: judge this model by the other figures.`,
  ];
  const missed = labels.filter((_, label) => metrics.support[label] > 0 && metrics.confusion[label][1][1] === 0);
  if (missed.length > 0) {
    lines.push(`Without one true positive: ${listed(missed)} (${missed.length} of ${labels.length} labels).`);
  }
  // Figures that are undefined for the same labels share a line.
  const figuresOf = new Map<string, string[]>();
  for (const [name, indices] of Object.entries(metrics.undefined)) {
    const missing = listed(indices.map((label) => labels[label]));
    figuresOf.set(missing, [...(figuresOf.get(missing) ?? []), name.replaceAll('_', ' ')]);
  }
  for (const [missing, names] of figuresOf) {
    lines.push(`Undefined for ${missing} and left out of the mean: ${names.join(', ')}.`);
  }
  return lines;
}

function labelTable(metrics: Metrics, labels: readonly string[], width: number): Table {
  const { support, prevalence, threshold, confidence, auc, average_precision: ap, precision, recall, f1 } = metrics;
  /** Of each label, then its two means. */
  const figures = ({ per_label, macro, micro }: { per_label: Figure[]; macro: Figure; micro: Figure }): string[] =>
    [...per_label, macro, micro].map((value) => fixed(value));
  /** The means have none of these. */
  const ofLabels = (values: readonly string[]): string[] => [...values, '', ''];
  const intervalOf = (name: string, list: Interval[] | undefined, goes: number): Column[] =>
    list
      ? [{ title: 'interval', name: `interval of ${name}`, cells: ofLabels(list.map((of) => interval(of))), goes }]
      : [];
  return table(
    [
      { title: 'label', cells: [...labels, 'macro', 'micro'] },
      { title: 'support', cells: ofLabels(support.map(whole)), goes: 4 },
      { title: 'prevalence', cells: ofLabels(prevalence.map(percent)), goes: 3 },
      ...(typeof threshold === 'number' || threshold === null
        ? []
        : [{ title: 'threshold', cells: ofLabels(threshold.map((value) => fixed(value))), goes: 5 }]),
      { title: 'AUC', cells: figures(auc) },
      ...intervalOf('AUC', confidence?.auc_per_label, 2),
      { title: 'AP', cells: figures(ap), goes: 8 },
      ...intervalOf('AP', confidence?.average_precision_per_label, 1),
      { title: 'precision', cells: figures(precision), goes: 6 },
      { title: 'recall', cells: figures(recall), goes: 7 },
      { title: 'F1', cells: figures(f1) },
    ],
    width,
  );
}

/** The metrics of one split for people: several lines, no colours, no line break at the end; tables of this width. */
export function renderSummary(metrics: Metrics, labels: readonly string[], width: number): string {
  const { n, task, loss, threshold, confidence } = metrics;
  const decision =
    threshold === null
      ? 'for the most probable class'
      : typeof threshold === 'number'
        ? `score > ${threshold}`
        : 'score > a threshold of each label';
  const [head, perLabel] = [headline(metrics, labels, width), labelTable(metrics, labels, width)];
  const matrix = confusionTable(metrics, labels);
  const kind = isExclusive(task) ? 'classes' : task === 'binary-class' ? 'label' : 'labels';
  const asked = `${labels.length} ${kind}${task ? ` (${task})` : ''}`;
  return [
    `${whole(n)} images, ${asked}, decision ${decision}${loss === undefined || loss === null ? '' : `, loss ${fixed(loss, 4)}`}`,
    '',
    head.text,
    '',
    ...verdict(metrics, labels),
    '',
    perLabel.text,
    ...(matrix && matrix.split('\n').every((line) => cells(line) <= width)
      ? ['', 'Confusion: rows are the truth, columns the decision, by number of the class.', '', matrix]
      : []),
    // The headline loses its intervals last: without them there are none to describe.
    ...(confidence && head.leftOut.length === 0 ? ['', describe(confidence)] : []),
    ...missing(head, perLabel),
  ].join('\n');
}

/** The images of each class by the class that was decided; undefined where an image may have several labels. */
function confusionTable({ confusion_matrix: matrix }: Metrics, labels: readonly string[]): string | undefined {
  if (!matrix) return undefined;
  const columns: Column[] = [
    { title: 'truth', cells: labels.map((label, i) => (label === String(i) ? label : `${i} ${label}`)) },
    ...labels.map((_, column) => ({ title: String(column), cells: matrix.map((row) => whole(row[column])) })),
  ];
  return table(columns).text;
}

const describe = ({ level, resamples, seed }: Pick<Confidence, 'level' | 'resamples' | 'seed'>): string =>
  `Intervals: ${levelText(level)}, percentile bootstrap over images, ${whole(resamples)} resamples, seed ${seed}.`;

/** The paired comparison of two models for people; a and b say what they are, `names` how they are called in the table. */
export function renderComparison(
  comparison: Comparison,
  labels: readonly string[],
  a: string,
  b: string,
  width: number,
  names = { a: 'A', b: 'B' },
): string {
  const { auc_per_label, average_precision_per_label, level, resamples, seed, ...summary } = comparison;
  const rows: [name: string, figure: ComparedFigure][] = [
    ...Object.entries(summary).map(([name, figure]): [string, ComparedFigure] => [name.replaceAll('_', ' '), figure]),
    ...auc_per_label.map((figure, label): [string, ComparedFigure] => [`auc of ${labels[label]}`, figure]),
    ...average_precision_per_label.map((figure, label): [string, ComparedFigure] => [
      `average precision of ${labels[label]}`,
      figure,
    ]),
  ];
  const column = (title: string, cell: (figure: ComparedFigure) => string, goes?: number): Column => ({
    title,
    cells: rows.map(([, figure]) => cell(figure)),
    goes,
  });
  const figures = table(
    [
      { title: '', cells: rows.map(([name]) => name) },
      column(names.a, (figure) => fixed(figure.a, 4)),
      column(names.b, (figure) => fixed(figure.b, 4)),
      column(`${names.a} - ${names.b}`, (figure) => signed(figure.difference)),
      column(
        `${levelText(level)} interval`,
        ({ interval: [low, high] }) => (low === null ? UNDEFINED : `${signed(low)} to ${signed(high)}`),
        1,
      ),
      column(`${names.a} better`, (figure) => (figure.a_better === null ? UNDEFINED : percent(figure.a_better)), 2),
    ],
    width,
  );
  return [
    `${names.a}  ${unbroken(a)}`,
    `${names.b}  ${unbroken(b)}`,
    '',
    figures.text,
    '',
    `${names.a} better: share of resamples in which ${names.a} is strictly better (for brier: lower). Both are scored on the same resamples.`,
    describe({ level, resamples, seed }),
    ...missing(figures),
  ].join('\n');
}

/** What calibration brought on the test split, for people. */
export function renderCalibration({ splits, labels, calibration }: MetricsFile): string {
  const { kept, before } = calibration!;
  const { loss = null, ece } = splits.test;
  const untouched = kept.length > 0 ? `; left as it was: ${listed(kept.map((label) => labels[label]))}` : '';
  return `Calibrated on the validation split: macro ECE ${fixed(ece.macro, 4)} (before ${fixed(before.test.ece.macro, 4)}), loss ${fixed(loss, 4)} (${fixed(before.test.loss, 4)})${untouched}.`;
}

/** The members of an ensemble for people, and the ensemble beside the best of them. */
export function renderMembers({ members, mean, best, comparison }: EnsembleFigures, width: number): string {
  const rows = [...members, undefined];
  const column = (title: string, split: 'val' | 'test', name: keyof RankSummary<Figure>, goes?: number): Column => {
    const { mean: middle, sd } = mean[split][name];
    return {
      title,
      cells: rows.map((of) => (of ? fixed(of[split][name], 4) : `${fixed(middle, 4)} ± ${fixed(sd, 4)}`)),
      goes,
    };
  };
  const figures = table(
    [
      { title: 'member', cells: rows.map((of) => (of ? `seed ${of.seed}` : 'mean ± sd')) },
      { title: 'best epoch', cells: rows.map((of) => (of ? String(of.best_epoch) : '')), goes: 1 },
      column('val AUC', 'val', 'auc_macro', 3),
      column('val AP', 'val', 'average_precision_macro', 2),
      column('test AUC', 'test', 'auc_macro'),
      column('test AP', 'test', 'average_precision_macro', 4),
    ],
    width,
  );
  const gain = (name: string, { difference, interval: [low, high] }: ComparedFigure): string =>
    `${name} ${signed(difference)} (${low === null ? UNDEFINED : `${signed(low)} to ${signed(high)}`})`;
  return [
    figures.text,
    ...(comparison
      ? [
          '',
          `The ensemble against seed ${best}, the best member on validation: ${gain('AUC', comparison.auc_macro)}, ${gain('AP', comparison.average_precision_macro)}.`,
        ]
      : []),
    ...missing(figures),
  ].join('\n');
}

const signed = (value: Figure): string => (value === null || value < 0 ? fixed(value, 4) : `+${fixed(value, 4)}`);
