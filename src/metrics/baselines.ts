/** What is known without looking at an image: the figures of predicting nothing, or the majority. Not here: the others. */
import { isExclusive, type Task } from '../base/task';
import { definedMean, figure } from './figures';
import type { Baseline, Metrics } from './types';

/** The baselines of a task; `prevalence` is of each label, `unlabelled` the share of images without one. */
export function baselines(
  task: Task | undefined,
  prevalence: readonly number[],
  unlabelled: number,
): Pick<Metrics, 'all_negative' | 'majority'> {
  const ranks = {
    auc_macro: prevalence.some((share) => share > 0 && share < 1) ? 0.5 : null,
    average_precision_macro: figure(definedMean(prevalence.filter((share) => share > 0))),
  };
  const exclusive = isExclusive(task);
  const all_negative = {
    // Every image has a class, so that no class is never right.
    accuracy: exclusive ? 0 : definedMean(prevalence.map((share) => 1 - share)),
    subset: unlabelled,
    f1_macro: 0,
    recall_macro: 0,
    ...ranks,
  };
  if (exclusive) {
    const most = Math.max(...prevalence);
    const [f1, recall] = [f1Of(most) / prevalence.length, 1 / prevalence.length];
    const balanced = 1 / prevalence.filter((share) => share > 0).length;
    const majority = { class: prevalence.indexOf(most), ...decided(most, balanced, f1, recall), ...ranks };
    return { all_negative, majority };
  }
  if (task !== 'binary-class') return { all_negative };
  const [share] = prevalence;
  const isMost = share > 0.5;
  const balanced = share > 0 && share < 1 ? 0.5 : null;
  const decision = decided(isMost ? share : 1 - share, balanced, isMost ? f1Of(share) : 0, Number(isMost));
  return { all_negative, majority: { class: Number(isMost), ...decision, ...ranks } };
}

/** F1 of deciding always for a label of this prevalence. */
const f1Of = (share: number): number => (2 * share) / (1 + share);

const decided = (accuracy: number, balanced_accuracy: number | null, f1_macro: number, recall_macro: number) => ({
  accuracy,
  balanced_accuracy,
  f1_macro,
  recall_macro,
});

/** The baseline to read a model's figures against, and its name. */
export function baselineOf(
  { task, all_negative, majority }: Pick<Metrics, 'task' | 'all_negative' | 'majority'>,
  labels: readonly string[],
): Baseline & { name: string } {
  if (majority === undefined) return { ...all_negative, name: 'predicting nothing' };
  const most = majority.class;
  const name = isExclusive(task) ? labels[most] : most === 1 ? labels[0] : `not ${labels[0]}`;
  return { ...majority, name: `always ${name}` };
}
