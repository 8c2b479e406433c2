/**
 * MedMNIST's layout of an .npz file: {train,val,test}_images and {train,val,test}_labels, checked before any image is
 * read. Not here: which file it is (load.ts), the bytes of an .npz (base/npz.ts).
 */
import { ChestMnistError } from '../base/errors';
import type { NpyHeader } from '../base/npy';
import { npzKeys, readNpz, type NpyArray } from '../base/npz';
import { SPLIT_NAMES, type Split, type SplitName } from './dataset';

const KEYS = SPLIT_NAMES.flatMap((split) => [`${split}_images`, `${split}_labels`]);
const LABEL_DTYPES = ['|u1', '|b1', '|i1', '<u2', '<i2', '<u4', '<i4', '<u8', '<i8'];
const MIN_SIZE = 28;

/** The three splits of an .npz file. Throws ERR_DATA_MISSING, ERR_DATA_CORRUPT or ERR_DATA_SHAPE. */
export async function readMedmnist(path: string): Promise<Record<SplitName, Split>> {
  const keys = await npzKeys(path);
  const missing = KEYS.filter((key) => !keys.includes(key));
  if (missing.length > 0) {
    throw shapeError(
      path,
      `has no ${missing.join(', ')} (it has ${keys.slice(0, 12).join(', ') || 'no arrays'})`,
      KEYS.join(', '),
    );
  }
  const arrays = await readNpz(path, { keys: KEYS, check: (headers) => checkHeaders(path, headers) });
  const split = (name: SplitName): Split => {
    const images = arrays.get(`${name}_images`)!;
    const labels = arrays.get(`${name}_labels`)!;
    return {
      images: images.data as Uint8Array,
      truth: binaryLabels(path, `${name}_labels`, labels),
      count: images.shape[0],
      size: images.shape[1],
      labelCount: labels.shape[1],
    };
  };
  return { train: split('train'), val: split('val'), test: split('test') };
}

/** Checks all shapes and dtypes before any image is read. */
function checkHeaders(path: string, headers: ReadonlyMap<string, NpyHeader>): void {
  const of = (key: string) => headers.get(key)!;
  const size = of('train_images').shape[1];
  const labelCount = of('train_labels').shape[1];
  for (const name of SPLIT_NAMES) {
    const [images, labels] = [of(`${name}_images`), of(`${name}_labels`)];
    const refuse = (key: 'images' | 'labels', found: string, needed: string) => {
      throw shapeError(path, `${name}_${key} ${found}`, needed);
    };
    const shown = (header: NpyHeader) => `has shape [${header.shape.join(', ')}]`;
    if (images.dtype !== '|u1') refuse('images', `has dtype ${images.dtype}`, 'uint8 (|u1), 0 to 255');
    const [count, height, width] = images.shape;
    const gray = images.shape.length === 3 || (images.shape.length === 4 && images.shape[3] === 1);
    if (!gray || height !== width) refuse('images', shown(images), 'square gray images, [N, H, H] or [N, H, H, 1]');
    if (count === 0) refuse('images', 'is empty', 'at least one image in every split');
    if (height < MIN_SIZE || height % 2 !== 0)
      refuse('images', shown(images), `an even size of at least ${MIN_SIZE} pixels`);
    if (height !== size) refuse('images', shown(images), `the same size as train_images, ${size}`);
    if (!LABEL_DTYPES.includes(labels.dtype)) refuse('labels', `has dtype ${labels.dtype}`, 'uint8 (|u1) of 0 and 1');
    if (labels.shape.length !== 2 || labels.shape[1] === 0) refuse('labels', shown(labels), 'two dimensions, [N, L]');
    if (labels.shape[0] !== count) refuse('labels', shown(labels), `one row for each of the ${count} images`);
    if (labels.shape[1] !== labelCount) refuse('labels', shown(labels), `${labelCount} columns, as in train_labels`);
  }
}

function binaryLabels(path: string, key: string, { data, shape, dtype }: NpyArray): Uint8Array {
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== 0 && data[i] !== 1) {
      const at = `[${Math.floor(i / shape[1])}, ${i % shape[1]}]`;
      throw shapeError(
        path,
        `${key} holds ${data[i]} at ${at}`,
        'labels of 0 and 1 (multi-label, one column per label)',
      );
    }
  }
  return dtype === '|u1' ? (data as Uint8Array) : Uint8Array.from(data);
}

function shapeError(path: string, found: string, needed: string): ChestMnistError {
  return new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${path}: ${found}`,
    needed,
    next: 'for the layout: npx chestmnist data --help; for an example file: npx chestmnist data synthesize -o example.npz',
  });
}
