/**
 * Converts logits to probabilities and to the loss, in double precision for any input type, so that neither overflows.
 * The loss is PyTorch's BCEWithLogitsLoss with its default mean over all images and labels.
 */
import { checkNumbers, checkRange, checkTruth } from './check';
import type { Figure } from './types';

/** 1 / (1 + exp(-x)) for each logit, any shape; values from 0 to 1. NaN stays NaN. Throws ERR_DATA_SHAPE for no numbers. */
export function sigmoid(logits: Float32Array | Float64Array): Float64Array {
  checkNumbers('logits', logits);
  const scores = new Float64Array(logits.length);
  for (let i = 0; i < logits.length; i++) {
    // exp of a negative number only, so that it cannot overflow and small scores keep their digits.
    const small = Math.exp(-Math.abs(logits[i]));
    scores[i] = (logits[i] >= 0 ? 1 : small) / (1 + small);
  }
  return scores;
}

/**
 * Mean binary cross-entropy of logits against 0/1 labels of the same length, in nats. NaN for empty input, and where a
 * logit is NaN. Throws ERR_DATA_SHAPE.
 */
export function bceWithLogits(logits: Float32Array | Float64Array, truth: Uint8Array): number {
  checkNumbers('logits', logits);
  checkTruth(truth, logits, 'logits');
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const x = logits[i];
    sum += Math.max(x, 0) - (truth[i] === 1 ? x : 0) + Math.log1p(Math.exp(-Math.abs(x)));
  }
  return sum / logits.length;
}

/**
 * The same from probabilities; null when a true value has probability 0 (an infinite loss) or the input is empty. Throws
 * ERR_DATA_SHAPE, or ERR_DATA_CORRUPT for scores outside 0..1.
 */
export function bceWithScores(scores: Float32Array | Float64Array, truth: Uint8Array): Figure {
  checkNumbers('scores', scores);
  checkTruth(truth, scores, 'scores');
  checkRange(scores, 'scores', 1);
  let sum = 0;
  for (let i = 0; i < scores.length; i++) sum -= truth[i] === 1 ? Math.log(scores[i]) : Math.log1p(-scores[i]);
  return Number.isFinite(sum) && scores.length > 0 ? sum / scores.length : null;
}
