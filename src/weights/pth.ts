/**
 * Reads the state dict of a .pth file as torch.save writes it since PyTorch 1.6: a zip of data.pkl (a pickle, see
 * pickle.ts) and one record per storage. Nothing is executed; every tensor is checked against its storage's bytes.
 * Not read: the formats before 1.6 (bare pickles, tar), whole pickled models, TorchScript.
 */
import { ChestMnistError } from '../base/errors';
import { openZip, type ZipArchive } from '../base/zip';
import type { StateDict, StateEntry } from '../engine/contract';
import { reasonOf, shown, weightsError } from './errors';
import { readBytes, withFile } from './file';
import { Callable, unpickle } from './pickle';
import { elementCount, gather, isReadDtype, ITEM_BYTES, MAX_BYTES, toEntry, type ReadDtype } from './tensor';

/** data.pkl of a resnet18 has 15 kB; with Adam's state about 60 kB. */
const MAX_PICKLE_BYTES = 2 ** 20;
/** Keys under which training scripts keep the state dict (`net` is MedMNIST's), and wrappers that prefix its names. */
const WRAPPER_KEYS = ['state_dict', 'model_state_dict', 'model', 'net'];
const PREFIXES = ['module.', '_orig_mod.'];

const STORAGES: Record<string, ReadDtype | 'other'> = {
  FloatStorage: 'F32',
  DoubleStorage: 'F64',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  // Recognised, so that a checkpoint with other tensors next to its state dict can be read. Refused inside the state
  // dict.
  ...Object.fromEntries(['Int', 'Short', 'Char', 'Byte', 'Bool'].map((type) => [`${type}Storage`, 'other'])),
};

class StorageType {
  constructor(
    readonly name: string,
    readonly dtype: ReadDtype | 'other',
  ) {}
}

/** A storage and a tensor as the pickle describes them; checked only when the tensor is used. */
class Storage {
  constructor(
    readonly type: StorageType,
    readonly key: string,
    readonly count: number,
  ) {}
}
class Tensor {
  constructor(
    readonly storage: Storage,
    readonly offset: unknown,
    readonly shape: unknown,
    readonly strides: unknown,
  ) {}
}

const GLOBALS = new Map<string, unknown>([
  ['collections.OrderedDict', new Callable(() => new Map())],
  [
    'torch._utils._rebuild_tensor_v2',
    new Callable(([storage, offset, shape, strides]) => {
      if (!(storage instanceof Storage)) throw new Error('a tensor without a storage');
      return new Tensor(storage, offset, shape, strides);
    }),
  ],
  [
    'torch._utils._rebuild_parameter',
    new Callable(([tensor]) => {
      if (!(tensor instanceof Tensor)) throw new Error('a parameter without a tensor');
      return tensor;
    }),
  ],
  ...Object.entries(STORAGES).map(([name, dtype]) => [`torch.${name}`, new StorageType(name, dtype)] as const),
]);

function persistent([tag, type, key, , count]: readonly unknown[]): Storage {
  const sound = tag === 'storage' && type instanceof StorageType && typeof key === 'string' && /^\d{1,20}$/.test(key);
  if (!sound || elementCount([count]) === undefined) throw new Error('it describes a storage in an unknown form');
  return new Storage(type, key, count as number);
}

const isDict = (value: unknown): value is Map<unknown, unknown> => value instanceof Map;

/**
 * The named tensors of the unpickled value: a state dict, or a dict with one under a usual key. Wrappers' prefixes are
 * removed.
 */
function tensorsIn(root: unknown): [string, Tensor][] {
  const wrapped = isDict(root) && WRAPPER_KEYS.map((key) => root.get(key)).find(isDict);
  const dict = wrapped || root;
  if (!isDict(dict)) throw new Error('it holds no dict');
  const tensors: [string, Tensor][] = [];
  for (const [name, value] of dict) {
    if (typeof name !== 'string') throw new Error(`it has a key that is not text (${typeof name})`);
    if (!(value instanceof Tensor)) throw new Error(`${shown(name)} is not a tensor`);
    tensors.push([name, value]);
  }
  return withoutPrefixes(tensors);
}

