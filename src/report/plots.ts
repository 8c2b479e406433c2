/** The files of plots/: their names, titles and explanations. */
import { sheet, titled, type Drawing } from './charts/chart';
import { count, percent, slug } from './format';
import type { Panels, Pictures } from './charts/pictures';
import { isExclusive } from '../base/task';
import type { RunData } from '../run/open';

export interface Plot {
  /** File name without extension. */
  name: string;
  title: string;
  drawing: Drawing;
}

const COLUMNS = 5;

/** All pictures that the run has data for. */
export function plotsOf({ metrics, options, name }: RunData, { curves, confusion, classes, scored }: Pictures): Plot[] {
  const plot = (file: string, heading: string, drawing: Drawing): Plot => ({
    name: file,
    title: `${heading} – ${name}`,
    drawing,
  });
  const exclusive = isExclusive(metrics?.task ?? options?.task ?? undefined);
  const plots: Plot[] = [];
  if (curves) {
    plots.push(
      plot(
        'loss',
        'Loss',
        titled(curves.loss, 'Loss', `after each epoch, mean over images${exclusive ? '' : ' and labels'}`),
      ),
    );
    plots.push(
      plot('auc', 'Validation AUC', titled(curves.auc, 'Validation AUC', 'after each epoch, mean over the labels')),
    );
  }
  if (!metrics) return plots;
  const { labels } = metrics;
  const { prevalence, support, threshold, n } = metrics.splits.test;
  const split = `Test split, ${count(n)} images`;
  if (classes) {
    const matrix = titled(classes, 'Confusion matrix', `${split}. Share of the row below each count.`);
    plots.push(plot('confusion', 'Confusion matrix', matrix));
  } else if (confusion) {
    const at = typeof threshold === 'number' ? `threshold ${threshold}` : 'one threshold per label';
    const panels = confusion.map((panel, i) => titled(panel, labels[i], `prevalence ${percent(prevalence[i])}`));
    const notes = [
      `${split}, ${at}. Rows: truth. Columns: decision. Each cell: images, share of the row.`,
      'TN rightly negative, FP false alarm, FN missed, TP found. Darker: a larger share of the row.',
    ];
    plots.push(plot('confusion', 'Confusion matrices', sheet(panels, 'Confusion matrices', notes, COLUMNS)));
    const names = fileNames(labels);
    panels.forEach((panel, i) => plots.push(plot(`confusion-${names[i]}`, `Confusion matrix of ${labels[i]}`, panel)));
  }
  const grid = (file: string, heading: string, note: string, panels: Panels): void => {
    const named = panels.map((panel, i) => titled(panel, labels[i], `${count(support[i])} of ${count(n)} positive`));
    plots.push(plot(file, heading, sheet(named, heading, [`${split}. ${note}`], COLUMNS)));
  };
  if (scored) {
    const { roc, pr, reliability } = scored;
    grid('roc', 'ROC curves', 'The dashed diagonal is chance.', roc);
    grid('pr', 'Precision-recall curves', 'The dashed line is the prevalence, the precision of random scores.', pr);
    grid(
      'reliability',
      'Reliability diagrams',
      '15 bins of equal width; the area of a dot is the share of images in its bin.',
      reliability,
    );
  }
  return plots;
}

/** The names of all pictures that a run with these labels may have. */
export const plotNames = (labels: readonly string[] = []): string[] => [
  ...['loss', 'auc', 'confusion', 'roc', 'pr', 'reliability'],
  ...fileNames(labels).map((name) => `confusion-${name}`),
];

/**
 * One file name per label, different for every file system: its letters and digits, and its number when these are none or
 * taken.
 */
function fileNames(labels: readonly string[]): string[] {
  const slugs = labels.map(slug);
  const names = new Set(slugs.filter((name) => name !== ''));
  return slugs.map((name, i) => {
    if (name !== '' && slugs.indexOf(name) === i) return name;
    let own = `${name}${name && '-'}label${i + 1}`;
    while (names.has(own)) own += '-';
    names.add(own);
    return own;
  });
}
