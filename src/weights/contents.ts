/**
 * What any file of weights holds before a network is looked for in it: dicts of named tensors that are read when they
 * are used. Not here: the formats (pth.ts, legacy.ts, safetensors.ts), the choice among the tensors (select.ts).
 */
import type { StateEntry } from '../engine/contract';

/** A tensor in a file. `shape` is what the file says; reading checks it. */
export interface Stored {
  readonly name: string;
  readonly shape: readonly number[];
  read(): Promise<StateEntry> | StateEntry;
}

/** A dict of tensors: the keys that lead to it, its tensors in order, and what it says of itself. */
export interface TensorDict {
  readonly path: readonly string[];
  readonly tensors: readonly Stored[];
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Contents {
  /** At least one. */
  readonly dicts: readonly TensorDict[];
  /** The Python expression that reads the file from `f`, into what the paths begin at. */
  readonly python: string;
}
