/** Shared by the metrics tests: comparing figures by path, and predictions drawn from a seed. */
import { Random } from '../../src/base/random';

export interface Case {
  labels: number[][];
  scores: number[][];
  threshold: number | number[];
}

/** A case as typed arrays, row-major. */
export function inputOf({ labels, scores, threshold }: Case) {
  return {
    truth: Uint8Array.from(labels.flat()),
    scores: Float64Array.from(scores.flat()),
    labelCount: labels[0].length,
    threshold,
  };
}

/** Asserts that `actual` has every figure of `expected` to within `tolerance`, and null exactly where it is null. */
export function expectFigures(actual: unknown, expected: unknown, tolerance = 1e-6, path = '$'): void {
  if (typeof expected === 'number') {
    if (typeof actual !== 'number' || !(Math.abs(actual - expected) <= tolerance)) {
      throw new Error(`${path} is ${JSON.stringify(actual)}, expected ${expected}`);
    }
  } else if (expected === null) {
    if (actual !== null) throw new Error(`${path} is ${JSON.stringify(actual)}, expected null`);
  } else if (typeof expected === 'object') {
    const names = Object.keys(expected);
    if (Array.isArray(expected)) expect({ [path]: (actual as unknown[]).length }).toEqual({ [path]: expected.length });
    for (const name of names) {
      const value = (actual as Record<string, unknown>)[name];
      expectFigures(value, (expected as Record<string, unknown>)[name], tolerance, `${path}.${name}`);
    }
  } else throw new Error(`${path}: not a figure`);
}

/** A curve of typed arrays as plain lists, Infinity as null: the form of the reference. */
export const listed = (curve: object): Record<string, (number | null)[]> =>
  Object.fromEntries(
    Object.entries(curve).map(([name, values]) => [
      name,
      Array.from(values as Float64Array, (value) => (value === Infinity ? null : value)),
    ]),
  );

/** N x labelCount predictions in which a positive scores higher on average; scores in steps of 1/steps. */
export function draw(seed: number, n: number, labelCount: number, { prevalence = 0.3, steps = 1000, gain = 0.3 } = {}) {
  const random = new Random(seed, n, labelCount);
  const truth = new Uint8Array(n * labelCount).map(() => Number(random.between(0, 1) < prevalence));
  const scores = Float64Array.from(
    truth,
    (value) => Math.round((random.between(0, 1 - gain) + gain * value * random.between(0, 1)) * steps) / steps,
  );
  return { truth, scores, labelCount };
}
