/**
 * The data set of a run or an evaluation, cut to its limits. Not here: reading files (load.ts), the model
 * (judge/model.ts).
 */
import { CHESTMNIST, limitSplit, loadDataset } from '.';
import { setNamed } from './catalogue';
import type { Task } from '../base/task';
import type { DataFacts, Dataset, SplitName } from './dataset';
import { ChestMnistError } from '../base/errors';
import { namesFor, positivesOf } from './labels';
import { listed } from '../base/text';

export interface DataOptions {
  data: string;
  size: number | null;
  /** What the labels ask, where the user says so. */
  task?: Task | null;
  /** Label names from the user; null for those of the data. */
  labelNames?: readonly string[] | null;
  limits?: Partial<Record<SplitName, number | null>>;
  /** The next step where the file of the data is missing; that of loading by default. */
  ifMissing?: string;
  onProgress?: (done: number, total?: number) => void;
  signal?: AbortSignal;
}

/** Loads a data set and cuts it to the limits. `notes` reports each limit above the number of images. */
export async function loadData(options: DataOptions): Promise<{ dataset: Dataset; notes: string[] }> {
  const { data, size, task, labelNames, limits = {}, ifMissing, onProgress, signal } = options;
  // Synthetic images are not cut: only as many as needed are made.
  const counts = mapSplits((split) => limits[split] ?? CHESTMNIST.splits[split].count);
  const load = loadDataset(data, { size: size ?? undefined, task: task ?? undefined, counts, onProgress, signal });
  const whole = await load.catch((error: unknown) => {
    const isOfFile = error instanceof ChestMnistError && error.code === 'ERR_DATA_MISSING' && !setNamed(data);
    if (ifMissing === undefined || !isOfFile) throw error;
    throw new ChestMnistError(error.code, { ...ChestMnistError.inFlags(error), next: ifMissing }, { cause: error });
  });
  if (size !== null && size !== whole.size) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `size ${size}, but the images of ${data} have ${whole.size} pixels`,
      needed: `size ${whole.size}, or none`,
      next: `leave --size out; --resize ${size} resizes the images for the network`,
    });
  }
  const notes: string[] = [];
  const splits = mapSplits((split) => {
    const all = whole.splits[split];
    const limit = limits[split] ?? all.count;
    if (limit > all.count)
      notes.push(`${split}: a limit of ${limit}, but there are only ${all.count} images; all are used`);
    return limitSplit(all, limit);
  });
  const labels = labelNames ? namesFor(labelNames, whole.labels.length) : whole.labels;
  return { dataset: { ...whole, labels, splits }, notes };
}

const mapSplits = <T>(of: (split: SplitName) => T): Record<SplitName, T> => ({
  train: of('train'),
  val: of('val'),
  test: of('test'),
});

/** What identifies the data of a run. */
export function factsOf(dataset: Dataset): DataFacts {
  const { train, val, test } = dataset.splits;
  return {
    name: dataset.name,
    size: dataset.size,
    md5: dataset.md5,
    counts: { train: train.count, val: val.count, test: test.count },
  };
}

/** The source for config.json: a name, or the file's absolute path, so that a run can be resumed from any folder. */
export const sourceOf = (dataset: Dataset, source: string): string =>
  dataset.path === undefined || dataset.name === source ? source : dataset.path;

/** What the training split cannot teach: a label with the same value in every image, or anything without pictures. */
export function constantParts({ name, labels, splits: { train } }: Dataset): string[] {
  const positives = positivesOf(train);
  const without = (count: number): string[] => labels.filter((_, label) => positives[label] === count);
  const [never, always] = [without(0), without(train.count)];
  const notes = [];
  if (never.length > 0)
    notes.push(`no training image has ${never.length === labels.length ? 'a label' : listed(never)}`);
  if (always.length > 0) notes.push(`every training image has ${listed(always)}`);
  const isAll = never.length + always.length === labels.length;
  const meaning = isAll
    ? `there is nothing to learn: check the labels of ${name}`
    : 'that cannot be learned, and predictions of it say nothing';
  const [first] = train.images;
  const isBlank = train.images.every((value) => value === first);
  const blank = `every pixel of every training image is ${first}: there is nothing to learn: check the images of ${name}`;
  return [...notes.map((note) => `${note}: ${meaning}`), ...(isBlank ? [blank] : [])];
}

/** Throws ERR_CONFIG for a training split that does not fill one batch. */
export function checkBatch(dataset: Dataset, batchSize: number): void {
  const { count } = dataset.splits.train;
  if (count >= batchSize) return;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `the train split of ${dataset.name} has ${count} images, fewer than one batch of ${batchSize}`,
    needed: 'at least one full batch',
    next: count >= 2 ? `--batch-size ${count} or smaller, or more data` : 'more data',
  });
}
