/**
 * Figures of tasks in which each image has exactly one of the labels, equal to scikit-learn's: the decision for the most
 * probable class, the matrix of all classes, and what follows from it. Not here: each class against the rest (compute.ts).
 */
import { equalWidthError } from './calibration';
import { ratio } from './figures';
import type { Predictions } from './types';

/** The number of the highest value of each row; of equal ones the first, as numpy.argmax. */
export function highest(values: ArrayLike<number>, labelCount: number): Uint32Array {
  return new Uint32Array(values.length / labelCount).map((_, image) => {
    let best = 0;
    for (let label = 1; label < labelCount; label++) {
      if (values[image * labelCount + label] > values[image * labelCount + best]) best = label;
    }
    return best;
  });
}

/** The cell of the confusion matrix in which each image counts: truth * L + decision. */
export function cellsOf({ truth, scores, labelCount }: Predictions): Uint32Array {
  const decided = highest(scores, labelCount);
  return highest(truth, labelCount).map((label, image) => label * labelCount + decided[image]);
}

/** Rows are the truth, columns the decision. `counts` says how often each image counts, once without it. */
export function matrixOf(cells: Uint32Array, labelCount: number, counts?: Uint8Array): number[][] {
  const flat = new Float64Array(labelCount ** 2);
  for (let image = 0; image < cells.length; image++) flat[cells[image]] += counts ? counts[image] : 1;
  return Array.from({ length: labelCount }, (_, row) => [...flat.subarray(row * labelCount, (row + 1) * labelCount)]);
}

/** Each class against the rest. */
export function tablesOf(matrix: readonly (readonly number[])[]): [tn: number, fp: number, fn: number, tp: number][] {
  const total = matrix.flat().reduce((sum, n) => sum + n, 0);
  return matrix.map((row, label) => {
    const tp = row[label];
    const fn = row.reduce((sum, n) => sum + n, 0) - tp;
    const fp = matrix.reduce((sum, other) => sum + other[label], 0) - tp;
    return [total - fn - fp - tp, fp, fn, tp];
  });
}

/** Share of images on the diagonal. */
export const topOne = (matrix: readonly (readonly number[])[]): number =>
  ratio(
    matrix.reduce((sum, row, label) => sum + row[label], 0),
    matrix.flat().reduce((sum, n) => sum + n, 0),
  );

/** Cohen's kappa with quadratic weights; NaN where truth and decisions are one and the same class. */
export function quadraticKappa(matrix: readonly (readonly number[])[]): number {
  const rows = matrix.map((row) => row.reduce((sum, n) => sum + n, 0));
  const columns = matrix.map((_, label) => matrix.reduce((sum, row) => sum + row[label], 0));
  const total = rows.reduce((sum, n) => sum + n, 0);
  let [observed, expected] = [0, 0];
  matrix.forEach((row, i) =>
    row.forEach((n, j) => {
      observed += (i - j) ** 2 * n;
      expected += ((i - j) ** 2 * rows[i] * columns[j]) / total;
    }),
  );
  return 1 - observed / expected;
}

/** Calibration error of the probability of the decided class, 15 equal-width bins (torchmetrics' multiclass, l1). */
export function topLabelError({ scores, truth, labelCount }: Predictions): number {
  const decided = highest(scores, labelCount);
  const at = (values: ArrayLike<number>, image: number): number => values[image * labelCount + decided[image]];
  const images = [...decided.keys()];
  const all = Float64Array.from(images, (image) => at(scores, image)).sort();
  const hits = images.filter((image) => at(truth, image) === 1);
  return equalWidthError({ all, positives: Float64Array.from(hits, (image) => at(scores, image)).sort() });
}

/** Class numbers [N] as 0 and 1, [N, L]. */
export function oneHot(numbers: ArrayLike<number>, labelCount: number): Uint8Array {
  const truth = new Uint8Array(numbers.length * labelCount);
  for (let i = 0; i < numbers.length; i++) truth[i * labelCount + numbers[i]] = 1;
  return truth;
}
