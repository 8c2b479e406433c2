/**
 * loadDataset: from a name, a path or `synthetic` to three checked splits in memory. Not here: the layout of a file
 * (medmnist.ts), synthetic images (synthetic/).
 */
import { basename } from 'node:path';
import { ownSignal } from '../base/abort';
import { ANY, checkArgument, checkFields, FUNCTION, OBJECT, rule, SIGNAL, TEXT, type Rule } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import { absolute } from '../base/folders';
import { oneLine } from '../base/text';
import { isTask, TASKS, type Task } from '../base/task';
import { knownByMd5, knownFile, setNamed, suggestSet, type CatalogueSet } from './catalogue';
import { hashFile } from '../base/checksum';
import { type Dataset, type Split, type SplitName } from './dataset';
import { readMedmnist, type MedmnistFile } from './medmnist';
import { dataDirectories, findDataFile } from './places';
import { synthesizeAsync } from './synthetic';
import { labelled } from './truth';

export interface LoadOptions {
  /** Side of the images in pixels: which catalogue file (28, 64, 128 or 224; default 28), or the size to synthesize. */
  size?: number;
  /** What the labels of a file ask, where it is not what they suggest. */
  task?: Task;
  /** Seed of synthetic data, default 0; ignored for files. */
  seed?: number;
  /** Images per split of synthetic data, default the real 78,468/11,219/22,433; ignored for files. */
  counts?: Readonly<Record<SplitName, number>>;
  /** Called with the images done and their total while synthetic data are made. */
  onProgress?: (done: number, total?: number) => void;
  /** Aborting it ends the work soon and rejects with its reason. */
  signal?: AbortSignal;
}

/** ANY: checked where the data are made or found. */
const OPTIONS: Readonly<Record<keyof LoadOptions, Rule>> = {
  size: ANY,
  task: rule(TASKS.join(', '), isTask),
  seed: ANY,
  counts: OBJECT,
  onProgress: FUNCTION,
  signal: SIGNAL,
};
const SOURCE = rule('the name of a known set, synthetic, or the path of an .npz file', TEXT.is);

/** Side of the images in pixels when no size is given. */
const DEFAULT_SIZE = 28;

/**
 * Loads a data set.
 * @param source `chestmnist` or another of MedMNIST's 2D sets (searched in ., $CHESTMNIST_DATA, ~/.medmnist and the user's
 *   cache), `synthetic`, or the path of an .npz file with arrays {train,val,test}_images uint8, gray [N,H,H] (or [N,H,H,1])
 *   or RGB [N,H,H,3], H even, at least 28, and {train,val,test}_labels, [N,L] of 0 and 1, or [N] or [N,1] of class numbers
 *   from 0, of any dtype that holds whole numbers; and, when they are known, label_names, text.
 * @throws ERR_DATA_MISSING, ERR_DATA_CORRUPT, ERR_DATA_CHECKSUM (a known name with another MD5), ERR_DATA_SHAPE,
 *   ERR_CONFIG.
 */
export async function loadDataset(source: string, options: LoadOptions = {}): Promise<Dataset> {
  checkArgument('source', source, SOURCE);
  checkFields('options', options, OPTIONS);
  const signal = ownSignal(options.signal);
  signal.throwIfAborted();
  const { task } = options;
  if (source === 'synthetic') return synthesizeAsync({ ...options, signal });
  const set = setNamed(source);
  if (set) return loadCatalogue(set, options.size ?? DEFAULT_SIZE, task, signal);
  if (!/[\\/.]/.test(source)) {
    throw new ChestMnistError('ERR_DATA_MISSING', {
      found: `no data set is called ${JSON.stringify(source)}`,
      needed: `${suggestSet(source)}; synthetic, or the path of an .npz file`,
      next: `for a file in this folder write ./${source}`,
    });
  }
  const path = absolute(source);
  const file = await readMedmnist(path);
  const md5 = await hashFile(path, 'md5', signal);
  return datasetOf(basename(path).replace(/\.npz$/i, ''), md5, file, task);
}

/** The first `n` images of a split, sharing its memory; the split itself when it has no more than `n`. */
export function limitSplit(split: Split, n: number): Split {
  if (!Number.isInteger(n) || n < 1) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `a limit of ${n} images`,
      needed: 'an integer of at least 1',
      next: 'leave the limit out to use the whole split',
    });
  }
  if (n >= split.count) return split;
  const { size, channels, labelCount } = split;
  return {
    ...split,
    images: split.images.subarray(0, n * size * size * channels),
    truth: split.truth.subarray(0, n * labelCount),
    count: n,
  };
}

/** Throws ERR_DATA_CHECKSUM when `md5` differs from that of the catalogue's file of this size. */
export function checkCatalogueMd5(set: CatalogueSet, path: string, size: number, md5: string): void {
  const known = knownFile(set, size);
  if (known.md5 === md5) return;
  throw new ChestMnistError('ERR_DATA_CHECKSUM', {
    found: `${path} has MD5 ${md5}`,
    needed: `${known.md5}, that of ${known.file} in ${set.record}`,
    next: `to download it again: npx chestmnist data fetch ${set.name} --size ${size}; your own data needs another file name`,
  });
}

async function loadCatalogue(
  set: CatalogueSet,
  size: number,
  task: Task | undefined,
  signal?: AbortSignal,
): Promise<Dataset> {
  const { file, url, md5: expected } = knownFile(set, size);
  const path = findDataFile(file);
  if (!path) {
    throw new ChestMnistError('ERR_DATA_MISSING', {
      found: `${file} is not in ${dataDirectories().join(', ')}`,
      needed: `the file from ${url} (MD5 ${expected})`,
      next: `npx chestmnist data fetch ${set.name} --size ${size}; or download it by hand into one of these folders`,
    });
  }
  // The checksum comes first: a wrong one explains why a file cannot be read.
  const md5 = await hashFile(path, 'md5', signal).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw new ChestMnistError(
      'ERR_DATA_MISSING',
      {
        found: `${path} cannot be read (${(cause as Error).message})`,
        needed: 'a readable file',
        next: `check ${path}`,
      },
      { cause },
    );
  });
  checkCatalogueMd5(set, path, size, md5);
  return datasetOf(set.name, md5, await readMedmnist(path), task);
}

function datasetOf(name: string, md5: string, file: MedmnistFile, asked: Task | undefined): Dataset {
  const { path, size, channels } = file;
  // What is known of a set is used for a file with its MD5 only, whatever its columns.
  const { task, labels, splits } = labelled(file, knownByMd5(md5)?.set, asked);
  // The name goes into names of files and into lines of text.
  return { name: oneLine(name, '-'), size, channels, task, labels, splits, md5, path };
}
