/**
 * MedMNIST's layout of an .npz file: {train,val,test}_images and {train,val,test}_labels, checked before any image is
 * read, and label_names. Not here: which file it is (load.ts), what its labels mean (truth.ts), the bytes of an .npz
 * (base/npz.ts).
 */
import { ChestMnistError } from '../base/errors';
import type { NpyHeader } from '../base/npy';
import { npzKeys, readNpz, readNpzTexts, type NpyArray } from '../base/npz';
import { SPLIT_NAMES, type SplitName } from './dataset';

const KEYS = SPLIT_NAMES.flatMap((split) => [`${split}_images`, `${split}_labels`]);
const NAMES = 'label_names';
const LAYOUT =
  'for the layout: npx chestmnist data --help; for an example file: npx chestmnist data synthesize -o example.npz';
const MIN_SIZE = 28;

/** What a file holds. */
export interface MedmnistFile {
  readonly path: string;
  readonly size: number;
  readonly channels: 1 | 3;
  /** Whole arrays: images uint8, labels of any dtype, [N] or [N, L]. */
  readonly splits: Readonly<Record<SplitName, { images: Uint8Array; labels: NpyArray; count: number }>>;
  /** The columns of the labels. */
  readonly width: number;
  readonly labelNames: readonly string[] | undefined;
}

/** The arrays of an .npz file. Throws ERR_DATA_MISSING, ERR_DATA_CORRUPT or ERR_DATA_SHAPE. */
export async function readMedmnist(path: string): Promise<MedmnistFile> {
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
  const split = (name: SplitName) => {
    const images = arrays.get(`${name}_images`)!;
    return { images: images.data as Uint8Array, labels: arrays.get(`${name}_labels`)!, count: images.shape[0] };
  };
  const [images, labels] = [arrays.get('train_images')!.shape, arrays.get('train_labels')!.shape];
  return {
    path,
    size: images[1],
    channels: channelsOf(images),
    splits: { train: split('train'), val: split('val'), test: split('test') },
    width: labels[1] ?? 1,
    labelNames: keys.includes(NAMES) ? await readNpzTexts(path, NAMES) : undefined,
  };
}

const channelsOf = (shape: readonly number[]): 1 | 3 => (shape[3] === 3 ? 3 : 1);

/** Checks all shapes and dtypes before any image is read. */
function checkHeaders(path: string, headers: ReadonlyMap<string, NpyHeader>): void {
  const of = (key: string) => headers.get(key)!;
  const size = of('train_images').shape[1];
  const channels = channelsOf(of('train_images').shape);
  const width = of('train_labels').shape[1];
  for (const name of SPLIT_NAMES) {
    const [images, labels] = [of(`${name}_images`), of(`${name}_labels`)];
    const refuse = (key: 'images' | 'labels', found: string, needed: string) => {
      throw shapeError(path, `${name}_${key} ${found}`, needed);
    };
    const shown = (header: NpyHeader) => `has shape [${header.shape.join(', ')}]`;
    if (images.dtype !== '|u1') refuse('images', `has dtype ${images.dtype}`, 'uint8 (|u1), 0 to 255');
    const [count, height] = images.shape;
    const isImage = images.shape.length === 3 || (images.shape.length === 4 && [1, 3].includes(images.shape[3]));
    if (!isImage || height !== images.shape[2])
      refuse('images', shown(images), 'square images, gray [N, H, H] or [N, H, H, 1], or RGB [N, H, H, 3]');
    if (count === 0) refuse('images', 'is empty', 'at least one image in every split');
    if (height < MIN_SIZE || height % 2 !== 0)
      refuse('images', shown(images), `an even size of at least ${MIN_SIZE} pixels`);
    if (height !== size) refuse('images', shown(images), `the same size as train_images, ${size}`);
    if (channelsOf(images.shape) !== channels)
      refuse('images', shown(images), `${channels === 1 ? 'gray' : 'RGB'} images, as train_images`);
    if (![1, 2].includes(labels.shape.length) || labels.shape[1] === 0)
      refuse('labels', shown(labels), 'one column or several, [N], [N, 1] or [N, L]');
    if (labels.shape[0] !== count) refuse('labels', shown(labels), `one row for each of the ${count} images`);
    if ((labels.shape[1] ?? 1) !== (width ?? 1))
      refuse('labels', shown(labels), `${width ?? 1} columns, as in train_labels`);
  }
}

/** What a file holds is not what is needed. */
export function shapeError(path: string, found: string, needed: string, next = LAYOUT): ChestMnistError {
  return new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${path}: ${found}`,
    needed,
    next,
  });
}
