/**
 * What torch.save pickles: storages, tensors that are views of them, and the dicts that hold the tensors. Every number
 * is checked before a tensor is read. Not here: the opcodes (pickle.ts), where the bytes lie (pth.ts, legacy.ts).
 */
import type { StateEntry } from '../engine/contract';
import type { TensorDict } from './contents';
import { shown } from './errors';
import { attributesOf, Callable, Instance, Opaque, type PickleContext } from './pickle';
import { elementCount, gather, isReadDtype, ITEM_BYTES, MAX_BYTES, toEntry, type ReadDtype } from './tensor';

/** The dtypes of storages, with the size of an element for those that are only skipped. */
const STORAGES: Readonly<Record<string, ReadDtype | number>> = {
  ...{ Float: 'F32', Double: 'F64', Half: 'F16', BFloat16: 'BF16', Long: 'I64' },
  ...{ Int: 4, Short: 2, Char: 1, Byte: 1, Bool: 1, ComplexFloat: 8, ComplexDouble: 16, Untyped: 1 },
};

class StorageType {
  constructor(
    readonly name: string,
    readonly dtype: ReadDtype | number,
  ) {}
}

/** A storage as the pickle describes it; checked only when a tensor of it is used. */
export class Storage {
  constructor(
    readonly type: StorageType,
    readonly key: string,
    readonly count: number,
  ) {}

  /** Undefined for a dtype that is not known. */
  get bytes(): number | undefined {
    const { dtype } = this.type;
    const size = typeof dtype === 'number' ? dtype : ITEM_BYTES[dtype];
    return size === 0 ? undefined : size * this.count;
  }
}

class Tensor {
  constructor(
    readonly storage: Storage,
    readonly offset: unknown,
    readonly shape: unknown,
    readonly strides: unknown,
  ) {}
}

/** The tensor inside what a parameter or a subclass of Tensor is made of. */
const inner = (args: readonly unknown[]): Tensor => {
  const found = args.find((value) => value instanceof Tensor);
  if (!found) throw new Error('a parameter without a tensor');
  return found;
};

function rebuild([storage, offset, shape, strides]: readonly unknown[]): Tensor {
  if (!(storage instanceof Storage)) throw new Error('a tensor without a storage');
  return new Tensor(storage, offset, shape, strides);
}

const GLOBALS = new Map<string, unknown>([
  ['collections.OrderedDict', new Callable(() => new Map())],
  ['collections.defaultdict', new Callable(() => new Map())],
  ['torch._utils._rebuild_tensor', new Callable(rebuild)],
  ['torch._utils._rebuild_tensor_v2', new Callable(rebuild)],
  ['torch._utils._rebuild_parameter', new Callable(inner)],
  ['torch._utils._rebuild_parameter_with_state', new Callable(inner)],
  [
    'torch._tensor._rebuild_from_type_v2',
    // (function, type, its arguments, attributes)
    new Callable(([make, type, args]) =>
      make instanceof Callable && Array.isArray(args)
        ? make.call(args as unknown[])
        : new Instance(type instanceof Opaque ? type.name : 'tensor'),
    ),
  ],
  ...Object.entries(STORAGES).map(
    ([name, dtype]) => [`torch.${name}Storage`, new StorageType(`${name}Storage`, dtype)] as const,
  ),
]);

/** A storage of a dtype that is not known can stand beside the weights. */
function storageType(type: unknown): StorageType | undefined {
  if (type instanceof StorageType) return type;
  return type instanceof Opaque && /^torch(\.\w+)*\.\w*Storage$/.test(type.name)
    ? new StorageType(type.name, 0)
    : undefined;
}

function persistent([tag, given, key, , count, view = null]: readonly unknown[]): unknown {
  // Before 1.6 a class of torch.nn came with its source.
  if (tag === 'module' && given instanceof Opaque) return given;
  const type = storageType(given);
  const sound = tag === 'storage' && type && typeof key === 'string' && /^\d{1,20}$/.test(key) && view === null;
  if (!sound || elementCount([count]) === undefined) throw new Error('it describes a storage in an unknown form');
  return new Storage(type, key, count as number);
}

export const TORCH_PICKLE: PickleContext = { globals: GLOBALS, persistent };

/** Where a tensor lies in its storage, in elements, with every bound checked. */
function layoutOf(name: string, { storage, offset, shape, strides }: Tensor) {
  const { dtype, name: type } = storage.type;
  if (!isReadDtype(dtype)) throw new Error(`${shown(name)} lies in a ${type}`);
  const count = elementCount(shape);
  const sizes = shape as number[];
  const sound =
    count !== undefined &&
    count <= storage.count && // an expanded tensor repeats elements: it is never a parameter and could need unbounded memory
    Number.isSafeInteger(offset) &&
    (offset as number) >= 0 &&
    Array.isArray(strides) &&
    strides.length === sizes.length &&
    strides.every((stride) => Number.isSafeInteger(stride) && stride >= 0 && stride <= MAX_BYTES);
  if (!sound) throw new Error(`${shown(name)} has an impossible shape, stride or offset`);
  const steps = strides as number[];
  const first = offset as number;
  const last = count === 0 ? first - 1 : sizes.reduce((sum, size, axis) => sum + (size - 1) * steps[axis], first);
  if (last >= storage.count) throw new Error(`${shown(name)} reaches beyond its storage`);
  let expected = 1;
  let contiguous = true;
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    if (sizes[axis] !== 1 && steps[axis] !== expected) contiguous = false;
    expected *= sizes[axis];
  }
  return { dtype, count, sizes, steps, first, contiguous: contiguous || count === 0 };
}

