/**
 * Writes a state dict as the .pth that torch.load(weights_only=True) reads: a zip whose records are stored and start at
 * multiples of 64 bytes, so that torch.load(mmap=True) can map them. Source: torch/serialization.py, PyTorchStreamWriter.
 */
import { crc32 } from 'node:zlib';
import { writeAtomically, writeChunks } from '../base/atomic';
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

/** data.pkl: an OrderedDict of tensors, each on a storage of its own named by its place in `state`. */
function pickleOf(state: StateDict): Buffer {
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
  // PROTO 2, the dict, MARK, names and tensors, SETITEMS, STOP
  return Buffer.concat([op(0x80, 2), orderedDict(), op(0x28), ...items, op(0x75, 0x2e)]);
}

/** The fields that a record's local header and its entry in the central directory share. */
function zipFields(name: string, bytes: Uint8Array, crc: number, extraLength: number): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0); // version needed; then flags and method: none, stored
  fields.writeUInt16LE(0x0021, 8); // 1980-01-01, the first date a zip can hold
  fields.writeUInt32LE(crc, 10);
  fields.writeUInt32LE(bytes.length, 14);
  fields.writeUInt32LE(bytes.length, 18);
  fields.writeUInt16LE(name.length, 22);
  fields.writeUInt16LE(extraLength, 24);
  return fields;
}

/** A zip of stored records (ASCII names, below 4 GiB), each record's bytes aligned by an extra field, as PyTorch does it. */
function* zipOf(records: readonly [name: string, bytes: Uint8Array][]): Generator<Uint8Array> {
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, bytes] of records) {
    const crc = crc32(bytes);
    const unaligned = at + 30 + name.length + 4;
    const padding = (ALIGNMENT - (unaligned % ALIGNMENT)) % ALIGNMENT;
    const extra = Buffer.alloc(4 + padding, 'Z');
    extra.write('FB', 'latin1');
    extra.writeUInt16LE(padding, 2);

    const place = Buffer.alloc(12); // disk, attributes, offset of the local header
    place.writeUInt32LE(at, 8);
    const central = [op(0x50, 0x4b, 1, 2, 20, 0), zipFields(name, bytes, crc, 0), op(0, 0), place, Buffer.from(name)];
    directory.push(Buffer.concat(central));

    yield Buffer.concat([op(0x50, 0x4b, 3, 4), zipFields(name, bytes, crc, extra.length), Buffer.from(name), extra]);
    yield bytes;
    at += 30 + name.length + extra.length + bytes.length;
  }
  const entries = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.set([0x50, 0x4b, 5, 6]);
  end.writeUInt16LE(records.length, 8);
  end.writeUInt16LE(records.length, 10);
  end.writeUInt32LE(entries.length, 12);
  end.writeUInt32LE(at, 16);
  yield entries;
  yield end;
}

/** Writes `state` to a .pth file atomically. ERR_CONFIG when it cannot be written; ERR_CHECKPOINT_INCOMPATIBLE when an entry is unsound. */
export async function writePth(file: string, state: StateDict): Promise<void> {
  checkSavable(state);
  const storages = state.map((entry, i): [string, Uint8Array] => [`${ROOT}/data/${i}`, bytesOf(entry)]);
  const records: [string, Uint8Array][] = [
    [`${ROOT}/data.pkl`, pickleOf(state)],
    [`${ROOT}/byteorder`, Buffer.from('little')],
    ...storages,
    [`${ROOT}/version`, Buffer.from('3\n')],
  ];
  await writeAtomically(file, (handle) => writeChunks(handle, zipOf(records)));
}
