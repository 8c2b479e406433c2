/**
 * Logits of a task in which each image has exactly one of the labels as those of each class against the rest, in double
 * precision. Not here: the softmax and the loss (loss.ts), the figures (classes.ts).
 */

/**
 * The log-odds of each class, log(p / (1 - p)) for p of the softmax: they order images as p does, and their sigmoid is p, but
 * they tell apart what rounds to one p near 0 and 1. [N, L] row-major, for finite logits.
 */
export function logOdds(logits: ArrayLike<number>, labelCount: number): Float64Array {
  const result = new Float64Array(logits.length);
  for (let start = 0; start < logits.length; start += labelCount) {
    const end = start + labelCount;
    let [top, second] = [start, -Infinity];
    for (let i = start + 1; i < end; i++) {
      if (logits[i] > logits[top]) [second, top] = [logits[top], i];
      else second = Math.max(second, logits[i]);
    }
    // The others of the top class are relative to the second, those of another class to the top: neither sum is 0.
    let [others, rest] = [0, 0];
    for (let i = start; i < end; i++) {
      if (i === top) continue;
      others += Math.exp(logits[i] - second);
      rest += Math.exp(logits[i] - logits[top]);
    }
    for (let i = start; i < end; i++) {
      result[i] =
        i === top
          ? logits[i] - second - Math.log(others)
          : logits[i] - logits[top] - Math.log1p(Math.max(0, rest - Math.exp(logits[i] - logits[top])));
    }
  }
  return result;
}
