/**
 * The summary people read in a terminal: a headline that puts what predicting nothing scores beside accuracy, then a
 * table of the labels. The train, evaluate and metrics verbs print it; the numbers themselves are metrics/types.ts.
 */
import type {
  Comparison,
  ComparedFigure,
  Confidence,
  Figure,
  Interval,
  Metrics,
  SummaryFigure,
} from '../../metrics/types';
import { table } from './table';

const UNDEFINED = '–';

const fixed = (value: Figure, digits = 3): string => (value === null ? UNDEFINED : value.toFixed(digits));
const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
/** `95 %`, `99.5 %`. */
const levelText = (level: number): string => `${Number((100 * level).toFixed(2))} %`;
const whole = (value: number): string => value.toLocaleString('en-US');

function interval([low, high]: Interval, digits = 3): string {
  return low === null ? UNDEFINED : `${fixed(low, digits)} to ${fixed(high, digits)}`;
}

/** One line of the headline: our figure, its interval when there is one, and what predicting nothing scores. */
function headline(metrics: Metrics): string {
  const { all_negative: nothing, confidence } = metrics;
  const row = (name: string, key: SummaryFigure, value: Figure, baseline: Figure, digits = 3): string[] => [
    name,
    fixed(value, digits),
    ...(confidence ? [interval(confidence[key], digits)] : []),
    fixed(baseline, digits),
  ];
  return table([
    ['', 'model', ...(confidence ? [`${levelText(confidence.level)} interval`] : []), 'predicting nothing'],
    row('macro AUC', 'auc_macro', metrics.auc.macro, nothing.auc_macro),
    row(
      'macro average precision',
      'average_precision_macro',
      metrics.average_precision.macro,
      nothing.average_precision_macro,
    ),
    row('macro F1', 'f1_macro', metrics.f1.macro, nothing.f1_macro),
    row('macro recall', 'recall_macro', metrics.recall.macro, nothing.recall_macro),
    row('accuracy', 'accuracy_mean', metrics.accuracy.mean, nothing.accuracy, 4),
  ]);
}

/** Says what accuracy hides: whether it beats predicting nothing, and which labels are never found. */
function verdict(metrics: Metrics, labels: readonly string[]): string[] {
  const gain = metrics.accuracy.mean - metrics.all_negative.accuracy;
  const points = `${Math.abs(100 * gain).toFixed(2)} points`;
  const lines = [
    gain > 0
      ? `Accuracy is ${points} above predicting nothing.`
      : gain < 0
        ? `Accuracy is ${points} below predicting nothing: judge this model by the other figures.`
        : 'Accuracy is that of predicting nothing: judge this model by the other figures.',
  ];
  const missed = labels.filter((_, label) => metrics.support[label] > 0 && metrics.confusion[label][1][1] === 0);
  if (missed.length > 0) {
    lines.push(`Without one true positive: ${missed.join(', ')} (${missed.length} of ${labels.length} labels).`);
  }
  // Figures that are undefined for the same labels share a line.
  const figuresOf = new Map<string, string[]>();
  for (const [name, indices] of Object.entries(metrics.undefined)) {
    const missing = indices.map((label) => labels[label]).join(', ');
    figuresOf.set(missing, [...(figuresOf.get(missing) ?? []), name.replaceAll('_', ' ')]);
  }
  for (const [missing, names] of figuresOf) {
    lines.push(`Undefined for ${missing} and left out of the mean: ${names.join(', ')}.`);
  }
  return lines;
}

function labelTable(metrics: Metrics, labels: readonly string[]): string {
  const { support, prevalence, confidence, auc, average_precision: ap, precision, recall, f1 } = metrics;
  const perLabel = typeof metrics.threshold === 'number' ? undefined : metrics.threshold;
  const withInterval = (value: Figure, list: Interval[] | undefined, label: number): string[] => [
    fixed(value),
    ...(list ? [interval(list[label])] : []),
  ];
  const gap = confidence ? [''] : [];
  return table([
    [
      'label',
      'support',
      'prevalence',
      ...(perLabel ? ['threshold'] : []),
      'AUC',
      ...(confidence ? ['interval'] : []),
      'AP',
      ...(confidence ? ['interval'] : []),
      'precision',
      'recall',
      'F1',
    ],
    ...labels.map((name, label) => [
      name,
      whole(support[label]),
      percent(prevalence[label]),
      ...(perLabel ? [fixed(perLabel[label])] : []),
      ...withInterval(auc.per_label[label], confidence?.auc_per_label, label),
      ...withInterval(ap.per_label[label], confidence?.average_precision_per_label, label),
      fixed(precision.per_label[label]),
      fixed(recall.per_label[label]),
      fixed(f1.per_label[label]),
    ]),
    ...(['macro', 'micro'] as const).map((mean) => [
      mean,
      '',
      '',
      ...(perLabel ? [''] : []),
      fixed(auc[mean]),
      ...gap,
      fixed(ap[mean]),
      ...gap,
      fixed(precision[mean]),
      fixed(recall[mean]),
      fixed(f1[mean]),
    ]),
  ]);
}

/** The metrics of one split for people: several lines, no colours, no line break at the end. */
export function renderSummary(metrics: Metrics, labels: readonly string[]): string {
  const { n, loss, threshold, confidence } = metrics;
  const decision = typeof threshold === 'number' ? `score > ${threshold}` : 'score > a threshold of each label';
  return [
    `${whole(n)} images, ${labels.length} labels, decision ${decision}${loss === undefined || loss === null ? '' : `, loss ${fixed(loss, 4)}`}`,
    '',
    headline(metrics),
    '',
    ...verdict(metrics, labels),
    '',
    labelTable(metrics, labels),
    ...(confidence ? ['', describe(confidence)] : []),
  ].join('\n');
}

const describe = ({ level, resamples, seed }: Pick<Confidence, 'level' | 'resamples' | 'seed'>): string =>
  `Intervals: ${levelText(level)}, percentile bootstrap over images, ${whole(resamples)} resamples, seed ${seed}.`;

/** The paired comparison of two models for people; a and b are their names. */
export function renderComparison(comparison: Comparison, labels: readonly string[], a: string, b: string): string {
  const signed = (value: Figure): string => (value === null || value < 0 ? fixed(value, 4) : `+${fixed(value, 4)}`);
  const row = (name: string, figure: ComparedFigure): string[] => [
    name,
    fixed(figure.a, 4),
    fixed(figure.b, 4),
    signed(figure.difference),
    figure.interval[0] === null ? UNDEFINED : `${signed(figure.interval[0])} to ${signed(figure.interval[1])}`,
    figure.a_better === null ? UNDEFINED : percent(figure.a_better),
  ];
  const { auc_per_label, average_precision_per_label, level, resamples, seed, ...summary } = comparison;
  return [
    `A  ${a}`,
    `B  ${b}`,
    '',
    table([
      ['', 'A', 'B', 'A - B', `${levelText(level)} interval`, 'A better'],
      ...Object.entries(summary).map(([name, figure]) => row(name.replaceAll('_', ' '), figure)),
      ...auc_per_label.map((figure, label) => row(`auc of ${labels[label]}`, figure)),
      ...average_precision_per_label.map((figure, label) => row(`average precision of ${labels[label]}`, figure)),
    ]),
    '',
    'A better: share of resamples in which A is strictly better (for brier: lower). Both are scored on the same resamples.',
    describe({ level, resamples, seed }),
  ].join('\n');
}
