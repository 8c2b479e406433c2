/** The predictions of a single label, as input of its curves. */
import type { Predictions } from './types';

/** The predictions of one label, [N, 1]. */
export function predictionsOfLabel({ labelCount, truth, scores }: Predictions, label: number): Predictions {
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
