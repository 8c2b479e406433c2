/**
 * The `next` of errors about files and values, each in its own situation: what it advises is done, and then it works. Not
 * here: errors about runs (cli/remedies.test.ts).
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expandToRgb, loadDataset, loadWeights, saveWeights, type StateDict } from '../../../src/index';
import { writeNpz } from '../../../src/base/npz';
import { TensorBoardWriter } from '../../../src/run/tensorboard';
import { scratch } from '../../support/chestmnist';
import { chestmnist } from '../../support/in-process';
import { arrays, npz, type Npy } from '../../support/npz';
import { failure, printedCommands } from '../../support/printed';

const folder = scratch();
const at = (...names: string[]): string => path.join(folder(), ...names);
const works = async (...args: string[]): Promise<void> => {
  const { code, stderr } = await chestmnist(args);
  expect({ code, stderr }).toMatchObject({ code: 0 });
};
/** The advice of a call that rejects. */
const next = async (call: () => unknown): Promise<string> => {
  const error: unknown = await Promise.resolve()
    .then(call)
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: 'ChestMnistError', next: expect.any(String) });
  return (error as { next: string }).next;
};
/** Works in the folder of this test, where the advice writes relative paths. */
async function inFolder<T>(work: () => Promise<T>): Promise<T> {
  const before = process.cwd();
  process.chdir(folder());
  try {
    return await work();
  } finally {
    process.chdir(before);
  }
}

const scores = {
  descr: '<f8',
  shape: [4, 2],
  data: new Uint8Array(Float64Array.of(0.1, 0.2, 0.9, 0.3, 0.4, 0.8, 0.7, 0.6).buffer),
};
const truth = { descr: '|u1', shape: [4, 2], data: Uint8Array.of(0, 0, 1, 0, 0, 1, 1, 1) };

describe('metrics', () => {
  test('a result CSV without its labels: the printed command, with the data set', async () => {
    const csv = at('x_test_[AUC]0.500_[ACC]0.500@run.csv');
    await writeFile(csv, '0,0.1,0.2\n1,0.9,0.3\n2,0.4,0.8\n3,0.7,0.6\n');
    const [command] = printedCommands((await failure(['metrics', csv])).next);
    expect(command).toEqual(['metrics', csv, '--labels', 'chestmnist.npz']);
    await works(...command.slice(0, -1), await npz(folder(), 'truth.npz', { test_labels: truth }));
  });

  test('a file without predictions: saved as numpy would', async () => {
    const bare = await npz(folder(), 'bare.npz', { y: truth });
    expect((await failure(['metrics', bare])).next).toBe('numpy.savez(file, labels=y_true, scores=y_score)');
    await works('metrics', await npz(folder(), 'saved.npz', { labels: truth, scores }));
  });

  test('one label: reshaped', async () => {
    const flat = (of: Npy): Npy => ({ ...of, shape: [8] });
    const file = await npz(folder(), 'flat.npz', { labels: flat(truth), scores: flat(scores) });
    expect((await failure(['metrics', file])).next).toBe('for a single label, scores.reshape(-1, 1)');
    const column = (of: Npy): Npy => ({ ...of, shape: [8, 1] });
    await works('metrics', await npz(folder(), 'column.npz', { labels: column(truth), scores: column(scores) }));
  });

  test('thresholds: the examples that are named', async () => {
    const file = await npz(folder(), 'p.npz', { labels: truth, scores });
    const example = await failure(['metrics', file, '--threshold', at('none.json')]);
    expect(example.next).toBe('pass for example 0.5, or the path of the file');
    await works('metrics', file, '--threshold', '0.5');
    await writeFile(at('t.json'), '{}');
    const written = /^write for example (.*)$/.exec(
      (await failure(['metrics', file, '--threshold', at('t.json')])).next,
    )!;
    await writeFile(at('t.json'), written[1]);
    await works('metrics', file, '--threshold', at('t.json'));
  });
});

