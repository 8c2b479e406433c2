/**
 * Writes a resnet18 in evaluation mode as an ONNX file (opset 17): `input` float32 [N, 3, H, W], normalised to
 * (x/255 - 0.5)/0.5, to `logits` float32 [N, L]. The graph is torchvision's forward, node for node, with its names, but for an
 * attention head. Where layer4 has at least 4 x 4 places there is a second output, `evidence` float32 [N, L, h, w]: what each
 * place adds, without the bias. The mean of a map, plus the bias of its label, is the logit.
 * Source: onnx.proto3 for the field numbers, the ONNX operator schemas for the attributes.
 */
import { writeAtomically, writeChunks } from '../base/atomic';
import type { Head, StateDict, StateEntry, Stem } from '../engine/contract';
import { bytes, float, integer, message, nested, string, type Encoded } from '../base/protobuf';
import { halfBits, isHalved } from './half';
import { BLOCKS, FEATURES, layer4Side, recognise } from './state';
import { bytesOf } from './tensor';

const OPSET = 17;
/** The IR version that came with opset 17 (ONNX 1.12), so that runtimes since 2022 load the file. */
const IR_VERSION = 8;
/** TensorProto.DataType. */
const FLOAT = 1;
const FLOAT16 = 10;
/** Fewer places along a side than this say nothing of where. */
const LEAST_PLACES = 4;
/** BatchNorm2d's default, which torchvision keeps. */
const EPSILON = 1e-5;

/** AttributeProto: 1 name, 2 f, 3 i, 8 ints, 20 type (1 float, 2 int, 7 ints). */
const attribute = {
  float: (name: string, value: number) => message(string(1, name), float(2, value), integer(20, 1)),
  int: (name: string, value: number) => message(string(1, name), integer(3, value), integer(20, 2)),
  ints: (name: string, values: readonly number[]) =>
    message(
      string(1, name),
      values.map((value) => integer(8, value)),
      integer(20, 7),
    ),
};

/** A graph under construction: each call appends a node and returns the name of its output. */
class Graph {
  readonly nodes: Encoded[] = [];

  /** NodeProto: 1 input, 2 output, 3 name, 4 op_type, 5 attribute. */
  node(
    type: string,
    name: string,
    inputs: readonly string[],
    attributes: readonly Encoded[] = [],
    output = name,
  ): string {
    this.nodes.push(
      message(
        inputs.map((input) => string(1, input)),
        string(2, output),
        string(3, name),
        string(4, type),
        attributes.map((body) => nested(5, body)),
      ),
    );
    return output;
  }

  conv(input: string, name: string, kernel: number, stride: number): string {
    return this.node('Conv', name, [input, `${name}.weight`], window(kernel, stride));
  }

  batchNorm(input: string, name: string): string {
    const parameters = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => `${name}.${part}`);
    return this.node('BatchNormalization', name, [input, ...parameters], [attribute.float('epsilon', EPSILON)]);
  }

  relu = (input: string, name: string) => this.node('Relu', name, [input]);
}

/** Kernel, stride and torchvision's padding, half the kernel. */
function window(kernel: number, stride: number): Encoded[] {
  const pad = Math.floor(kernel / 2);
  return [
    attribute.ints('kernel_shape', [kernel, kernel]),
    attribute.ints('strides', [stride, stride]),
    attribute.ints('pads', [pad, pad, pad, pad]),
  ];
}

function forward(stem: Stem, head: Head, evidenceSide: number): Encoded[] {
  const graph = new Graph();
  let x = graph.conv('input', 'conv1', stem === 'cifar' ? 3 : 7, stem === 'cifar' ? 1 : 2);
  x = graph.relu(graph.batchNorm(x, 'bn1'), 'relu');
  if (stem === 'torchvision') x = graph.node('MaxPool', 'maxpool', [x], window(3, 2));
  for (const { name, stride, downsample } of BLOCKS) {
    let out = graph.batchNorm(graph.conv(x, `${name}.conv1`, 3, stride), `${name}.bn1`);
    out = graph.conv(graph.relu(out, `${name}.relu1`), `${name}.conv2`, 3, 1);
    out = graph.batchNorm(out, `${name}.bn2`);
    const shortcut = downsample
      ? graph.batchNorm(graph.conv(x, `${name}.downsample.0`, 1, stride), `${name}.downsample.1`)
      : x;
    x = graph.relu(graph.node('Add', `${name}.add`, [out, shortcut]), `${name}.relu2`);
  }
  if (head === 'attention') {
    attend(graph, x, evidenceSide);
    return graph.nodes;
  }
  if (evidenceSide > 0) {
    // The weights of fc are those of a 1x1 convolution: [L, 512] -> [L, 512, 1, 1].
    const axes = graph.node('Constant', 'evidence.axes', [], [attribute.ints('value_ints', [2, 3])]);
    const weight = graph.node('Unsqueeze', 'evidence.weight', ['fc.weight', axes]);
    graph.node('Conv', 'evidence', [x, weight], window(1, 1)); // [N, L, h, w]
  }
  x = graph.node('GlobalAveragePool', 'avgpool', [x]); // [N, 512, 1, 1]
  x = graph.node('Flatten', 'flatten', [x], [attribute.int('axis', 1)]); // [N, 512]
  graph.node('Gemm', 'fc', [x, 'fc.weight', 'fc.bias'], [attribute.int('transB', 1)], 'logits'); // [N, L]
  return graph.nodes;
}

