/**
 * Writes a state dict as the .pth that torch.load(weights_only=True) reads: a zip whose records are uncompressed and
 * start at multiples of 64 bytes, so that torch.load(mmap=True) can map them. Source: torch/serialization.py,
 * PyTorchStreamWriter.
 */
import { writeZip, type ZipInput } from '../base/zip-writer';
import type { StateDict } from '../engine/contract';
import { bytesOf, checkSavable } from './tensor';

const ROOT = 'archive';
const ALIGNMENT = 64;
const STORAGE = { F32: 'FloatStorage', I64: 'LongStorage' } as const;

const op = (...codes: number[]) => Buffer.from(codes);
const text = (value: string) => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(5, 0x58); // BINUNICODE
  length.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([length, bytes]);
};
const int = (value: number) => {
  const bytes = Buffer.alloc(5, 0x4a); // BININT
  bytes.writeInt32LE(value, 1);
  return bytes;
};
const global = (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`);
const tuple = (...parts: Buffer[]) => Buffer.concat([op(0x28), ...parts, op(0x74)]); // MARK ... TUPLE
const call = (callable: Buffer, ...args: Buffer[]) => Buffer.concat([callable, tuple(...args), op(0x52)]); // REDUCE
const orderedDict = () => call(global('collections', 'OrderedDict'));

/**
 * `_metadata` as Module.state_dict() keeps it: an entry per module, with the version of its class. Ours is in that of the
 * outermost module, where torch.load(weights_only=True) and load_state_dict(strict=True) pass over it.
 */
function metadataOf(metadata: Readonly<Record<string, string>>): Buffer {
  const dict = (items: Buffer[]): Buffer => Buffer.concat([op(0x7d, 0x28), ...items, op(0x75)]); // EMPTY_DICT MARK SETITEMS
  const own = dict(Object.entries(metadata).flatMap(([name, value]) => [text(name), text(value)]));
  const outermost = dict([text('version'), int(1), text('chestmnist'), own]);
  const modules = Buffer.concat([orderedDict(), op(0x28), text(''), outermost, op(0x75)]);
  return Buffer.concat([dict([text('_metadata'), modules]), op(0x62)]); // BUILD
}

/** data.pkl: an OrderedDict of tensors, each with its own storage, named by its index in `state`. */
function pickleOf(state: StateDict, metadata: Readonly<Record<string, string>>): Buffer {
  const items = state.map(({ name, dtype, shape, data }, i) => {
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
    const storage = tuple(
      text('storage'),
      global('torch', STORAGE[dtype]),
      text(`${i}`),
      text('cpu'),
      int(data.length),
    );
    const tensor = call(
      global('torch._utils', '_rebuild_tensor_v2'),
      Buffer.concat([storage, op(0x51)]), // BINPERSID
      int(0),
      tuple(...shape.map(int)),
      tuple(...strides.map(int)),
      op(0x89), // requires_grad: NEWFALSE
      orderedDict(),
    );
    return Buffer.concat([text(name), tensor]);
  });
  const attributes = Object.keys(metadata).length > 0 ? metadataOf(metadata) : op();
  // PROTO 2, the dict, MARK, names and tensors, SETITEMS, attributes, STOP
  return Buffer.concat([op(0x80, 2), orderedDict(), op(0x28), ...items, op(0x75), attributes, op(0x2e)]);
}

/**
 * Writes `state` to a .pth file atomically, with `metadata` as an attribute of the state dict. ERR_OUTPUT or ERR_DISK when it cannot be written; ERR_WEIGHTS for an
 * invalid entry.
 */
export async function writePth(
  file: string,
  state: StateDict,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  checkSavable(state);
  const record = (name: string, bytes: Uint8Array): ZipInput => ({ name: `${ROOT}/${name}`, parts: [bytes] });
  const records = [
    record('data.pkl', pickleOf(state, metadata)),
    record('byteorder', Buffer.from('little')),
    ...state.map((entry, i) => record(`data/${i}`, bytesOf(entry))),
    record('version', Buffer.from('3\n')),
  ];
  await writeZip(file, records, { align: ALIGNMENT });
}
