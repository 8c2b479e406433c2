/**
 * What a model card says, as plain values: the content of model-card.json, from which the Markdown is written. Figures are
 * those of metrics.json, as they are there. What is not known is null and never guessed.
 */
import { isExclusive } from '../../base/task';
import { version } from '../../base/version';
import type { DataFacts, SplitName } from '../../data/dataset';
import { knownByMd5 } from '../../data/catalogue';
import { baselineOf } from '../../metrics/baselines';
import type { Calibration, Figure, Metrics, MetricsFile, SummaryFigure } from '../../metrics/types';
import { OPTION_NAMES, type ResolvedOptions } from '../../recipe/options';
import { configOf, isFree, resolveOptions } from '../../recipe/resolve';
import type { RunData } from '../../run/open';
import { limitsOf } from './limits';
import type { Card, CardData, CardFigure, CardFile, CardModel } from './types';

/** What a card is made of; a run's own has all but `file`. */
export interface CardSource {
  name: string;
  model: CardModel;
  run?: Pick<RunData, 'ensemble' | 'options' | 'record' | 'metrics'>;
  file?: CardFile;
  /** What changed since the run was trained, in sentences: the figures may be of other weights. */
  changes?: readonly string[];
}

export const PREPROCESSING =
  'gray images are repeated to three channels; each value v of 0 to 255 becomes (v / 255 - 0.5) / 0.5; [N, 3, S, S], float32';

export const INTENDED_USE =
  'Research and teaching. Not a medical device: nothing that it says may guide the care of a patient.';

export function cardOf({ name, model, run, file, changes = [] }: CardSource): Card {
  const { options, record, metrics, ensemble } = run ?? {};
  const facts = ensemble?.data ?? record?.data;
  const data = facts ? dataOf(facts) : null;
  return {
    card: 1,
    name,
    intended_use: INTENDED_USE,
    file: file ?? null,
    model,
    data,
    recipe: options
      ? {
          options: recipeOf(options),
          best_epoch: ensemble ? null : (metrics?.best_epoch ?? record?.best_epoch ?? null),
          versions: record?.versions ?? null,
          device: record ? `${record.device} (${record.device_name})` : null,
          started: (ensemble ?? record)?.started ?? null,
        }
      : null,
    figures: metrics ? figuresOf(metrics, record?.data.positives) : null,
    thresholds: metrics?.tuned
      ? Object.fromEntries(Object.entries(metrics.tuned).map(([rule, { thresholds }]) => [rule, thresholds]))
      : null,
    calibration: metrics?.calibration ? calibrationOf(metrics, metrics.calibration) : null,
    limits: [...changes.map((change) => `${change}.`), ...limitsOf(data, model, metrics)],
    written_by: `chestmnist ${version}`,
  };
}

function dataOf({ name, size, md5, counts }: DataFacts): CardData {
  const known = knownByMd5(md5)?.set;
  const { train, val, test } = counts;
  return {
    ...{ name, size, md5, counts: { train, val, test } },
    licence: known?.licence ?? null,
    licence_url: known?.licenceUrl ?? null,
    source: known ? `${known.title}, ${known.record}` : null,
  };
}

/** Where the run was kept and on what it ran says nothing about the model; the data and their labels are named above. */
const ELSEWHERE = new Set<string>(['size', 'task', 'labelNames', 'seeds']);
const RESULT = new Set<string>(['epochs', 'calibrate', 'resamples']);

/** The options that made the result and differ from their defaults. A path is cut to the name of its file. */
function recipeOf(options: ResolvedOptions): Partial<ResolvedOptions> {
  const [own, defaults] = [configOf(options), configOf(resolveOptions({}))];
  const names = OPTION_NAMES.filter(
    (name) =>
      (!isFree(name) || RESULT.has(name)) &&
      !ELSEWHERE.has(name) &&
      JSON.stringify(own[name]) !== JSON.stringify(defaults[name]),
  );
  const value = (name: keyof ResolvedOptions): unknown => {
    const of = own[name];
    return (name === 'weights' || name === 'recipe') && typeof of === 'string' ? of.split(/[\\/]/).at(-1) : of;
  };
  return Object.fromEntries(names.map((name) => [name, value(name)]));
}

/** What the baseline has too. */
type Compared = 'auc_macro' | 'average_precision_macro' | 'f1_macro' | 'recall_macro' | 'accuracy';

function figuresOf(
  file: MetricsFile,
  positives: Record<SplitName, number[]> | undefined,
): NonNullable<Card['figures']> {
  const { labels } = file;
  const { val, test } = file.splits;
  const { confidence } = test;
  const nothing = baselineOf(test, labels);
  const figure = (of: (metrics: Metrics) => Figure, interval?: SummaryFigure, baseline?: Compared): CardFigure => ({
    test: of(test),
    interval: (interval && confidence?.[interval]) ?? null,
    validation: of(val),
    baseline: baseline ? nothing[baseline] : null,
  });
  return {
    decision: decisionOf(test),
    images: test.n,
    level: confidence?.level ?? null,
    resamples: confidence?.resamples ?? null,
    baseline: nothing.name,
    summary: {
      auc_macro: figure(({ auc }) => auc.macro, 'auc_macro', 'auc_macro'),
      average_precision_macro: figure(
        ({ average_precision: ap }) => ap.macro,
        'average_precision_macro',
        'average_precision_macro',
      ),
      f1_macro: figure(({ f1 }) => f1.macro, 'f1_macro', 'f1_macro'),
      recall_macro: figure(({ recall }) => recall.macro, 'recall_macro', 'recall_macro'),
      accuracy_mean: figure(({ accuracy }) => accuracy.mean, 'accuracy_mean', 'accuracy'),
      brier_macro: figure(({ brier }) => brier.macro, 'brier_macro'),
      ece_macro: figure(({ ece }) => ece.macro),
      ...(test.quadratic_weighted_kappa !== undefined && {
        quadratic_weighted_kappa: {
          ...figure(({ quadratic_weighted_kappa: kappa }) => kappa ?? null),
          interval: confidence?.quadratic_weighted_kappa ?? null,
          baseline: 0,
        },
      }),
    },
    labels: labels.map((label, i) => ({
      label,
      images: { train: positives?.train[i] ?? null, val: val.support[i], test: test.support[i] },
      prevalence: test.prevalence[i],
      auc: test.auc.per_label[i],
      auc_interval: confidence?.auc_per_label[i] ?? null,
      average_precision: test.average_precision.per_label[i],
      average_precision_interval: confidence?.average_precision_per_label[i] ?? null,
      precision: test.precision.per_label[i],
      recall: test.recall.per_label[i],
      specificity: test.specificity.per_label[i],
      f1: test.f1.per_label[i],
      ece: test.ece.per_label[i],
    })),
  };
}

const decisionOf = ({ threshold, task }: Metrics): string =>
  isExclusive(task)
    ? 'the most probable class'
    : typeof threshold === 'number'
      ? `a probability above ${threshold}`
      : 'a probability above the threshold of each label';

function calibrationOf({ splits: { test } }: MetricsFile, { temperatures, kept, before }: Calibration) {
  return {
    ...{ temperatures, kept },
    ece: { before: before.test.ece.macro, after: test.ece.macro },
    loss: { before: before.test.loss, after: test.loss ?? null },
  };
}
