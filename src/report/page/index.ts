/**
 * report.html: the whole run on one self-contained page, without a network or other files. This file has the order of the
 * sections and the headline; the frame and the other sections are in the other files of this folder.
 */
import type { Metrics, MetricsFile } from '../../metrics/types';
import { curveSection, matrixSection, scoreSections } from './charts';
import { exampleSection } from './examples';
import { environmentSection, epochsSection } from './facts';
import { frame, type Frame } from './frame';
import { labelTable } from './labels';
import { membersSection } from './members';
import type { Examples } from '../examples';
import { escape, figureText, plural } from '../format';
import type { Pictures } from '../charts/pictures';
import { isExclusive } from '../../base/task';
import { baselineOf } from '../../metrics/baselines';
import type { RunData } from '../../run/open';

/** The page of a run; `examples` is undefined when their images are not available. `live` is what one in progress has. */
export function renderPage(
  data: RunData,
  pictures: Pictures,
  examples: Examples | undefined,
  live: Partial<Pick<Frame, 'script' | 'connects' | 'banner'>> = {},
): string {
  const { name, metrics, notes } = data;
  const sections = [
    metrics && headline(metrics),
    metrics?.ensemble && membersSection(metrics.ensemble),
    curveSection(pictures, isExclusive(metrics?.task ?? data.options?.task ?? undefined)),
    metrics && labelTable(metrics),
    metrics && matrixSection(metrics, pictures),
    ...(metrics ? scoreSections(metrics, pictures) : []),
    metrics && exampleSection(data, metrics, examples),
    epochsSection(data),
    environmentSection(data),
  ].filter((section) => section !== undefined && section !== '') as string[];
  return frame({
    title: `${name} – chestmnist report`,
    heading: name,
    subtitle: subtitle(data),
    notes,
    sections,
    ...live,
  });
}

function subtitle({ ensemble, record, metrics, history }: RunData): string {
  return [
    metrics?.dataset ?? record?.data.name,
    record && `run ${record.status}`,
    history.length > 0 && plural(history.length, 'epoch'),
    ensemble
      ? `mean of the probabilities of ${ensemble.members.length} members`
      : metrics && `scored with the weights of epoch ${metrics.best_epoch}`,
    metrics && `${plural(metrics.splits.test.n, 'test image')}`,
    (ensemble ?? record)?.started.slice(0, 10),
    record && `chestmnist ${record.versions.chestmnist}`,
  ]
    .filter((part) => typeof part === 'string')
    .join(' · ');
}

/** The figures that imbalance does not inflate, each next to the baseline of predicting nothing, or the majority. */
function headline(file: MetricsFile): string {
  const { val, test } = file.splits;
  const { confidence } = test;
  const nothing = baselineOf(test, file.labels);
  const exclusive = isExclusive(test.task);
  const [rule, tuned] = Object.entries(file.tuned ?? {})[0] ?? [];
  const tile = (
    title: string,
    key: 'auc' | 'average_precision' | 'recall' | 'f1',
    base: number | null,
    what: string,
  ): string => {
    const interval = confidence?.[`${key}_macro`];
    const lines = [
      interval &&
        interval[0] !== null &&
        `${100 * confidence.level} % interval ${figureText(interval[0])} to ${figureText(interval[1])}`,
      `validation ${figureText(val[key].macro)}`,
      (key === 'recall' || key === 'f1') && tuned && `with thresholds by ${rule}: ${figureText(tuned.test[key].macro)}`,
    ].filter((line) => typeof line === 'string');
    return `<div class="tile"><dt>${title}</dt><dd><span class="value">${figureText(test[key].macro)}</span>
${lines.map((line) => `<small>${escape(line)}</small>`).join('')}
<span class="base">${escape(nothing.name)}: ${figureText(base)}</span><small>${what}</small></dd></div>`;
  };
  return `<section aria-labelledby="headline">
<h2 id="headline">Headline</h2>
<p>Test split, ${plural(test.n, 'image')}, means over the ${exclusive ? 'classes' : 'labels'}. Decisions ${exclusive ? 'for' : 'at'} ${decisionText(test)}.</p>
<dl class="tiles">
${tile('Macro AUC', 'auc', nothing.auc_macro, 'How well positives rank above negatives; 0.5 is chance.')}
${tile('Macro average precision', 'average_precision', nothing.average_precision_macro, 'Precision over all recalls; chance is the prevalence.')}
${tile('Macro F1', 'f1', nothing.f1_macro, 'Precision and recall of the decisions in one.')}
${tile('Macro recall', 'recall', nothing.recall_macro, exclusive ? 'Balanced accuracy: the share of each class that was found.' : 'The share of actual findings that were found.')}
${kappaTile(test)}
</dl>
<p class="verdict">${verdict(test, nothing)}</p>
</section>`;
}

const decisionText = ({ threshold }: Metrics): string =>
  threshold === null
    ? 'the most probable class'
    : typeof threshold === 'number'
      ? `a probability above ${threshold}`
      : 'a probability above the threshold of each label';

/** Of classes in order: how far decisions are from the truth. */
function kappaTile({ quadratic_weighted_kappa: kappa, confidence }: Metrics): string {
  if (kappa === undefined) return '';
  const [low, high] = confidence?.quadratic_weighted_kappa ?? [null, null];
  const interval = low === null ? '' : `<small>interval ${figureText(low)} to ${figureText(high)}</small>`;
  return `<div class="tile"><dt>Quadratic weighted kappa</dt><dd><span class="value">${figureText(kappa)}</span>${interval}
<span class="base">chance: 0.000</span><small>Agreement of classes in order, where far mistakes count more.</small></dd></div>`;
}

function verdict({ task, accuracy }: Metrics, nothing: ReturnType<typeof baselineOf>): string {
  const gain = accuracy.mean - nothing.accuracy;
  if (task !== undefined) {
    const facts = `Accuracy is <b>${figureText(accuracy.mean, 4)}</b>; deciding ${escape(nothing.name)} scores <b>${figureText(nothing.accuracy, 4)}</b>.`;
    return gain > 0 ? facts : `${facts} The model is no better: read the figures above.`;
  }
  const facts = `Mean accuracy is <b>${figureText(accuracy.mean, 4)}</b>; predicting nothing at all scores <b>${figureText(nothing.accuracy, 4)}</b>.`;
  if (gain > 0.01) return `${facts} The difference says less than the figures above: read those first.`;
  const relation = gain > 0 ? 'hardly above' : gain < 0 ? 'below' : 'equal to';
  return `${facts} It is ${relation} the baseline, because findings are rare: accuracy says next to nothing here. Read the figures above.`;
}
