/** The predictions of a single label, as input of its curves. */
import { checkArgument, integer } from '../base/arguments';
import { checkPredictions } from './check';
import type { Predictions } from './types';

/**
 * The predictions of one label, [N, 1]; `label` is its index, from 0. Throws ERR_DATA_SHAPE, ERR_DATA_CORRUPT, or
 * ERR_CONFIG for an index without a label.
 */
export function predictionsOfLabel(predictions: Predictions, label: number): Predictions {
  checkPredictions(predictions);
  const { labelCount, truth, scores } = predictions;
  checkArgument('label', label, integer(0, labelCount - 1));
  const column = {
    labelCount: 1,
    truth: new Uint8Array(truth.length / labelCount),
    scores: new Float64Array(truth.length / labelCount),
  };
  for (let i = 0; i < column.truth.length; i++) {
    column.truth[i] = truth[i * labelCount + label];
    column.scores[i] = scores[i * labelCount + label];
  }
  return column;
}
