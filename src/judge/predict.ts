/**
 * Predictions for image files: probabilities and decisions for every label. For research, not for the care of patients.
 * Not here: finding and reading pictures (data/pictures/), scoring against labels (evaluate.ts).
 */
import type { Task } from '../base/task';
import { viewOf } from '../data/expand';
import { decide } from '../metrics';
import { scoresOf } from '../metrics/loss';
import { meanLogits, spreadOf } from '../metrics/mean';
import { eachLogits } from './model';
import { openPictures, type PredictOptions, type Skipped } from './pictures';

export interface Prediction {
  /** L label names in column order. */
  labels: readonly string[];
  /** One name per image: the file, `file.npy[i]` or `file.npz#array[i]`. */
  images: string[];
  /** Probabilities, [images.length, L] row-major, 0 to 1. */
  scores: Float64Array;
  /**
   * Of an ensemble, the standard deviation (n - 1) of its members' probabilities, whose mean `scores` has; the same shape.
   * null of a single model.
   */
  spread: Float64Array | null;
  /** What is asked; multi-label where the model does not say. */
  task: Task;
  /** score > threshold, or the most probable of exclusive labels: 0 or 1, [images.length, L] row-major. */
  decisions: Uint8Array;
  /** One per label; null for exclusive labels. */
  thresholds: number[] | null;
  /** The files that could not be read, and why. */
  skipped: Skipped[];
  /** What the reader should know: what the weights did not state and was assumed, what was decided for the pictures. */
  notes: string[];
}

/** What is known when all images are predicted, and the predictions of some of them, in order. */
export type PredictedAll = Pick<Prediction, 'skipped' | 'notes'>;
export type PredictedRows = Omit<Prediction, keyof PredictedAll>;

/**
 * Predicts pictures with `target`, a run directory, that of an ensemble, or a file of weights. `inputs` are PNG, JPEG,
 * TIFF, WebP and DICOM
 * files, .npy and .npz files (arrays `images` or `*_images`), folders of these, and patterns such as `scans/*.dcm`. For a
 * model of gray images colour becomes gray; the picture is made square by `fit` and resized to the model's size as by
 * Pillow's bicubic. A rule such as `val-f1` uses the thresholds stored in the run. A file that cannot be read is left out
 * and named in `skipped`; where there is no other, its error is thrown. Throws ERR_CONFIG, the ERR_DATA_ codes, ERR_WEIGHTS
 * and those of loading the addon.
 */
export async function predict(
  target: string,
  inputs: readonly string[],
  options: PredictOptions = {},
): Promise<Prediction> {
  const rows: PredictedRows[] = [];
  const source = predictRows(target, inputs, options);
  let next = await source.next();
  for (; !next.done; next = await source.next()) rows.push(next.value);
  const { labels, task, thresholds } = rows[0];
  const scores = new Float64Array(rows.reduce((sum, { scores }) => sum + scores.length, 0));
  const spread = rows[0].spread && new Float64Array(scores.length);
  const decisions = new Uint8Array(scores.length);
  let at = 0;
  for (const part of rows) {
    scores.set(part.scores, at);
    if (part.spread) spread?.set(part.spread, at);
    decisions.set(part.decisions, at);
    at += part.scores.length;
  }
  return {
    labels,
    task,
    thresholds,
    images: rows.flatMap(({ images }) => images),
    scores,
    spread,
    decisions,
    ...next.value,
  };
}

/**
 * The same, a batch at a time, while the next pictures are decoded: memory does not grow with their number. There is at
 * least one.
 */
export async function* predictRows(
  target: string,
  inputs: readonly string[],
  options: PredictOptions = {},
): AsyncGenerator<PredictedRows, PredictedAll> {
  const opened = await openPictures(target, inputs, options);
  const { model, task, labelCount, thresholds, side: size, channels, batchSize, signal, skipped } = opened;
  try {
    for await (const { names, pixels } of opened.batches) {
      const trainers = await opened.trainers();
      const view = viewOf({ images: pixels, count: names.length, size, channels });
      const each = await eachLogits(model, target, (member) => trainers[member].predict({ images: view, batchSize }));
      if (!each) signal.throwIfAborted();
      const scores = scoresOf(task, meanLogits(task, each!, labelCount), labelCount);
      const spread = model.seeds ? spreadOf(each!.map((logits) => scoresOf(task, logits, labelCount))) : null;
      const decisions = decide(scores, labelCount, thresholds ?? undefined, task);
      yield { labels: model.labels, images: names, task, scores, spread, decisions, thresholds };
    }
    return { skipped, notes: opened.notes() };
  } finally {
    await opened.dispose();
  }
}
