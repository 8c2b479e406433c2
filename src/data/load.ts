/**
 * loadDataset: from a name, a path or `synthetic` to three checked splits in memory. How bytes are read is npz.ts, how
 * synthetic images come about is synthetic.ts.
 */
import { basename, resolve } from 'node:path';
import { ChestMnistError } from '../base/errors';
import { CHESTMNIST, CHESTMNIST_LABELS, knownFile } from './catalogue';
import { hashFile } from '../base/checksum';
import { SPLIT_NAMES, type Dataset, type Split, type SplitName } from './dataset';
import { unnamed } from './labels';
import type { NpyHeader } from '../base/npy';
import { npzKeys, readNpz, type NpyArray } from '../base/npz';
import { dataDirectories, findDataFile } from './places';
import { synthesizeAsync } from './synthetic';

export interface LoadOptions {
  /** Side of the images in pixels: which catalogue file (28, 64, 128 or 224; default 28), or the size to synthesize. */
  size?: number;
  /** Seed of synthetic data, default 0; ignored for files. */
  seed?: number;
  /** Images per split of synthetic data, default the real 78,468/11,219/22,433; ignored for files. */
  counts?: Readonly<Record<SplitName, number>>;
  /** Images ready so far of all, while synthetic data are made. */
  onProgress?: (done: number, total?: number) => void;
  signal?: AbortSignal;
}

const KEYS = SPLIT_NAMES.flatMap((split) => [`${split}_images`, `${split}_labels`]);
const LABEL_DTYPES = ['|u1', '|b1', '|i1', '<u2', '<i2', '<u4', '<i4', '<u8', '<i8'];
const MIN_SIZE = 28;

/**
 * Loads a data set.
 * @param source `chestmnist` (looked for in ., $CHESTMNIST_DATA, ~/.medmnist and the user's cache), `synthetic`, or the path
 *   of an .npz file with arrays {train,val,test}_images uint8 [N,H,H] (or [N,H,H,1]; H even, at least 28) and
 *   {train,val,test}_labels [N,L] of 0 and 1 (uint8, bool or integers).
 * @throws ERR_DATA_MISSING, ERR_DATA_CORRUPT, ERR_DATA_CHECKSUM (a catalogue file, by name, with another MD5), ERR_DATA_SHAPE, ERR_CONFIG.
 */
export async function loadDataset(source: string, options: LoadOptions = {}): Promise<Dataset> {
  options.signal?.throwIfAborted();
  if (source === 'synthetic') return synthesizeAsync(options);
  if (source === CHESTMNIST.name) return loadCatalogue(options.size ?? MIN_SIZE, options.signal);
  if (!/[\\/.]/.test(source)) {
    throw new ChestMnistError('ERR_DATA_MISSING', {
      found: `no data set is called ${JSON.stringify(source)}`,
      needed: `${CHESTMNIST.name}, synthetic, or the path of an .npz file`,
      next: `for a file in this folder write ./${source}`,
    });
  }
  const path = resolve(source);
  const splits = await readSplits(path);
  const md5 = await hashFile(path, 'md5', options.signal);
  return datasetOf(basename(path).replace(/\.npz$/i, ''), path, md5, splits);
}

/** The first `n` images of a split, sharing its memory; `n` of at least the count gives the split itself. */
export function limitSplit(split: Split, n: number): Split {
  if (!Number.isInteger(n) || n < 1) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `a limit of ${n} images`,
      needed: 'an integer of at least 1',
      next: 'leave the limit out to use the whole split',
    });
  }
  if (n >= split.count) return split;
  const { size, labelCount } = split;
  return {
    images: split.images.subarray(0, n * size * size),
    truth: split.truth.subarray(0, n * labelCount),
    count: n,
    size,
    labelCount,
  };
}

/** Throws ERR_DATA_CHECKSUM when `md5` is not that of the catalogue's file of this size. */
export function checkCatalogueMd5(path: string, size: number, md5: string): void {
  const known = knownFile(size);
  if (known.md5 === md5) return;
  throw new ChestMnistError('ERR_DATA_CHECKSUM', {
    found: `${path} has MD5 ${md5}`,
    needed: `${known.md5}, that of ${known.file} in ${CHESTMNIST.record}`,
    next: `chestmnist data fetch --size ${size} gets it again; data of your own needs another file name`,
  });
}

async function loadCatalogue(size: number, signal?: AbortSignal): Promise<Dataset> {
  const { file, url, md5: expected } = knownFile(size);
  const path = findDataFile(file);
  if (!path) {
    throw new ChestMnistError('ERR_DATA_MISSING', {
      found: `${file} is not in ${dataDirectories().join(', ')}`,
      needed: `the file from ${url} (MD5 ${expected})`,
      next: `chestmnist data fetch --size ${size}; or download it by hand into one of these folders`,
    });
  }
  // The checksum comes first: it explains a file that cannot be read.
  const md5 = await hashFile(path, 'md5', signal);
  checkCatalogueMd5(path, size, md5);
  return datasetOf(CHESTMNIST.name, path, md5, await readSplits(path));
}

function datasetOf(name: string, path: string, md5: string, splits: Record<SplitName, Split>): Dataset {
  const { size, labelCount } = splits.train;
  // Names are those of a file that is known, by its content and not by the number of its columns.
  const isKnown = CHESTMNIST.files.some((known) => known.md5 === md5);
  const labels = isKnown ? CHESTMNIST_LABELS : unnamed(labelCount);
  return { name, size, labels, splits, md5, path };
}

async function readSplits(path: string): Promise<Record<SplitName, Split>> {
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

/** Everything that shapes and dtypes can tell, before any image is read. */
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
    if (labels.shape[1] !== labelCount) refuse('labels', shown(labels), `${labelCount} columns as train_labels`);
  }
}

function binaryLabels(path: string, key: string, { data, shape, dtype }: NpyArray): Uint8Array {
  for (let i = 0; i < data.length; i++) {
    if (data[i] !== 0 && data[i] !== 1) {
      const at = `[${Math.floor(i / shape[1])}, ${i % shape[1]}]`;
      throw shapeError(path, `${key} holds ${data[i]} at ${at}`, 'labels of 0 and 1 (multi-label, one column a label)');
    }
  }
  return dtype === '|u1' ? (data as Uint8Array) : Uint8Array.from(data);
}

function shapeError(path: string, found: string, needed: string): ChestMnistError {
  return new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${path}: ${found}`,
    needed,
    next: 'see "chestmnist data --help" for the layout, and "chestmnist data synthesize" for an example file',
  });
}
