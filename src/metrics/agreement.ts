/**
 * Where two models decide differently: which images one gets right and the other wrong, and McNemar's exact test of whether
 * one is right more often. Not here: differences of figures (bootstrap.ts).
 */

/** Images, by their numbers from 0 in ascending order. */
export interface Images {
  images: number[];
  /** How many of them have the label; of whole images, any label. */
  positives: number;
}

/** Decisions of models a and b, of one label or of whole images: right where they equal the truth. */
export interface Agreement {
  both_right: number;
  both_wrong: number;
  /** Right by a, wrong by b. */
  only_a: Images;
  /** Right by b, wrong by a. */
  only_b: Images;
  /**
   * McNemar's exact test, two-sided: how probable so unequal numbers of `only_a` and `only_b` are, where both models are
   * right equally often. 1 where there are none.
   */
  p_value: number;
}

/** For each label, and for whole images, which are right where every label is. Arrays are [N, L] of 0 and 1, row-major. */
export function agreementOf(
  truth: Uint8Array,
  a: Uint8Array,
  b: Uint8Array,
  labelCount: number,
): { whole: Agreement; labels: Agreement[] } {
  const n = truth.length / labelCount;
  const labels = Array.from({ length: labelCount }, (_, label) =>
    compared(n, (image) => {
      const i = image * labelCount + label;
      return [a[i] === truth[i], b[i] === truth[i], truth[i] === 1];
    }),
  );
  const whole = compared(n, (image) => {
    const row = (values: Uint8Array): Uint8Array => values.subarray(image * labelCount, (image + 1) * labelCount);
    const right = (values: Uint8Array): boolean => row(values).every((value, i) => value === row(truth)[i]);
    return [right(a), right(b), row(truth).includes(1)];
  });
  return { whole, labels };
}

function compared(n: number, look: (image: number) => [a: boolean, b: boolean, positive: boolean]): Agreement {
  const result = { both_right: 0, both_wrong: 0, only_a: noImages(), only_b: noImages() };
  for (let image = 0; image < n; image++) {
    const [a, b, positive] = look(image);
    if (a === b) result[a ? 'both_right' : 'both_wrong']++;
    else {
      const only = a ? result.only_a : result.only_b;
      only.images.push(image);
      only.positives += Number(positive);
    }
  }
  return { ...result, p_value: mcnemar(result.only_a.images.length, result.only_b.images.length) };
}

const noImages = (): Images => ({ images: [], positives: 0 });

/** Twice the probability that of b + c fair coins at most min(b, c) show heads; at most 1. */
function mcnemar(b: number, c: number): number {
  const n = b + c;
  // The logarithm of n over k times 2^-n, from k - 1 to k: the binomials themselves are beyond a double.
  let log = -n * Math.LN2;
  let sum = Math.exp(log);
  for (let k = 1; k <= Math.min(b, c); k++) {
    log += Math.log((n - k + 1) / k);
    sum += Math.exp(log);
  }
  return Math.min(1, 2 * sum);
}
