/**
 * The evidence map: the head of the network averages the positions of the last layer and weighs them, both linear, so that
 * what each position adds to a logit is known exactly (as in class activation maps, Zhou and others 2016, with its sign). Not
 * here: the map itself (native/core/resnet.h).
 */
import { ChestMnistError } from '../base/errors';
import type { Stem, StateDict } from '../engine/contract';
import type { OpenedPictures } from '../judge/pictures';

/** A map of fewer positions per side cannot say where something is. */
const LEAST_SIDE = 4;

/** Positions per side of the last layer. */
export function mapSide(stem: Stem, inputSize: number): number {
  let side = inputSize;
  for (let halving = stem === 'cifar' ? 3 : 5; halving > 0; halving--) side = Math.ceil(side / 2);
  return side;
}

/** Why a model has no evidence map that means anything; undefined where it has. */
export function withoutEvidence(target: string, { model, side }: OpenedPictures): ChestMnistError | undefined {
  const inputSize = model.inputSize ?? side;
  const positions = mapSide(model.stem, inputSize);
  if (model.seeds) {
    return new ChestMnistError('ERR_CONFIG', {
      found: `--method evidence of ${target}, an ensemble`,
      needed: 'one network, to whose logit a map adds up',
      next: `explain one member, such as its folder seed-${model.seeds[0]}, or use --method occlusion`,
    });
  }
  if (positions >= LEAST_SIDE) return undefined;
  return new ChestMnistError('ERR_CONFIG', {
    found: `--method evidence, but the last layer of ${target} has ${positions} x ${positions} positions (${model.stem} stem, ${inputSize} px)`,
    needed: `at least ${LEAST_SIDE} x ${LEAST_SIDE}, as with the cifar stem or an input of 128 px: fewer cannot say where something is`,
    next: 'use --method occlusion',
  });
}

/** Where the positions lie, in pixels of an image of `side`. */
export const centersOf = (positions: number, side: number): number[] =>
  Array.from({ length: positions }, (_, i) => ((i + 0.5) * side) / positions);

/** What the head adds to each logit beside the map. */
export const biasOf = (state: StateDict): number[] =>
  Array.from(state.find(({ name }) => name === 'fc.bias')!.data as Float32Array);

/** The maps of all labels, [labels, s * s] row-major; of exclusive ones relative to their mean, which no probability depends on. */
export function mapsIn(evidence: Float32Array, labelCount: number, exclusive: boolean): Float32Array[] {
  const size = evidence.length / labelCount;
  const mean = new Float64Array(size);
  if (exclusive) evidence.forEach((value, i) => (mean[i % size] += value / labelCount));
  return Array.from({ length: labelCount }, (_, label) =>
    Float32Array.from({ length: size }, (_, i) => evidence[label * size + i] - mean[i]),
  );
}
