/**
 * Names, shapes and dtypes of torchvision's resnet18 state dict, described once, and the strict check of a state dict
 * against them. Not here: the values, and any file format. Source: torchvision/models/resnet.py (BasicBlock, [2,2,2,2]).
 */
import type { StateDict, StateEntry, Stem } from '../engine/contract';
import { shown, weightsError } from './errors';
import { originOf, type Source } from './foreign';

/** A state dict entry without its values. */
export type TensorSpec = Pick<StateEntry, 'name' | 'dtype' | 'shape'>;

/** One BasicBlock: input and output channels, the stride of its first convolution, and whether it has a downsample. */
export interface Block {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
  readonly downsample: boolean;
}

/** The eight blocks of ResNet-18, in order. */
export const BLOCKS: readonly Block[] = [64, 128, 256, 512].flatMap((outputs, i) => {
  const name = `layer${i + 1}`;
  const first = i === 0 ? { inputs: 64, stride: 1 } : { inputs: outputs / 2, stride: 2 };
  return [
    { name: `${name}.0`, ...first, outputs, downsample: i > 0 },
    { name: `${name}.1`, inputs: outputs, outputs, stride: 1, downsample: false },
  ];
});

/** Width of the features that the head (`fc`) reads. */
export const FEATURES = 512;

const kernelSize: Record<Stem, number> = { torchvision: 7, cifar: 3 };

/** Side of layer4's maps for an input of this side: every layer that strides has half the side, rounded up. */
export const layer4Side = (stem: Stem, inputSize: number): number =>
  Math.ceil(inputSize / (stem === 'torchvision' ? 32 : 8));

const f32 = (name: string, ...shape: number[]): TensorSpec => ({ name, dtype: 'F32', shape });
const convolution = (name: string, outputs: number, inputs: number, kernel: number) =>
  f32(`${name}.weight`, outputs, inputs, kernel, kernel);
const batchNorm = (name: string, channels: number): TensorSpec[] => [
  ...['weight', 'bias', 'running_mean', 'running_var'].map((part) => f32(`${name}.${part}`, channels)),
  { name: `${name}.num_batches_tracked`, dtype: 'I64', shape: [] },
];

/** The 122 entries of resnet18(num_classes=labelCount).state_dict(), in its order. */
export function resnet18State(stem: Stem, labelCount: number): TensorSpec[] {
  return [
    convolution('conv1', 64, 3, kernelSize[stem]),
    ...batchNorm('bn1', 64),
    ...BLOCKS.flatMap(({ name, inputs, outputs, downsample }) => [
      convolution(`${name}.conv1`, outputs, inputs, 3),
      ...batchNorm(`${name}.bn1`, outputs),
      convolution(`${name}.conv2`, outputs, outputs, 3),
      ...batchNorm(`${name}.bn2`, outputs),
      ...(downsample
        ? [convolution(`${name}.downsample.0`, outputs, inputs, 1), ...batchNorm(`${name}.downsample.1`, outputs)]
        : []),
    ]),
    f32('fc.weight', labelCount, FEATURES),
    f32('fc.bias', labelCount),
  ];
}

/** The stem that a conv1.weight of this shape belongs to, if any. */
export function stemOf(shape: readonly number[]): Stem | undefined {
  return (['torchvision', 'cifar'] as const).find((stem) =>
    sameShape(shape, [64, 3, kernelSize[stem], kernelSize[stem]]),
  );
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

const described = ({ dtype, shape }: TensorSpec) => `${dtype} [${shape.join(', ')}]`;

/**
 * The differences between `state` and `expected`, one phrase each: wrong, missing, unexpected, then duplicate entries.
 */
function differences(state: readonly TensorSpec[], expected: readonly TensorSpec[]): string[] {
  const found = new Map<string, TensorSpec>();
  const twice: string[] = [];
  for (const entry of state) {
    if (found.has(entry.name)) twice.push(`${shown(entry.name)} is a duplicate`);
    found.set(entry.name, entry);
  }
  const wanted = new Set(expected.map(({ name }) => name));
  const wrong: string[] = [];
  const missing: string[] = [];
  for (const spec of expected) {
    const entry = found.get(spec.name);
    if (!entry) missing.push(`${spec.name} is missing`);
    else if (entry.dtype !== spec.dtype || !sameShape(entry.shape, spec.shape)) {
      wrong.push(`${spec.name} is ${described(entry)}, expected ${described(spec)}`);
    }
  }
  const unexpected = [...found.keys()].filter((name) => !wanted.has(name));
  return [...wrong, ...missing, ...unexpected.map((name) => `${shown(name)} is unexpected`), ...twice];
}

const LISTED = 5;

/**
 * `state` in the order of `expected`, when it has exactly its names, shapes and dtypes.
 * Otherwise ERR_WEIGHTS, with whose weights they are, where that is known, and the first differences.
 */
export function checkState(state: StateDict, expected: readonly TensorSpec[], source?: Source): StateDict {
  const list = differences(state, expected);
  if (list.length > 0) {
    const more = list.length > LISTED ? `; and ${list.length - LISTED} more` : '';
    const origin = originOf(state, source);
    const whose = origin ? `${origin.what} (` : '';
    throw weightsError({
      found:
        `${source ? `${source.file} has ` : ''}${whose}a state dict of ${state.length} entries that differs from the model: ` +
        `${list.slice(0, LISTED).join('; ')}${more}${origin ? ')' : ''}`,
      needed: `the ${expected.length} entries of torchvision's resnet18, with this model's stem and label count`,
      next: origin?.next ?? 'pass weights of a ResNet-18: one linear head, a first convolution of 7x7 or 3x3',
    });
  }
  const byName = new Map(state.map((entry) => [entry.name, entry]));
  return expected.map(({ name }) => byName.get(name) as StateEntry);
}

/**
 * `state`, with num_batches_tracked of `expected` added as zeros when exactly these are missing: old files and
 * torchvision's published ones lack them, and PyTorch does the same. No result depends on them.
 */
export function withCounters(state: StateDict, expected: readonly TensorSpec[]): StateDict {
  const counters = expected.filter(({ name }) => name.endsWith('.num_batches_tracked'));
  if (state.length + counters.length !== expected.length) return state;
  return [
    ...state,
    ...counters.map(({ name }) => ({ name, dtype: 'I64' as const, shape: [], data: new BigInt64Array(1) })),
  ];
}

/** The most labels of a model. */
const MAX_LABELS = 2 ** 16;

/**
 * The stem and label count L of a state dict, from its conv1.weight and fc.weight, and the state dict in torchvision's
 * order (see withCounters). ERR_WEIGHTS when it is not a resnet18's; `source` is for the message.
 */
export function recognise(state: StateDict, source?: Source): { stem: Stem; labelCount: number; state: StateDict } {
  const shapeOf = (name: string) => state.find((entry) => entry.name === name)?.shape ?? [];
  const stem = stemOf(shapeOf('conv1.weight')) ?? 'torchvision';
  const labelCount = shapeOf('fc.weight')[0] ?? 1;
  if (labelCount < 1 || labelCount > MAX_LABELS) {
    throw weightsError({
      found: `${source ? `${source.file} has ` : ''}a head of ${labelCount} labels: fc.weight is [${shapeOf('fc.weight').join(', ')}]`,
      needed: `1 to ${MAX_LABELS} labels`,
      next: 'pass the weights of a model that predicts labels',
    });
  }
  const expected = resnet18State(stem, labelCount);
  return { stem, labelCount, state: checkState(withCounters(state, expected), expected, source) };
}
