/** The tables of the `data` verbs: the files of a set, and how often each label occurs in each split. */
import { isExclusive } from '../../base/task';
import type { Dataset, SplitName } from '../../data/dataset';
import { positivesOf } from '../../data/labels';
import { missing, table, type Column } from './table';
import { cells, unbroken, wrap } from './width';

const whole = (value: number): string => value.toLocaleString('en-US');
const percent = (part: number, of: number): string => `${((100 * part) / of).toFixed(2)} %`;

/** A table where it fits; else a file after the other, so that no path and no checksum is cut. */
export function fileTable(
  files: readonly { size: number; file: string; md5: string; path: string | null }[],
  name: string,
  columns: number,
): string {
  const places = files.map(({ size, path }) => path ?? `no (npx chestmnist data fetch ${name} --size ${size})`);
  const { text } = table([
    { title: 'size', cells: files.map(({ size }) => `${size}`) },
    { title: 'file', cells: files.map(({ file }) => file), text: true },
    { title: 'MD5', cells: files.map(({ md5 }) => md5), text: true },
    { title: 'on this machine', cells: places, text: true },
  ]);
  if (text.split('\n').every((line) => cells(line) <= columns)) return text;
  const place = (i: number): string => (files[i].path === null ? places[i] : unbroken(places[i]));
  return files.map(({ file, md5 }, i) => `${file}\n  MD5 ${md5}\n${wrap(place(i), columns, '  ')}`).join('\n');
}

export interface SplitCounts {
  readonly name: SplitName;
  readonly count: number;
  /** Undefined where only the number of images is known. */
  readonly positives?: readonly number[];
  /** Undefined where every image has a label. */
  readonly unlabelled?: number;
}

/** Where it does not fit, the shares are left out: of test, then of val, then of train. */
export function labelTable(labels: readonly string[], splits: readonly SplitCounts[], width: number): string {
  const counted = table(
    [
      { title: 'label', cells: [...labels, ...(splits[0].unlabelled === undefined ? [] : ['(no label)']), 'images'] },
      ...splits.flatMap((split, i): Column[] => {
        const unlabelled = split.unlabelled === undefined ? [] : [split.unlabelled];
        const counts = [...(split.positives ?? labels.map(() => undefined)), ...unlabelled, split.count];
        return [
          { title: split.name, cells: counts.map((count) => (count === undefined ? '' : whole(count))) },
          {
            title: '',
            name: `shares of ${split.name}`,
            cells: counts.map((count) => (count === undefined ? '' : percent(count, split.count))),
            goes: splits.length - i,
          },
        ];
      }),
    ],
    width,
  );
  return [counted.text, ...missing(counted)].join('\n');
}

/** Counted in a data set. */
export function countLabels(dataset: Dataset, name: SplitName): SplitCounts {
  const { truth: labels, labelCount, count } = dataset.splits[name];
  let unlabelled = 0;
  for (let row = 0; row < count; row++) {
    if (!labels.subarray(row * labelCount, (row + 1) * labelCount).includes(1)) unlabelled++;
  }
  const positives = positivesOf(dataset.splits[name]);
  return { name, count, positives, ...(!isExclusive(dataset.task) && { unlabelled }) };
}
