/**
 * The layout of torch.save before PyTorch 1.6, and of `_use_new_zipfile_serialization=False` since: a magic number, a
 * version, facts of the system, the object and the keys of its storages, each a pickle; then the storages, each its
 * number of elements and its bytes. Source: torch/serialization.py, _legacy_save.
 */
import type { TensorDict } from './contents';
import { unpickleAt, type PickleContext } from './pickle';
import { Storage, Tensors } from './unpickled';

/** The integer that the first pickle is, as its bytes. */
const MAGIC = Buffer.from('6cfc9c46f9206aa85019', 'hex');

/** A pickle of something else than torch.save. */
export class NotTorch extends Error {}

/** The dicts of tensors in a whole file. Throws a plain Error for anything else. */
export function readLegacy(bytes: Uint8Array, context: PickleContext): TensorDict[] {
  let at = 0;
  const storages = new Map<string, Storage>();
  const next = (): unknown => {
    const { value, end } = unpickleAt(bytes, at, {
      ...context,
      persistent: (id) => {
        const value = context.persistent(id);
        if (value instanceof Storage) storages.set(value.key, value);
        return value;
      },
    });
    at = end;
    return value;
  };
  if (!Buffer.from(bytes.subarray(0, 32)).includes(MAGIC))
    throw new NotTorch('it is a pickle that torch.save did not write');
  next();
  next(); // the version of the layout, 1001 ever since
  const system = next();
  if (system instanceof Map && system.get('little_endian') === false) throw new Error('its byte order is big');
  const root = next();
  const keys = next();
  if (!Array.isArray(keys)) throw new Error('it has no list of storages');

  const found = new Map<string, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const key of keys as unknown[]) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    const length = storage?.bytes;
    if (!storage || length === undefined) throw new Error('it has a storage of an unknown kind');
    if (at + 8 + length > bytes.length || view.getBigUint64(at, true) !== BigInt(storage.count))
      throw new Error(`its storage ${storage.key} does not hold ${storage.count} elements`);
    found.set(storage.key, bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  const tensors = new Tensors(bytes.length, ({ key, count, type, bytes: length }) => {
    const stored = found.get(key);
    // Two descriptions of one storage must agree on its size.
    if (!stored || stored.length !== length)
      throw new Error(`its storage ${key} has not ${count} elements of a ${type.name}`);
    return stored;
  });
  return tensors.dictsIn(root);
}
