/** The predictions of a single label, as input of its curves. */
import { checkArgument, integer } from '../base/arguments';
import { checkPredictions } from './check';
import { rankedBy } from './ranking';
import type { Predictions } from './types';

/**
 * The predictions of one label, [N, 1], of exclusive labels against the rest; `label` is its index, from 0. Throws ERR_DATA_SHAPE, ERR_DATA_CORRUPT, or
 * ERR_CONFIG for an index without a label.
 */
export function predictionsOfLabel(predictions: Predictions, label: number): Predictions {
  checkPredictions(predictions);
  const { labelCount, truth, scores, logits } = predictions;
  checkArgument('label', label, integer(0, labelCount - 1));
  const column = (values: ArrayLike<number>): Float64Array =>
    Float64Array.from({ length: truth.length / labelCount }, (_, i) => values[i * labelCount + label]);
  return {
    labelCount: 1,
    truth: Uint8Array.from(column(truth)),
    scores: column(scores),
    ...(logits === undefined ? {} : { logits: column(rankedBy(predictions)) }),
  };
}
