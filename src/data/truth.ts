/**
 * What the labels of a file mean: the task, the names, and the truth as 0 and 1 for each label. A column of class numbers
 * becomes one column per class. Not here: the layout of a file (medmnist.ts), known sets (catalogue.ts).
 */
import { isExclusive, type Task } from '../base/task';
import type { CatalogueSet } from './catalogue';
import { SPLIT_NAMES, type Split, type SplitName } from './dataset';
import { unnamed } from './labels';
import { shapeError, type MedmnistFile } from './medmnist';

/** Above it a column rather holds quantities, or the numbers of patients, than classes. */
const MOST_CLASSES = 1000;

export interface Labelled {
  readonly task: Task;
  readonly labels: readonly string[];
  readonly splits: Record<SplitName, Split>;
}

/**
 * Reads the labels of a file as those of `asked`, else of the set that it is known to be, else of what they suggest: several
 * columns are multi-label, one of 0 and 1 is binary, one of higher numbers multi-class. Throws ERR_DATA_SHAPE.
 */
export function labelled(file: MedmnistFile, known: CatalogueSet | undefined, asked: Task | undefined): Labelled {
  const { path, size, channels, splits, width } = file;
  const highest = Math.max(...SPLIT_NAMES.map((name) => highestOf(file, name)));
  const task = asked ?? known?.task ?? (width > 1 ? 'multi-label' : highest > 1 ? 'multi-class' : 'binary-class');
  const names = known?.labels ?? file.labelNames;
  if (task === 'binary-class' && width > 1)
    throw shapeError(path, `train_labels has ${width} columns`, 'one column of 0 and 1', `leave --task ${task} out`);
  const isNumbered = isExclusive(task) && width === 1;
  const labelCount = isNumbered ? Math.max(names?.length ?? 0, highest + 1, 2) : width;
  if (labelCount > MOST_CLASSES && isNumbered) {
    throw shapeError(
      path,
      `its labels hold ${highest}, as the number of a class`,
      `at most ${MOST_CLASSES} classes, numbered from 0`,
      'number the classes 0, 1, 2, ...',
    );
  }
  const read = (name: SplitName): Split => {
    const { images, labels, count } = splits[name];
    const truth = isNumbered ? fromNumbers(labels.data, labelCount) : bytesOf(labels.data, labels.dtype);
    checkTruth(file, name, truth, task, labelCount);
    return { images, truth, count, size, channels, labelCount };
  };
  return {
    task,
    labels: namesOf(file, names, labelCount),
    splits: { train: read('train'), val: read('val'), test: read('test') },
  };
}

/** The highest label of a split; refuses what is neither a class number nor 0 or 1. */
function highestOf({ path, splits, width }: MedmnistFile, name: SplitName): number {
  const { data } = splits[name].labels;
  let highest = 0;
  for (let i = 0; i < data.length; i++) {
    if (!(Number.isInteger(data[i]) && data[i] >= 0)) {
      throw shapeError(
        path,
        `${name}_labels holds ${data[i]} at ${place(i, width)}`,
        width > 1 ? ZERO_OR_ONE : 'labels of 0 and 1, or class numbers 0, 1, 2, ...',
      );
    }
    if (data[i] > highest) highest = data[i];
  }
  return highest;
}

const ZERO_OR_ONE = 'labels of 0 and 1 (multi-label, one column per label)';
const place = (at: number, width: number): string => `[${Math.floor(at / width)}, ${at % width}]`;

/** One column per class, 1 in that of the number. */
function fromNumbers(numbers: ArrayLike<number>, labelCount: number): Uint8Array {
  const truth = new Uint8Array(numbers.length * labelCount);
  for (let i = 0; i < numbers.length; i++) truth[i * labelCount + numbers[i]] = 1;
  return truth;
}

/** Whole numbers as bytes, without a copy where they are; those that a byte does not hold become 255. */
const bytesOf = (data: ArrayLike<number>, dtype: string): Uint8Array =>
  dtype === '|u1' ? (data as Uint8Array) : Uint8Array.from(data, (value) => Math.min(value, 255));

/** Labels of 0 and 1; exactly one 1 in each row where an image has one of the labels. */
function checkTruth(
  { path, splits }: MedmnistFile,
  name: SplitName,
  truth: Uint8Array,
  task: Task,
  width: number,
): void {
  const at = truth.findIndex((value) => value > 1);
  if (at >= 0) {
    const value = splits[name].labels.data[at];
    const next = width === 1 ? 'for numbered classes: --task multi-class' : undefined;
    throw shapeError(path, `${name}_labels holds ${value} at ${place(at, width)}`, ZERO_OR_ONE, next);
  }
  if (!isExclusive(task)) return;
  for (let row = 0; row * width < truth.length; row++) {
    let positives = 0;
    for (let label = 0; label < width; label++) positives += truth[row * width + label];
    if (positives === 1) continue;
    throw shapeError(
      path,
      `row ${row} of ${name}_labels has ${positives} labels`,
      `exactly one label in each row for ${task}`,
      'leave --task out, or pass one column of class numbers',
    );
  }
}

/** The names given for the labels, placeholders without. Of two classes in one column the second is the label. */
function namesOf({ path }: MedmnistFile, names: readonly string[] | undefined, labelCount: number): readonly string[] {
  if (names === undefined) return unnamed(labelCount);
  if (names.length === labelCount) return names;
  if (labelCount === 1 && names.length === 2) return names.slice(1);
  throw shapeError(
    path,
    `label_names has ${names.length} names`,
    `one for each of the ${labelCount} labels`,
    'correct label_names in the file, or leave it out',
  );
}
