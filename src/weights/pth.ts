/**
 * Reads a .pth file as torch.save writes it: since PyTorch 1.6 a zip of data.pkl (a pickle, see pickle.ts) and one
 * record per storage, before that pickles in a row (legacy.ts). Nothing is executed. Not read: tar files (before 0.1.10),
 * whole pickled models, TorchScript, and what is no .pth at all; each is named, with the Python that converts it.
 */
import { ChestMnistError } from '../base/errors';
import { openZip, type ZipArchive } from '../base/zip';
import type { Contents } from './contents';
import { reasonOf, shown, weightsError } from './errors';
import { readBytes, withFile } from './file';
import { NotTorch, readLegacy } from './legacy';
import { unpickle, type PickleContext } from './pickle';
import { inPython, TORCH_LOAD, TORCH_LOAD_ALL } from './python';
import { ITEM_BYTES, MAX_BYTES, isReadDtype } from './tensor';
import { NoTensors, Tensors, TORCH_PICKLE, type Storage } from './unpickled';

/** The records of a zip, below its one folder. */
class Records {
  private readonly storages = new Map<string, Promise<Uint8Array>>();
  private readonly prefix: string;
  readonly isScript: boolean;

  constructor(private readonly zip: ZipArchive) {
    const pickles = zip.entries.filter(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
    if (pickles.length !== 1) throw new Error(`it has ${pickles.length} data.pkl`);
    this.prefix = pickles[0].name.slice(0, -'data.pkl'.length);
    this.isScript = zip.entries.some(({ name }) => name === `${this.prefix}constants.pkl`);
  }

  private sizeOf(record: string): number | undefined {
    const entry = this.zip.entries.find(({ name }) => name === this.prefix + record);
    // torch.save does not compress; a compressed record could expand to a thousand times its size
    if (entry && entry.method !== 0) throw new Error(`its record ${record} is compressed`);
    return entry?.uncompressedSize;
  }

  async root(context: PickleContext): Promise<unknown> {
    if (this.sizeOf('byteorder') !== undefined) {
      const order = Buffer.from(await this.zip.read(`${this.prefix}byteorder`, { maxBytes: 16 })).toString('latin1');
      if (order !== 'little') throw new Error(`its byte order is ${shown(order)}`);
    }
    this.sizeOf('data.pkl');
    const pickle = await this.zip.read(`${this.prefix}data.pkl`, { maxBytes: MAX_BYTES });
    return unpickle(pickle, context);
  }

  /** The bytes of a storage, read once even when several tensors share it. */
  storage = ({ type, key, count }: Storage): Promise<Uint8Array> => {
    const size = this.sizeOf(`data/${key}`);
    if (!isReadDtype(type.dtype) || size !== count * ITEM_BYTES[type.dtype]) {
      throw new Error(`its record data/${key} has ${size ?? 'no'} bytes for ${count} elements of a ${type.name}`);
    }
    let bytes = this.storages.get(key);
    if (!bytes) {
      bytes = this.zip.read(`${this.prefix}data/${key}`, { maxBytes: MAX_BYTES });
      this.storages.set(key, bytes);
    }
    return bytes;
  };
}

const ascii = (start: Uint8Array, at: number, length: number): string =>
  Buffer.from(start.subarray(at, at + length)).toString('latin1');

/** What a file that is neither a zip nor a pickle is, and what to do with it. */
function refuseOther(file: string, start: Uint8Array): never {
  const kinds: [is: boolean, what: string, next: string][] = [
    [
      ascii(start, 257, 5) === 'ustar',
      'a tar file, as PyTorch before 0.1.10 wrote it',
      inPython(file, `s=${TORCH_LOAD_ALL}`, 's'),
    ],
    [
      ascii(start, 1, 3) === 'HDF',
      'an HDF5 file, as Keras writes it',
      'weights of Keras have other names and another order of axes: train a resnet18 in PyTorch, or here',
    ],
    [
      start[0] === 0x08 && /\bonnx\b|pytorch|chestmnist/i.test(ascii(start, 0, 64)),
      'an ONNX file, which is only written',
      'use the .pth or .safetensors file that it was made from',
    ],
  ];
  const [, what, next] = kinds.find(([is]) => is) ?? [true, 'neither a safetensors nor a .pth file', 'check the path'];
  throw weightsError({
    found: `${file} is ${what}`,
    needed: 'a .safetensors file, or one that torch.save wrote',
    next,
  });
}

/** Opens a .pth file and passes what it holds to `use`. ERR_CONFIG when it cannot be opened, ERR_WEIGHTS otherwise. */
export async function withPth<T>(file: string, use: (contents: Contents) => Promise<T>): Promise<T> {
  const { start, size } = await withFile(file, async (handle, size) => ({
    start: await readBytes(handle, 0, Math.min(size, 512)),
    size,
  }));
  const isZip = start[0] === 0x50 && start[1] === 0x4b;
  if (!isZip && start[0] !== 0x80) refuseOther(file, start);
  let zip: ZipArchive | undefined;
  let records: Records | undefined;
  let python = TORCH_LOAD;
  const context = { ...TORCH_PICKLE, onOpaque: () => void (python = TORCH_LOAD_ALL) };
  try {
    if (!isZip) {
      const dicts = readLegacy(await withFile(file, (handle) => readBytes(handle, 0, size)), context);
      return await use({ dicts, python });
    }
    zip = await openZip(file);
    records = new Records(zip);
    const root = await records.root(context);
    return await use({ dicts: new Tensors(size, records.storage).dictsIn(root), python });
  } catch (error) {
    // What `use` refuses is complete; a damaged zip, and plain errors, are of this file.
    if (error instanceof ChestMnistError && !error.code.startsWith('ERR_DATA_')) throw error;
    throw weightsError(
      {
        found: `${file} has no readable state dict: ${error instanceof ChestMnistError ? error.found : reasonOf(error)}`,
        needed: 'torch.save(model.state_dict(), FILE), or a dict with it under "state_dict"',
        next: records?.isScript ? inPython(file, SCRIPT, 'm.state_dict()') : savedAgain(file, error),
      },
      error,
    );
  } finally {
    await zip?.close();
  }
}

const SCRIPT = "m=torch.jit.load(f,map_location='cpu')";

/** The step that makes a plain state dict of a file without one. */
function savedAgain(file: string, error: unknown): string {
  if (error instanceof NotTorch) return inPython(file, "import pickle; s=pickle.load(open(f,'rb'))", 's');
  const holds = error instanceof NoTensors ? error.holds : 'other';
  if (holds === 'object') return inPython(file, `m=${TORCH_LOAD_ALL}`, 'm.state_dict()');
  if (holds === 'arrays') return inPython(file, `s=${TORCH_LOAD_ALL}`, '{k:torch.as_tensor(v) for k,v in s.items()}');
  return 'save only the state dict from Python, or use a .safetensors file';
}
