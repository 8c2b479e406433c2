/**
 * Opens a file of weights: its network, in torchvision's names where they are known, with every value checked, and what
 * the file says of itself. The one door; names and shapes are checked by recognise and fitHead.
 */
import type { StateDict, StateEntry } from '../engine/contract';
import type { Contents } from './contents';
import { readBytes, withFile } from './file';
import type { Source } from './foreign';
import { withPth } from './pth';
import { safetensorsContents } from './safetensors';
import { select } from './select';
import { checkValues } from './values';

export interface Opened {
  state: StateDict;
  /** Strings that the file keeps of the model (see metadata.ts). */
  metadata: Readonly<Record<string, string>>;
  /** For the user: which of several networks, what was left out or adapted. */
  notes: string[];
  /** For the messages of recognise and fitHead. */
  source: Source;
}

/**
 * Opens a .safetensors or .pth file; the content decides, not the extension. `key` names one of several networks.
 * ERR_CONFIG when the file cannot be opened or has no network of that name, ERR_WEIGHTS when it cannot be used.
 */
export async function openWeights(file: string, key?: string): Promise<Opened> {
  // A safetensors header is JSON and follows its 8-byte length.
  const start = await withFile(file, (handle, size) => readBytes(handle, 0, Math.min(size, 9)));
  const use = (contents: Contents): Promise<Opened> => opened(file, contents, key);
  return start[8] === 0x7b ? use(await safetensorsContents(file)) : withPth(file, use);
}

async function opened(file: string, contents: Contents, key: string | undefined): Promise<Opened> {
  const { tensors, beyond, notes, metadata, python } = select(file, contents, key);
  const state: StateDict = [];
  for (const [name, tensor] of tensors) state.push(asCounter({ ...(await tensor.read()), name }));
  checkValues(state, file);
  const at = state.findIndex(({ name, dtype, shape }) => name === 'conv1.weight' && dtype === 'F32' && isGray(shape));
  if (at >= 0) {
    state[at] = spread(state[at]);
    notes.push(`${file}: conv1.weight reads one channel; a third of it is used for each of the three equal channels`);
  }
  return { state, metadata, notes, source: { file, python, beyond } };
}

/** Averages of weights turn counters into floats; no result depends on them. */
function asCounter(entry: StateEntry): StateEntry {
  const { name, data, shape } = entry;
  const isFloat = name.endsWith('.num_batches_tracked') && data instanceof Float32Array && data.length === 1;
  if (!isFloat || shape.length > 1 || !Number.isFinite(data[0])) return entry;
  return { name, dtype: 'I64', shape: [], data: new BigInt64Array([BigInt(Math.round(data[0]))]) };
}

const isGray = (shape: readonly number[]): boolean => shape.length === 4 && shape[1] === 1;

/** [N, 1, K, K] as [N, 3, K, K] that computes the same on a gray channel repeated to 3. */
function spread({ name, shape, data }: StateEntry): StateEntry {
  const [count, , height, width] = shape;
  const area = height * width;
  const thirds = Float32Array.from(data as Float32Array, (value) => value / 3);
  const result = new Float32Array(3 * data.length);
  for (let at = 0; at < 3 * count; at++) {
    const from = Math.floor(at / 3) * area;
    result.set(thirds.subarray(from, from + area), at * area);
  }
  return { name, dtype: 'F32', shape: [count, 3, height, width], data: result };
}