/** x [N, 512, H, W] -> logits [N, L], as native/core/resnet.h has it. */
function attend(graph: Graph, x: string, evidenceSide: number): void {
  const shape = graph.node('Constant', 'shape', [], [attribute.ints('value_ints', [0, FEATURES, -1])]);
  const scale = graph.node('Constant', 'scale', [], [attribute.float('value_float', 1 / Math.sqrt(FEATURES))]);
  const axes = graph.node('Constant', 'axes', [], [attribute.ints('value_ints', [2])]);
  const positions = graph.node('Reshape', 'positions', [x, shape]); // [N, 512, P]
  const scores = graph.node('MatMul', 'query', ['query.weight', positions]); // [N, L, P]
  const scaled = graph.node('Mul', 'scores', [scores, scale]);
  const shares = graph.node('Softmax', 'shares', [scaled], [attribute.int('axis', 2)]);
  const values = graph.node('MatMul', 'fc', ['fc.weight', positions]); // [N, L, P]
  const shared = graph.node('Mul', 'shared', [shares, values]);
  if (evidenceSide > 0) {
    const places = graph.node('Constant', 'places', [], [attribute.float('value_float', evidenceSide ** 2)]);
    const map = graph.node('Constant', 'map', [], [attribute.ints('value_ints', [0, 0, evidenceSide, evidenceSide])]);
    graph.node('Reshape', 'evidence', [graph.node('Mul', 'evidence.places', [shared, places]), map]); // [N, L, h, w]
  }
  const sums = graph.node('ReduceSum', 'sums', [shared, axes], [attribute.int('keepdims', 0)]); // [N, L]
  graph.node('Add', 'bias', [sums, 'fc.bias'], [], 'logits');
}

/** ValueInfoProto of a float tensor: 1 name, 2 type; a size is a number or the name of a free dimension. */
function value(name: string, sizes: readonly (number | string)[]): Encoded {
  const dimensions = sizes.map((size) => nested(1, typeof size === 'number' ? integer(1, size) : string(2, size)));
  return message(string(1, name), nested(2, nested(1, message(integer(1, FLOAT), nested(2, message(dimensions))))));
}

/** TensorProto: 1 dims, 2 data_type, 8 name, 9 raw_data (little-endian). */
const tensor = (name: string, shape: readonly number[], type: number, raw: Uint8Array): Encoded =>
  message(
    shape.map((size) => integer(1, size)),
    integer(2, type),
    string(8, name),
    bytes(9, raw),
  );

const stored = (name: string): string => `${name}.float16`;
const initializer = (entry: StateEntry, half: boolean): Encoded =>
  half && isHalved(entry)
    ? tensor(stored(entry.name), entry.shape, FLOAT16, new Uint8Array(halfBits(entry).buffer))
    : tensor(entry.name, entry.shape, FLOAT, bytesOf(entry));

/** Weights that are stored as float16 become float32 before they are used; a runtime does this once, as it loads them. */
const casts = (weights: StateDict): Encoded[] => {
  const graph = new Graph();
  for (const { name } of weights.filter(isHalved))
    graph.node('Cast', `${name}.cast`, [stored(name)], [attribute.int('to', FLOAT)], name);
  return graph.nodes;
};

export interface OnnxOptions {
  /** Side H = W of the network's input in pixels; left free when absent. */
  inputSize?: number;
  /** Convolutions and the head are stored as float16, for files of half the size; default false. */
  half?: boolean;
  /** Kept in the file's metadata (see metadata.ts). */
  metadata?: Readonly<Record<string, string>>;
}

/** Writes it to `file`, atomically. ERR_WEIGHTS as below, ERR_OUTPUT or ERR_DISK when the file cannot be written. */
export async function writeOnnx(file: string, state: StateDict, options: OnnxOptions = {}): Promise<void> {
  const { chunks } = onnxOf(state, options);
  await writeAtomically(file, (handle) => writeChunks(handle, chunks));
}

/** The network with the weights `state` (a resnet18's, either stem and head). ERR_WEIGHTS when it is not a resnet18's. */
export function onnxOf(state: StateDict, options: OnnxOptions = {}): Encoded {
  const { stem, head, labelCount, state: sound } = recognise(state);
  const { inputSize: side, half = false } = options;
  const places = side === undefined ? 0 : layer4Side(stem, side);
  const withEvidence = places >= LEAST_PLACES;
  const weights = sound.filter(({ dtype }) => dtype === 'F32'); // evaluation does not read num_batches_tracked
  const metadata = {
    stem,
    features: String(FEATURES),
    preprocessing: `(x/255 - 0.5)/0.5 on ${options.metadata?.channels === '3' ? 'the channels of RGB' : 'one gray channel repeated to 3'}`,
    ...options.metadata,
  };
  // GraphProto: 1 node, 2 name, 5 initializer, 11 input, 12 output
  const graph = message(
    [...(half ? casts(weights) : []), ...forward(stem, head, withEvidence ? places : 0)].map((node) => nested(1, node)),
    string(2, 'resnet18'),
    weights.map((entry) => nested(5, initializer(entry, half))),
    nested(11, value('input', ['N', 3, side ?? 'H', side ?? 'W'])),
    nested(12, value('logits', ['N', labelCount])),
    withEvidence ? nested(12, value('evidence', ['N', labelCount, places, places])) : [],
  );
  // ModelProto: 1 ir_version, 2 producer_name, 7 graph, 8 opset_import (2 version), 14 metadata_props (1 key, 2 value)
  return message(
    integer(1, IR_VERSION),
    string(2, 'chestmnist'),
    nested(7, graph),
    nested(8, integer(2, OPSET)),
    Object.entries(metadata).map(([name, text]) => nested(14, message(string(1, name), string(2, text)))),
  );
}