describe('data', () => {
  test('a file without an extension: with ./ before it', () =>
    inFolder(async () => {
      await npz(folder(), 'mine', arrays(4, 2, 2));
      const [, written] = /^for a file in this folder write (.*)$/.exec(await next(() => loadDataset('mine')))!;
      expect((await loadDataset(written)).splits.train.count).toBe(4);
    }));

  test('another layout: the printed example has the one that is needed', () =>
    inFolder(async () => {
      const { next } = await failure([
        'data',
        'verify',
        await npz(folder(), 'other.npz', { ...arrays(4, 2, 2), val_labels: undefined }),
      ]);
      const [help, example] = printedCommands(next);
      await works(...help);
      await works(...example, '--counts', '30,30,30');
      await works('data', 'verify', 'example.npz');
    }));

  test('a size that ChestMNIST does not have: one of those, or a file', async () => {
    const { next } = await failure(['data', 'verify', '--size', '29']);
    expect(next).toBe('choose one of these sizes, or pass the path of an .npz file');
    const odd = await npz(folder(), 'odd.npz', arrays(4, 2, 2, 30));
    expect((await loadDataset(odd)).size).toBe(30);
  });

  test('a name that cannot be fetched: synthetic data are made by the printed command', () =>
    inFolder(async () => {
      const { next } = await failure(['data', 'fetch', 'synthetic']);
      await works(...printedCommands(next)[0], '--counts', '30,30,30');
      expect((await loadDataset('./synthetic.npz')).splits.val.count).toBe(30);
    }));

  test('an option of synthetic data: changed', async () => {
    const made = (...more: string[]): string[] => [
      'data',
      'synthesize',
      '-o',
      at('s.npz'),
      '--counts',
      '30,30,30',
      ...more,
    ];
    expect((await failure(made('--size', '29'))).next).toBe('change the option of the synthetic data');
    await works(...made('--size', '30'));
    const { next } = await failure(['data', 'verify', '--size', 'x']);
    await works(...printedCommands(next)[0]);
  });

  test('a damaged file: from its source again', async () => {
    const source = await npz(folder(), 'source.npz', arrays(4, 2, 2));
    await writeFile(at('cut.npz'), (await readFile(source)).subarray(0, 5000));
    expect((await failure(['data', 'verify', at('cut.npz')])).next).toBe(
      'get the file from its source again, then check its size and checksum',
    );
    await writeFile(at('cut.npz'), await readFile(source));
    await works('data', 'verify', at('cut.npz'));
  });

  test('an array of another shape than its bytes: the shape of the array', async () => {
    const advice = 'pass the shape of the array';
    expect(await next(() => expandToRgb(new Uint8Array(784), 2, 28, 28))).toBe(advice);
    expect(expandToRgb(new Uint8Array(784), 1, 28, 28)).toHaveLength(3 * 784);
    const file = at('shape.npz');
    expect(await next(() => writeNpz(file, { a: { shape: [3], data: new Uint8Array(4) } }))).toBe(advice);
    await writeNpz(file, { a: { shape: [4], data: new Uint8Array(4) } });
  });
});

describe('paths', () => {
  test("another's home: in full, or with ./ for a folder of that name", () =>
    inFolder(async () => {
      const { next } = await failure(['data', 'verify', '~someone/a.npz']);
      const [, written] = /; for a folder of that name, (.*)$/.exec(next)!;
      await mkdir(path.dirname(written), { recursive: true });
      await npz(path.dirname(written), 'a.npz', arrays(4, 2, 2));
      await works('data', 'verify', written);
    }));

  test('an empty path: one that is given', async () => {
    const { next } = await failure(['data', 'synthesize', '-o', '', '--counts', '30,30,30']);
    expect(next).toMatch(/^give one, or leave .* out; perhaps a variable in the command is not set$/);
    await works('data', 'synthesize', '-o', at('given.npz'), '--counts', '30,30,30');
  });

  test('a command that does not exist: its help', async () => {
    for (const args of [
      ['data', 'frob'],
      ['train', '--frob'],
    ]) {
      const { next } = await failure(args);
      expect(await chestmnist(printedCommands(next)[0])).toMatchObject({ code: 0 });
    }
  });
});

describe('programs', () => {
  test('weights under another extension: one of those', async () => {
    const state: StateDict = [{ name: 'a', dtype: 'F32', shape: [1], data: Float32Array.of(1) }];
    expect(await next(() => saveWeights(at('w.onnx'), state))).toMatch(
      /^choose another output path; for ONNX, npx chestmnist export/,
    );
    await saveWeights(at('w.pth'), state);
    expect(await loadWeights(at('w.pth'))).toHaveLength(1);
    expect(await next(() => saveWeights(at('v.pth'), [{ ...state[0], shape: [2] }]))).toBe(
      'fix the entry before saving',
    );
    expect(await next(() => saveWeights(at('v.pth'), [state[0], state[0]]))).toBe(
      'save only the state dict of the model',
    );
    await saveWeights(at('v.pth'), [{ ...state[0], shape: [1, 1] }]);
  });

  test('a writer of TensorBoard that was closed: a new one', async () => {
    const writer = new TensorBoardWriter(folder());
    await writer.close();
    expect(await next(() => writer.scalar('a', 1, 1))).toBe('create a new TensorBoardWriter');
    const again = new TensorBoardWriter(folder());
    again.scalar('a', 1, 1);
    await again.close();
  });
});
