/**
 * Scores splits with a trainer: predicts one split, or scores both at the end of a run and writes the results. Not
 * here: the definitions of the figures (metrics/), the pictures (report/).
 */
import path from 'node:path';
import { ChestMnistError } from '../base/errors';
import type { Dataset, Split } from '../data/dataset';
import type { StateDict, Trainer } from '../engine/contract';
import { isExclusive, type Task } from '../base/task';
import { computeMetrics, tuneThresholds, untunedLabels } from '../metrics';
import { predictionsOf } from '../metrics/loss';
import type { Calibration, CalibrationFigures, MetricsFile, Predictions } from '../metrics/types';
import { fitTemperatures } from '../metrics/temperature';
import { SCORED_SPLITS, type ScoredSplit } from '../run/directory';
import { writeMetrics } from '../run/metrics-file';
import { writePredictions } from '../run/predictions';
import { withTemperatures } from '../weights';

/** Rules whose thresholds every run stores, tuned on the validation split. Exclusive labels have no thresholds. */
const RULES = ['val-f1', 'val-youden', 'val-sensitivity=0.9'] as const;
/** Seed and level of the intervals in metrics.json. */
export const CONFIDENCE = { seed: 0, level: 0.95 };

/** A model's predictions of a split, with the truth. */
export type Scored = Predictions & { logits: Float32Array; loss: number };

/** Scores a split that the trainer has loaded under its name; undefined when it was cancelled. */
export async function scoreSplit(
  trainer: Trainer,
  split: ScoredSplit,
  task: Task,
  { truth, labelCount }: Split,
  how: { batchSize: number; averaged?: boolean },
  onProgress?: (progress: { samples: number; seconds: number }) => void,
): Promise<Scored | undefined> {
  const { logits, cancelled } = await trainer.predict({ split, ...how }, onProgress);
  if (cancelled) return undefined;
  return predictionsOf(task, { truth, logits, labelCount });
}

/** Throws ERR_WEIGHTS for a logit that is not finite: the weights are finite, but too large for the network's sums. */
export function checkLogits(logits: Float32Array, labels: readonly string[], target: string): void {
  const at = logits.findIndex((logit) => !Number.isFinite(logit));
  if (at < 0) return;
  const place = `image ${Math.floor(at / labels.length)}, ${labels[at % labels.length]}`;
  throw new ChestMnistError('ERR_WEIGHTS', {
    found: `${target} gives a logit of ${logits[at]} (${place}): its weights are finite, but so large that sums overflow`,
    needed: 'finite logits',
    next: 'pass weights from before the training diverged, such as those of an earlier epoch',
  });
}

/** The inputs of scoring at the end of a run. */
export interface RunToScore {
  directory: string;
  dataset: Dataset;
  trainer: Trainer;
  best: { epoch: number; weights: StateDict };
  batchSize: number;
  /** Bootstrap resamples of the test split's intervals; 0 for none. */
  resamples: number;
  /** Whether the weights are scored with temperatures fitted to the validation split. */
  calibrate: boolean;
  onProgress: (split: ScoredSplit, progress: { samples: number; seconds: number }) => void;
}

/** Scores val and test with the best weights and writes metrics.json and predictions/. Undefined when it was cancelled. */
export async function scoreRun(run: RunToScore): Promise<MetricsFile | undefined> {
  const { directory, dataset, trainer, best, batchSize, resamples, calibrate } = run;
  await trainer.loadStateDict(best.weights);
  const score = (split: ScoredSplit): Promise<Scored | undefined> =>
    scoreSplit(trainer, split, dataset.task, dataset.splits[split], { batchSize }, (progress) =>
      run.onProgress(split, progress),
    );
  const both = async (): Promise<Record<ScoredSplit, Scored> | undefined> => {
    const val = await score('val');
    const test = val && (await score('test'));
    return test && { val, test };
  };
  const scored = await both();
  if (!scored) return undefined;
  const more = { best_epoch: best.epoch };
  if (!calibrate) return writeScored(directory, dataset, scored, { resamples, more });
  const { temperatures, kept } = fitTemperatures(scored.val);
  // Scored again, so that evaluate, which divides the weights too, finds the same figures to the last bit.
  await trainer.loadStateDict(withTemperatures(best.weights, temperatures));
  const calibrated = await both();
  if (!calibrated) return undefined;
  const calibration = { temperatures, kept, before: beforeOf(scored) };
  return writeScored(directory, dataset, calibrated, { resamples, more: { ...more, calibration } });
}

/** What calibration changes, of predictions without it. */
export function beforeOf(scored: Record<ScoredSplit, Predictions>): Calibration['before'] {
  const of = (split: ScoredSplit): CalibrationFigures => {
    const { loss = null, ece, brier } = computeMetrics(scored[split]);
    return { loss, ece, brier_macro: brier.macro };
  };
  return { val: of('val'), test: of('test') };
}

/** Writes metrics.json and predictions/ of a run, or of an ensemble. */
export async function writeScored(
  directory: string,
  dataset: Pick<Dataset, 'name' | 'size' | 'task' | 'labels'>,
  scored: Record<ScoredSplit, Scored>,
  { resamples, more }: { resamples: number; more: Pick<MetricsFile, 'best_epoch' | 'ensemble' | 'calibration'> },
): Promise<MetricsFile> {
  const { val, test } = scored;
  const confidence = resamples > 0 ? { ...CONFIDENCE, resamples } : undefined;
  const rules = isExclusive(dataset.task) ? [] : RULES;
  const tuned = rules.map((rule) => {
    const thresholds = tuneThresholds(rule, val);
    const at = (scored: Scored) => computeMetrics({ ...scored, threshold: thresholds });
    return [rule, { thresholds, untuned: untunedLabels(rule, val), val: at(val), test: at(test) }] as const;
  });
  const metrics: MetricsFile = {
    dataset: dataset.name,
    ...(dataset.task !== 'multi-label' && { task: dataset.task }),
    labels: [...dataset.labels],
    ...more,
    splits: { val: computeMetrics(val), test: computeMetrics({ ...test, confidence }) },
    ...(rules.length > 0 && { tuned: Object.fromEntries(tuned) }),
  };
  await writeMetrics(directory, metrics);
  for (const split of SCORED_SPLITS) {
    const { auc, accuracy } = metrics.splits[split];
    await writePredictions(directory, scored[split], {
      flag: dataset.name,
      size: dataset.size,
      split,
      run: path.basename(directory),
      auc: auc.macro,
      acc: accuracy.mean,
    });
  }
  return metrics;
}
