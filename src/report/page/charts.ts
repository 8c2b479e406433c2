/** The charts of the page: curves over epochs, confusion matrices, and the curves of each label. */
import type { Metrics, MetricsFile } from '../../metrics/types';
import type { Drawing } from '../charts/chart';
import { count, escape, figureText, percent } from '../format';
import { tunedTable } from './labels';
import type { Panels, Pictures } from '../charts/pictures';
import { withVariables } from '../charts/theme';

/** A drawing in the page: an image with a text alternative, in the colours of the page. */
export const inline = ({ width, height, body, description }: Drawing): string =>
  `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(description)}">${withVariables(body)}</svg>`;

export const figure = (caption: string, small: string, drawing: Drawing): string =>
  `<figure><figcaption>${escape(caption)}<small>${escape(small)}</small></figcaption>${inline(drawing)}</figure>`;

export const section = (id: string, title: string, text: string, body: string): string =>
  `<section aria-labelledby="${id}">\n<h2 id="${id}">${title}</h2>\n<p>${text}</p>\n${body}\n</section>`;

export function curveSection({ curves }: Pictures, exclusive: boolean): string {
  if (!curves) return '';
  return section(
    'curves',
    'Training',
    'The weights of the epoch with the highest validation AUC are kept. Validation loss that rises while training loss falls is overfitting.',
    `<div class="curves">${figure('Loss', exclusive ? 'mean cross-entropy over images' : 'mean binary cross-entropy over images and labels', curves.loss)}
${figure('Validation AUC', 'mean over the labels', curves.auc)}</div>`,
  );
}

/** The matrices at the threshold of metrics.json, and one collapsible section per tuned rule. */
export function matrixSection(file: MetricsFile, pictures: Pictures): string {
  const { labels, splits, tuned = {} } = file;
  if (!pictures.confusion) return '';
  if (pictures.classes) {
    return section(
      'matrices',
      'Confusion matrix',
      'Test split. Rows are the truth, columns the most probable class; each cell has the number of images and its share of the row. The stronger the blue, the larger the share.',
      figure('All classes', `${count(splits.test.n)} images`, pictures.classes),
    );
  }
  const panels = ({ threshold, prevalence }: Metrics, drawings: Panels): string =>
    grid(labels, drawings, (i) => {
      return typeof threshold === 'number' || threshold === null
        ? `prevalence ${percent(prevalence[i])}`
        : `threshold ${figureText(threshold[i])}`;
    });
  const rules = Object.entries(tuned).map(
    ([rule, { test }], i) =>
      `<details${i === 0 ? ' open' : ''}><summary>At thresholds tuned on validation: ${escape(rule)}</summary>
${tunedTable(file, rule)}
${panels(test, pictures.tuned[rule])}</details>`,
  );
  const { threshold } = splits.test;
  return section(
    'matrices',
    'Confusion matrices',
    'Test split. Rows are the truth, columns the decision; each cell has the number of images and its share of the row: ' +
      'TN rightly negative, FP false alarm, FN missed, TP found. The stronger the blue, the larger the share.',
    `<h3>${typeof threshold === 'number' ? `At a threshold of ${threshold}` : 'At one threshold per label'}</h3>
${panels(splits.test, pictures.confusion)}
${rules.join('\n')}`,
  );
}

const grid = (labels: readonly string[], panels: Panels, small: (i: number) => string): string =>
  `<div class="panels">${labels.map((label, i) => figure(label, small(i), panels[i])).join('\n')}</div>`;

/** ROC, precision-recall and reliability of each label on the test split. */
export function scoreSections({ labels, splits }: MetricsFile, { scored }: Pictures): string[] {
  if (!scored) return [];
  const { support, n, brier } = splits.test;
  const positives = (i: number): string => `${count(support[i])} of ${count(n)} positive`;
  return [
    section('roc', 'ROC curves', 'Test split. The dashed diagonal is chance.', grid(labels, scored.roc, positives)),
    section(
      'pr',
      'Precision-recall curves',
      'Test split. The dashed line is the prevalence, the precision of random scores.',
      grid(labels, scored.pr, positives),
    ),
    section(
      'reliability',
      'Reliability diagrams',
      'Test split, 15 bins of equal width. On the dashed diagonal, probabilities are perfectly calibrated. The area of a dot is the share of images in its bin.',
      grid(labels, scored.reliability, (i) => `Brier score ${figureText(brier.per_label[i])}`),
    ),
  ];
}
