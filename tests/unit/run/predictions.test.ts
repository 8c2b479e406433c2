/** Predictions on disk: MedMNIST's CSV in both directions, and the npz. */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readNpz } from '../../../src/base/npz';
import { readMedmnistCsv, writePredictions, type PredictionsName } from '../../../src/run/predictions';
import { datasetOf, folder, removeRuns, scoredOf } from '../../support/report-fixture';

afterAll(removeRuns);
const scored = scoredOf(datasetOf().splits.test);
const input: PredictionsName = {
  flag: 'chestmnist',
  size: 28,
  split: 'test',
  run: 'first',
  auc: 0.76849,
  acc: 0.94731,
};

test('the name and the lines are those of a standard result file', async () => {
  const directory = await folder();
  const [csv, npz] = await writePredictions(directory, scored, input);
  expect(path.relative(directory, csv)).toBe(
    path.join('predictions', 'chestmnist_test_[AUC]0.768_[ACC]0.947@first.csv'),
  );
  expect(path.relative(directory, npz)).toBe(path.join('predictions', 'test.npz'));
  const lines = (await readFile(csv, 'utf8')).split('\n');
  expect(lines).toHaveLength(161);
  expect(lines[1].split(',').map(Number)).toEqual([1, ...scored.scores.slice(14, 28)]);
});

test('what is written comes back to the last bit, and the npz has labels |u1 and logits <f4', async () => {
  const [csv, npz] = await writePredictions(await folder(), scored, { ...input, size: 64 });
  expect(await readMedmnistCsv(csv)).toEqual({
    flag: 'chestmnist',
    size: 64,
    split: 'test',
    run: 'first',
    scores: scored.scores,
    count: 160,
    labelCount: 14,
  });
  const arrays = await readNpz(npz);
  expect(arrays.get('labels')).toMatchObject({ dtype: '|u1', shape: [160, 14], data: scored.truth });
  expect(arrays.get('logits')).toMatchObject({ dtype: '<f4', shape: [160, 14], data: scored.logits });
});

test.each([
  [{ auc: null }, 'chestmnist_test_[AUC]nan_[ACC]0.947@first.csv'],
  [{ size: 64, split: 'val' }, 'chestmnist_64_val_[AUC]0.768_[ACC]0.947@first.csv'],
  [{ flag: 'chestmnist_64', size: 64 }, 'chestmnist_64_test_[AUC]0.768_[ACC]0.947@first.csv'],
  [{ flag: 'my_own data/x', run: 'a@b.c/d' }, 'my-own-data-x_test_[AUC]0.768_[ACC]0.947@a-b-c-d.csv'],
] as [Partial<PredictionsName>, string][])('%j is named %s', async (change, name) => {
  const [csv] = await writePredictions(await folder(), scored, { ...input, ...change });
  expect(path.basename(csv)).toBe(name);
  await expect(readMedmnistCsv(csv)).resolves.toMatchObject({ count: 160 });
});

test('the longest names of a data set and of a run fit into one file name', async () => {
  const long = { flag: 'f'.repeat(251), run: 'r'.repeat(255), size: 1024, split: 'test' } as const;
  const [csv] = await writePredictions(await folder(), scored, { ...input, ...long });
  await expect(readMedmnistCsv(csv)).resolves.toMatchObject({ size: 1024, split: 'test', count: 160 });
});

test('scoring the run again replaces its file of that split and leaves the others', async () => {
  const directory = await folder();
  await writePredictions(directory, scored, input);
  await writePredictions(directory, scored, { ...input, split: 'val' });
  await writePredictions(directory, scored, { ...input, run: 'second' });
  await writePredictions(directory, scored, { ...input, auc: 0.8 });
  expect((await readdir(path.join(directory, 'predictions'))).filter((name) => name.endsWith('.csv')).sort()).toEqual([
    'chestmnist_test_[AUC]0.768_[ACC]0.947@second.csv',
    'chestmnist_test_[AUC]0.800_[ACC]0.947@first.csv',
    'chestmnist_val_[AUC]0.768_[ACC]0.947@first.csv',
  ]);
});

test('arrays of different lengths are refused', async () => {
  await expect(
    writePredictions(await folder(), { ...scored, logits: new Float32Array(3) }, input),
  ).rejects.toMatchObject({
    code: 'ERR_DATA_SHAPE',
  });
});

describe('reading', () => {
  const read = async (name: string, text: string) => {
    const file = path.join(await folder(), name);
    await writeFile(file, text);
    return readMedmnistCsv(file);
  };

  test("MedMNIST's own: lines in any order, another task's name, a run that is a time", async () => {
    const parsed = await read('octmnist_test_[AUC]0.672_[ACC]0.892@1697123.25.csv', '1,0.05,1e-05\n0,0.125,1\n');
    expect(parsed).toEqual({
      flag: 'octmnist',
      size: 28,
      split: 'test',
      run: '1697123.25',
      scores: Float64Array.of(0.125, 1, 0.05, 1e-5),
      count: 2,
      labelCount: 2,
    });
    await expect(read('chestmnist_224_val.csv', '0,0.5\r\n')).resolves.toMatchObject({
      size: 224,
      split: 'val',
      count: 1,
    });
  });

  test.each([
    ['results.csv', '0,0.5\n', 'ERR_DATA_CORRUPT'],
    ['chestmnist_test.csv', '', 'ERR_DATA_SHAPE'],
    ['chestmnist_test.csv', '0\n1\n', 'ERR_DATA_SHAPE'],
    ['chestmnist_test.csv', '0,0.5,0.5\n1,0.5\n', 'ERR_DATA_SHAPE'],
    ['chestmnist_test.csv', '0,0.5\n1,nan\n', 'ERR_DATA_CORRUPT'],
    ['chestmnist_test.csv', '0,0.5\n1,\n', 'ERR_DATA_CORRUPT'],
    ['chestmnist_test.csv', '0,0.5\n0,0.5\n', 'ERR_DATA_CORRUPT'],
    ['chestmnist_test.csv', '0,0.5\n2,0.5\n', 'ERR_DATA_CORRUPT'],
    ['chestmnist_test.csv', '0,0.5\n0.5,0.5\n', 'ERR_DATA_CORRUPT'],
  ])('%s with %j gives %s', async (name, text, code) => {
    await expect(read(name, text)).rejects.toMatchObject({ name: 'ChestMnistError', code });
  });

  test('a file that is not there', async () => {
    await expect(readMedmnistCsv('/nowhere/chestmnist_test.csv')).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' });
  });
});
