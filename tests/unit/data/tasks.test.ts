/** What the labels of a file ask: suggested by their columns, known by the MD5, or said by the user; and the catalogue. */
import { copyFile } from 'node:fs/promises';
import { loadDataset } from '../../../src/data';
import { CATALOGUE, knownByMd5 } from '../../../src/data/catalogue';
import { writeNpz } from '../../../src/base/npz';
import type { Task } from '../../../src/base/task';
import { refusal, scratch } from '../../support/data-files';
import { officialFile, testWithFile } from '../../support/official';

const at = scratch();

/** A file whose three splits have these rows of labels; a number is a row of one column. */
async function file(rows: readonly (number | readonly number[])[]): Promise<string> {
  const count = rows.length;
  const shape = typeof rows[0] === 'number' ? [count] : [count, (rows[0] as number[]).length];
  const arrays = ['train', 'val', 'test'].flatMap((split) => [
    [`${split}_images`, { shape: [count, 28, 28, 3], data: new Uint8Array(count * 28 * 28 * 3) }],
    [`${split}_labels`, { shape, data: Int32Array.from(rows.flat()) }],
  ]);
  await writeNpz(at('set.npz'), Object.fromEntries(arrays) as Parameters<typeof writeNpz>[1]);
  return at('set.npz');
}
const load = async (rows: Parameters<typeof file>[0], task?: Task) => loadDataset(await file(rows), { task });

test.each<[string, Parameters<typeof file>[0], Task | undefined, Task, number[], number]>([
  [
    'several columns',
    [
      [0, 1],
      [1, 1],
    ],
    undefined,
    'multi-label',
    [0, 1, 1, 1],
    2,
  ],
  ['one column of 0 and 1', [0, 1], undefined, 'binary-class', [0, 1], 1],
  ['one column of class numbers', [2, 0], undefined, 'multi-class', [0, 0, 1, 1, 0, 0], 3],
  ['the user says ordinal', [[2], [0]], 'ordinal-regression', 'ordinal-regression', [0, 0, 1, 1, 0, 0], 3],
  ['two classes of a column', [0, 1], 'multi-class', 'multi-class', [1, 0, 0, 1], 2],
  [
    'one label of each row',
    [
      [0, 1],
      [1, 0],
    ],
    'multi-class',
    'multi-class',
    [0, 1, 1, 0],
    2,
  ],
  ['a single label', [[0], [1]], 'multi-label', 'multi-label', [0, 1], 1],
])('%s', async (_case, rows, asked, task, truth, labelCount) => {
  const dataset = await load(rows, asked);
  expect(dataset).toMatchObject({ task, channels: 3 });
  expect(dataset.labels).toEqual(Array.from({ length: labelCount }, (_, label) => `label_${label}`));
  expect(dataset.splits.val).toMatchObject({
    count: 2,
    size: 28,
    channels: 3,
    labelCount,
    truth: Uint8Array.from(truth),
  });
});

test.each<[string, Parameters<typeof file>[0], Task | undefined, string, string]>([
  ['class numbers as multi-label', [0, 2], 'multi-label', 'train_labels holds 2 at [1, 0]', '0 and 1'],
  [
    'several columns as binary',
    [
      [0, 1],
      [1, 1],
    ],
    'binary-class',
    'train_labels has 2 columns',
    'one column',
  ],
  [
    'two labels of one image',
    [
      [0, 1],
      [1, 1],
    ],
    'multi-class',
    'row 1 of train_labels has 2 labels',
    'exactly one',
  ],
  [
    'an image without a label',
    [
      [0, 0],
      [1, 0],
    ],
    'ordinal-regression',
    'row 0 of train_labels has 0 labels',
    'exactly one',
  ],
  ['numbers of patients', [0, 31_415], undefined, 'its labels hold 31415', 'at most 1000 classes'],
])('%s are refused', async (_case, rows, asked, found, needed) => {
  const error = await refusal(load(rows, asked));
  expect(error).toMatchObject({ code: 'ERR_DATA_SHAPE', found: expect.stringContaining(found) as string });
  expect(error.needed).toContain(needed);
});

test('the catalogue has the twelve sets, with files of their own', () => {
  expect(CATALOGUE).toHaveLength(12);
  const files = CATALOGUE.flatMap((set) => set.files);
  expect(new Set(files.map(({ md5 }) => md5)).size).toBe(48);
  for (const { file: name, md5, url } of files) {
    expect(url).toBe(`https://zenodo.org/records/10519652/files/${name}?download=1`);
    expect(knownByMd5(md5)?.file.md5).toBe(md5);
  }
});

describe('the official files', () => {
  for (const [name, task, channels, labels] of [
    ['breastmnist', 'binary-class', 1, ['normal, benign']],
    ['pneumoniamnist', 'binary-class', 1, ['pneumonia']],
    ['retinamnist', 'ordinal-regression', 3, ['0', '1', '2', '3', '4']],
  ] as const) {
    testWithFile(`${name}.npz`)(`${name} is recognised under any name`, async () => {
      await copyFile(officialFile(`${name}.npz`)!, at('mine.npz'));
      const dataset = await loadDataset(at('mine.npz'));
      expect(dataset).toMatchObject({ name: 'mine', task, channels, labels });
      const set = CATALOGUE.find((one) => one.name === name)!;
      const counts = Object.entries(dataset.splits).map(([split, { count }]) => [split, { count }]);
      expect(Object.fromEntries(counts)).toEqual(set.splits);
    });
  }
});