function withoutPrefixes(tensors: [string, Tensor][]): [string, Tensor][] {
  const prefix = PREFIXES.find((text) => tensors.length > 0 && tensors.every(([name]) => name.startsWith(text)));
  if (prefix === undefined) return tensors;
  return withoutPrefixes(tensors.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

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

class Records {
  private readonly storages = new Map<string, Promise<Uint8Array>>();
  private readonly prefix: string;
  /** Bytes that may still be copied to make strided tensors contiguous; at first twice the size of the file. */
  private copies: number;

  constructor(
    private readonly zip: ZipArchive,
    fileBytes: number,
  ) {
    this.copies = 2 * fileBytes;
    const pickles = zip.entries.filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
    if (pickles.length !== 1) throw new Error(`it has ${pickles.length} data.pkl`);
    this.prefix = pickles[0].name.slice(0, -'data.pkl'.length);
  }

  private sizeOf(record: string): number | undefined {
    const entry = this.zip.entries.find(({ name }) => name === this.prefix + record);
    // torch.save does not compress; a compressed record could expand to a thousand times its size
    if (entry && entry.method !== 0) throw new Error(`its record ${record} is compressed`);
    return entry?.uncompressedSize;
  }

  async root(): Promise<unknown> {
    if (this.sizeOf('byteorder') !== undefined) {
      const order = Buffer.from(await this.zip.read(`${this.prefix}byteorder`, { maxBytes: 16 })).toString('latin1');
      if (order !== 'little') throw new Error(`its byte order is ${shown(order)}`);
    }
    this.sizeOf('data.pkl');
    const pickle = await this.zip.read(`${this.prefix}data.pkl`, { maxBytes: MAX_PICKLE_BYTES });
    return unpickle(pickle, { globals: GLOBALS, persistent });
  }

  /** The bytes of a storage, read once even when several tensors share it. */
  private storage({ type, key, count }: Storage, dtype: ReadDtype): Promise<Uint8Array> {
    const size = this.sizeOf(`data/${key}`);
    if (size !== count * ITEM_BYTES[dtype]) {
      throw new Error(`its record data/${key} has ${size ?? 'no'} bytes for ${count} elements of a ${type.name}`);
    }
    let bytes = this.storages.get(key);
    if (!bytes) {
      bytes = this.zip.read(`${this.prefix}data/${key}`, { maxBytes: MAX_BYTES });
      this.storages.set(key, bytes);
    }
    return bytes;
  }

  async entry(name: string, tensor: Tensor): Promise<StateEntry> {
    const { dtype, count, sizes, steps, first, contiguous } = layoutOf(name, tensor);
    const itemBytes = ITEM_BYTES[dtype];
    const bytes = await this.storage(tensor.storage, dtype);
    if (contiguous) return toEntry(name, dtype, sizes, bytes.subarray(first * itemBytes, (first + count) * itemBytes));
    this.copies -= count * itemBytes;
    if (this.copies < 0) throw new Error('its tensors are many views of the same storages');
    return toEntry(name, dtype, sizes, gather(bytes, itemBytes, first, sizes, steps));
  }
}

function beforeZip(start: Uint8Array): string | undefined {
  if (start[0] === 0x80) return 'a bare pickle, as PyTorch before 1.6 wrote it';
  if (Buffer.from(start).toString('latin1', 257, 262) === 'ustar')
    return 'a tar file, as PyTorch before 0.1.10 wrote it';
  return undefined;
}

/** Refuses files that are not a zip, and names the old formats. Returns when `start` looks like a zip. */
function refuseOldFormats(file: string, start: Uint8Array): void {
  if (start[0] === 0x50 && start[1] === 0x4b) return;
  const old = beforeZip(start);
  throw weightsError({
    found: `${file} is ${old ?? 'neither a safetensors nor a .pth file'}`,
    needed: 'a zip as torch.save writes it since PyTorch 1.6, or a .safetensors file',
    next: old ? `save it again from Python: torch.save(torch.load(FILE, weights_only=True), FILE)` : 'check the path',
  });
}

/**
 * The state dict in a .pth file, in its order. float32 and int64 stay as they are; float64, float16 and bfloat16 become
 * F32. ERR_CONFIG when it cannot be opened, ERR_WEIGHTS when it holds anything else.
 */
export async function readPth(file: string): Promise<StateDict> {
  const fileBytes = await withFile(file, async (handle, size) => {
    refuseOldFormats(file, await readBytes(handle, 0, Math.min(size, 512)));
    return size;
  });
  let zip: ZipArchive | undefined;
  try {
    zip = await openZip(file);
    const records = new Records(zip, fileBytes);
    const state: StateDict = [];
    for (const [name, tensor] of tensorsIn(await records.root())) state.push(await records.entry(name, tensor));
    return state;
  } catch (error) {
    throw weightsError(
      {
        found: `${file} has no readable state dict: ${error instanceof ChestMnistError ? error.found : reasonOf(error)}`,
        needed: 'torch.save(model.state_dict(), FILE), or a dict with it under "state_dict"',
        next: 'save only the state dict from Python, or use a .safetensors file',
      },
      error,
    );
  } finally {
    await zip?.close();
  }
}
