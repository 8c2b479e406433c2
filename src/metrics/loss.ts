/**
 * Converts logits to probabilities and to the loss, in double precision for any input type, so that neither overflows.
 * The loss is PyTorch's BCEWithLogitsLoss with its default mean over all images and labels.
 */
import type { Figure } from './types';

/** 1 / (1 + exp(-x)) for each logit, any shape; values from 0 to 1. NaN stays NaN. */
export function sigmoid(logits: Float32Array | Float64Array): Float64Array {
  const scores = new Float64Array(logits.length);
  for (let i = 0; i < logits.length; i++) {
    // exp of a negative number only, so that it cannot overflow and small scores keep their digits.
    const small = Math.exp(-Math.abs(logits[i]));
    scores[i] = (logits[i] >= 0 ? 1 : small) / (1 + small);
  }
  return scores;
}

/** Mean binary cross-entropy of logits against 0/1 labels of the same length, in nats. NaN for empty input. */
export function bceWithLogits(logits: Float32Array | Float64Array, truth: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const x = logits[i];
    sum += Math.max(x, 0) - (truth[i] === 1 ? x : 0) + Math.log1p(Math.exp(-Math.abs(x)));
  }
  return sum / logits.length;
}

/** The same from probabilities; null when a true value has probability 0 (an infinite loss) or the input is empty. */
export function bceWithScores(scores: Float32Array | Float64Array, truth: Uint8Array): Figure {
  let sum = 0;
  for (let i = 0; i < scores.length; i++) sum -= truth[i] === 1 ? Math.log(scores[i]) : Math.log1p(-scores[i]);
  return Number.isFinite(sum) && scores.length > 0 ? sum / scores.length : null;
}
