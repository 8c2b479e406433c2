/** All drawings of a run, each made once: for the files of plots/ and for the page. */
import type { Metrics } from '../../metrics/types';
import type { Drawing } from './chart';
import { aucCurve, lossCurve } from './curves';
import { classMatrix } from './class-matrix';
import { confusionPanel, precisionRecallPanel, reliabilityPanel, rocPanel } from './panels';
import { predictionsOfLabel } from '../../metrics';
import { isExclusive } from '../../base/task';
import { chosenEpoch, type RunData } from '../../run/open';

/** One drawing per label, of the test split. */
export type Panels = Drawing[];

export interface Pictures {
  /** Absent before the first epoch. */
  curves?: { loss: Drawing; auc: Drawing };
  /** At the threshold of metrics.json, and at those of each tuned rule. Absent before the run was scored. */
  confusion?: Panels;
  /** The confusion matrix of exclusive labels. */
  classes?: Drawing;
  tuned: Record<string, Panels>;
  /** Absent without the predictions of the test split. */
  scored?: { roc: Panels; pr: Panels; reliability: Panels };
}

export function drawPictures(data: RunData): Pictures {
  const { history, metrics, predictions } = data;
  const chosen = chosenEpoch(data);
  const exclusive = isExclusive(metrics?.task ?? data.options?.task ?? undefined);
  const curves =
    history.length > 0 ? { loss: lossCurve(history, chosen, exclusive), auc: aucCurve(history, chosen) } : undefined;
  if (!metrics) return { curves, tuned: {} };
  const { labels, splits, tuned = {} } = metrics;
  const { auc, average_precision: ap, prevalence, ece, confusion_matrix: matrix } = splits.test;
  const matrices = ({ confusion }: Metrics): Panels => labels.map((label, i) => confusionPanel(label, confusion[i]));
  const { test } = predictions;
  const scores = test && labels.map((_, i) => predictionsOfLabel(test, i));
  return {
    curves,
    confusion: matrices(splits.test),
    ...(matrix && { classes: classMatrix(labels, matrix) }),
    tuned: Object.fromEntries(Object.entries(tuned).map(([rule, result]) => [rule, matrices(result.test)])),
    scored: scores && {
      roc: labels.map((label, i) => rocPanel(label, scores[i], auc.per_label[i])),
      pr: labels.map((label, i) => precisionRecallPanel(label, scores[i], ap.per_label[i], prevalence[i])),
      reliability: labels.map((label, i) => reliabilityPanel(label, scores[i], ece.per_label[i])),
    },
  };
}
