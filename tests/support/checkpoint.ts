/** A small checkpoint, of a network with two tensors. */
import type { StateDict } from '../../src/engine/contract';
import { resolveOptions } from '../../src/recipe/resolve';
import type { TrainOptions } from '../../src/recipe/options';
import { UNTRAINED, type Checkpoint } from '../../src/run/checkpoint';

const weights = (value: number): StateDict => [
  { name: 'a', dtype: 'F32', shape: [3], data: Float32Array.of(value, -0, NaN) },
  { name: 'n', dtype: 'I64', shape: [], data: BigInt64Array.of(BigInt(value)) },
];

/** After `epochs` finished epochs, the best of them the first. */
export function checkpointAt(epochs: number, options: TrainOptions = {}): Checkpoint {
  const model = weights(epochs);
  return {
    options: resolveOptions({ threads: 1, ...options }),
    device: 'cpu',
    data: { name: 'x', size: 28, md5: 'ab', counts: { train: 4, val: 2, test: 2 } },
    position: { epoch: epochs + 1, ...UNTRAINED },
    history: Array.from({ length: epochs }, (_, i) => ({
      ...{ epoch: i + 1, lr: 0.1, trainLoss: 0.1 + 0.2, valLoss: 1 / 3, valAuc: i === 0 ? 0.9 : null, valAp: null },
      ...{ valAcc: 0.5, seconds: 1, imagesPerSecond: 4 },
    })),
    model,
    optimizer: [{ name: 'step', dtype: 'F32', shape: [], data: Float32Array.of(7) }],
    best: epochs === 0 ? undefined : epochs === 1 ? model : weights(1),
  };
}