/** Reads tensors out of storages, whose bytes `bytesOf` gives and checks. */
export class Tensors {
  /** Bytes that may still be copied to make strided tensors contiguous; at first twice the size of the file. */
  #copies: number;
  readonly #bytesOf: (storage: Storage) => Promise<Uint8Array> | Uint8Array;

  constructor(fileBytes: number, bytesOf: (storage: Storage) => Promise<Uint8Array> | Uint8Array) {
    this.#copies = 2 * fileBytes;
    this.#bytesOf = bytesOf;
  }

  async #entry(name: string, tensor: Tensor): Promise<StateEntry> {
    const { dtype, count, sizes, steps, first, contiguous } = layoutOf(name, tensor);
    const itemBytes = ITEM_BYTES[dtype];
    const bytes = await this.#bytesOf(tensor.storage);
    if (contiguous) return toEntry(name, dtype, sizes, bytes.subarray(first * itemBytes, (first + count) * itemBytes));
    this.#copies -= count * itemBytes;
    if (this.#copies < 0) throw new Error('its tensors are many views of the same storages');
    return toEntry(name, dtype, sizes, gather(bytes, itemBytes, first, sizes, steps));
  }

  /** Every dict in `root` that holds a tensor, the outer before the inner. Throws when there is none. */
  dictsIn(root: unknown): TensorDict[] {
    const dicts: TensorDict[] = [];
    const seen = new Set<object>();
    const visit = (value: unknown, path: readonly string[]): void => {
      const items = itemsOf(value);
      if (!items || seen.has(items) || path.length > MAX_DEPTH) return;
      seen.add(items);
      const named = [...items].filter((item): item is [string, unknown] => typeof item[0] === 'string');
      const tensors = named.flatMap(([name, tensor]) =>
        tensor instanceof Tensor ? [{ name, shape: shapeOf(tensor), read: () => this.#entry(name, tensor) }] : [],
      );
      if (tensors.length > 0) dicts.push({ path, tensors, metadata: ownMetadata(items) });
      for (const [name, inside] of named) visit(inside, [...path, name]);
    };
    visit(root, []);
    if (dicts.length === 0) throw new NoTensors(root);
    return dicts;
  }
}

/** A file without tensors: a pickled object, arrays of NumPy in their place, or anything else. */
export class NoTensors extends Error {
  readonly holds: 'object' | 'arrays' | 'other';
  constructor(root: unknown) {
    super(`it holds no dict of tensors: ${described(root)}`);
    const values = [...(itemsOf(root)?.values() ?? [])];
    const isArray = (value: unknown): boolean => value instanceof Instance && value.type.startsWith('numpy.');
    this.holds = values.some(isArray) ? 'arrays' : root instanceof Instance ? 'object' : 'other';
  }
}

/** Dicts within dicts that are looked into; trainers nest them two or three deep. */
const MAX_DEPTH = 6;

const itemsOf = (value: unknown): Map<unknown, unknown> | undefined =>
  value instanceof Map ? value : value instanceof Instance ? value.items : undefined;

const shapeOf = ({ shape }: Tensor): readonly number[] =>
  elementCount(shape) === undefined ? [] : (shape as readonly number[]);

/** Under `chestmnist` in the first entry of the _metadata that PyTorch keeps with a state dict (see pth-writer.ts). */
function ownMetadata(dict: Map<unknown, unknown>): Record<string, string> {
  let value: unknown = attributesOf(dict);
  for (const key of ['_metadata', '', 'chestmnist']) value = value instanceof Map ? value.get(key) : undefined;
  const items = value instanceof Map ? [...value] : [];
  return Object.fromEntries(items.filter((item): item is [string, string] => item.every((s) => typeof s === 'string')));
}

/** What stands where weights are expected, in words. */
function described(root: unknown): string {
  const items = itemsOf(root);
  if (!items) return `it is ${kindOf(root)}`;
  const first = [...items].slice(0, 3).map(([key, value]) => `${shown(String(key))} is ${kindOf(value)}`);
  return first.join(', ') || 'it is empty';
}

function kindOf(value: unknown): string {
  if (value instanceof Instance) return `a ${shown(value.type)}`;
  if (value instanceof Opaque) return shown(value.name);
  if (value instanceof Map) return 'a dict';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Tensor) return 'a tensor';
  return value === null ? 'None' : `a ${typeof value}`;
}
