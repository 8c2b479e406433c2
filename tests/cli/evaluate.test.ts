/** `evaluate` and `predict` on a small run: in this process, but for the run itself and what people see. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PNG } from 'pngjs';
import { readNpz } from '../../src/base/npz';
import { chestmnist as spawned, scratch, SMALL, type Json } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';
import { arrays, images, labels as labelsOf, npy, npz } from '../support/npz';

const folder = scratch();
let run: string;
let metrics: Json;
const json = (text: string): Json => JSON.parse(text) as unknown;

beforeAll(async () => {
  run = path.join(folder(), 'run');
  const flags = ['--epochs', '1', '--no-report', '--resamples', '0', '--out', folder(), '--name', 'run'];
  expect(await spawned(['train', ...SMALL, ...flags])).toMatchObject({ code: 0 });
  metrics = json(await readFile(path.join(run, 'metrics.json'), 'utf8'));
});

describe('evaluate', () => {
  const evaluate = async (...args: string[]): Promise<Json> => {
    const { code, stdout, stderr } = await chestmnist(['evaluate', ...args, '--json', '--device', 'cpu']);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    return json(stdout);
  };

  test.each(['val', 'test'])('a run: the figures of %s in its metrics.json', async (split) => {
    const expected = { ...metrics.splits[split], confidence: undefined };
    const found = await evaluate(run, '--split', split);
    expect(found).toEqual({ ...expected, loss: expect.closeTo(expected.loss, 6) });
  });

  test('thresholds: the ones the run has kept, numbers, a file', async () => {
    expect((await evaluate(run, '--thresholds', 'val-f1')).f1).toEqual(metrics.tuned['val-f1'].test.f1);
    expect((await evaluate(run, '--thresholds', '0')).recall.macro).toBe(1);
    const file = path.join(folder(), 'thresholds.json');
    await writeFile(file, JSON.stringify(metrics.tuned['val-youden'].thresholds));
    expect((await evaluate(run, '--thresholds', file)).recall).toEqual(metrics.tuned['val-youden'].test.recall);
  });

  test('a file of weights, on data of its own; a rule is tuned on their validation split', async () => {
    const data = path.join(folder(), 'data.npz');
    expect(await chestmnist(['data', 'synthesize', '-o', data, '--counts', '30,128,128'])).toMatchObject({ code: 0 });
    const weights = path.join(run, 'weights', 'best.safetensors');
    expect((await evaluate(weights, '--data', data)).auc).toEqual(metrics.splits.test.auc);
    expect((await evaluate(weights, '--data', data, '--thresholds', 'val-f1')).threshold).toEqual(
      metrics.tuned['val-f1'].thresholds,
    );
    expect((await evaluate(weights, '--data', data, '--limit', '50')).n).toBe(50);
  });

  test('-o writes the metrics, or labels and logits', async () => {
    const file = path.join(folder(), 'metrics-out.json');
    const printed = await evaluate(run, '-o', file);
    expect(json(await readFile(file, 'utf8'))).toEqual(printed);
    const predictions = path.join(folder(), 'out.npz');
    await evaluate(run, '-o', predictions);
    const [ours, kept] = await Promise.all([readNpz(predictions), readNpz(path.join(run, 'predictions', 'test.npz'))]);
    expect(ours.get('labels')!.data).toEqual(kept.get('labels')!.data);
    expect(ours.get('logits')!.data).toEqual(kept.get('logits')!.data);
  });

  test('people see the baseline', async () => {
    const { stdout } = await spawned(['evaluate', run, '--device', 'cpu']);
    expect(stdout).toContain('predicting nothing');
  });

  test.each([
    [['none'], 'ERR_CONFIG', 2],
    [['WEIGHTS'], 'ERR_CONFIG', 2],
    [['RUN', '--thresholds', 'val-best'], 'ERR_CONFIG', 2],
    [['RUN', '--thresholds', 'none.json'], 'ERR_CONFIG', 2],
    [['RUN', '--thresholds', '1.5'], 'ERR_CONFIG', 2],
    [['RUN', '--device', 'gpu'], 'ERR_CONFIG', 2],
    [['RUN', '--limit', 'x'], 'ERR_CONFIG', 2],
    [['RUN', '--data', 'none.npz'], 'ERR_DATA_MISSING', 3],
  ])('%j is refused', async (args, code, exit) => {
    const weights = path.join(run, 'weights', 'best.safetensors');
    const named = args.map((word) => (word === 'RUN' ? run : word === 'WEIGHTS' ? weights : word));
    const result = await chestmnist(['evaluate', '--json', ...named]);
    expect({ exit: result.code, code: json(result.stdout).code }).toEqual({ exit, code });
  });

  test('other labels than the data have', async () => {
    const three = {
      ...arrays(8, 8, 8),
      train_labels: labelsOf(8, 3),
      val_labels: labelsOf(8, 3),
      test_labels: labelsOf(8, 3),
    };
    const file = await npz(folder(), 'three.npz', three);
    const { code, stderr } = await chestmnist(['evaluate', run, '--data', file]);
    expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringContaining('ERR_WEIGHTS') });
  });
});

describe('predict', () => {
  test('the test images from a file give the probabilities of the run', async () => {
    const data = path.join(folder(), 'again.npz');
    await chestmnist(['data', 'synthesize', '-o', data, '--counts', '30,30,128']);
    const test = (await readNpz(data, { keys: ['test_images'] })).get('test_images')!;
    const file = path.join(folder(), 'test.npy');
    await writeFile(file, npy({ descr: '|u1', shape: test.shape, data: test.data as Uint8Array }));
    const { stdout } = await chestmnist(['predict', run, file, '--json', '--thresholds', 'val-f1', '--device', 'cpu']);
    const { labels, thresholds, predictions } = json(stdout);
    expect(labels).toEqual(metrics.labels);
    expect(thresholds).toEqual(metrics.tuned['val-f1'].thresholds);
    const logits = (await readNpz(path.join(run, 'predictions', 'test.npz'))).get('logits')!.data as Float32Array;
    expect(predictions).toHaveLength(128);
    (predictions as { probabilities: number[]; decisions: number[] }[]).forEach(({ probabilities, decisions }, i) => {
      probabilities.forEach((p, l) => {
        expect(p).toBeCloseTo(1 / (1 + Math.exp(-logits[i * 14 + l])), 5);
        expect(decisions[l]).toBe(Number(p > thresholds[l]));
      });
    });
  });

  test('pictures, as CSV; the same picture larger gives the same answer', async () => {
    const small = images(1).data;
    const picture = (side: number): Buffer => {
      const png = new PNG({ width: side, height: side });
      for (let i = 0; i < side * side; i++) {
        const pixel = small[Math.floor((Math.floor(i / side) * 28) / side) * 28 + Math.floor(((i % side) * 28) / side)];
        png.data.set([pixel, pixel, pixel, 255], 4 * i);
      }
      return PNG.sync.write(png);
    };
    const files = [path.join(folder(), 'a.png'), path.join(folder(), 'b, "large".png')];
    await writeFile(files[0], picture(28));
    await writeFile(files[1], picture(112));
    const out = path.join(folder(), 'out.csv');
    expect(await spawned(['predict', run, ...files, '-o', out, '--device', 'cpu'])).toMatchObject({
      code: 0,
      stdout: '',
    });
    const [header, first, second] = (await readFile(out, 'utf8')).trimEnd().split('\n');
    expect(header.split(',').slice(0, 3)).toEqual(['image', metrics.labels[0], `${metrics.labels[0]}_decision`]);
    expect(first.split(',')).toHaveLength(29);
    expect(second.slice(second.lastIndexOf('"') + 1)).toBe(first.slice(files[0].length));
  });

  test.each([
    [['RUN', 'none.png'], 'ERR_DATA_MISSING', 3],
    [['RUN', 'RUN/config.json'], 'ERR_DATA_CORRUPT', 3],
    [['none', 'a.png'], 'ERR_CONFIG', 2],
    [['RUN', 'a.png', '--thresholds', 'val-sensitivity=0.8'], 'ERR_CONFIG', 2],
  ])('%j is refused', async (args, code, exit) => {
    const named = args.map((word) => word.replace('RUN', run).replace('a.png', path.join(folder(), 'a.png')));
    const result = await chestmnist(['predict', '--json', ...named]);
    expect({ exit: result.code, code: json(result.stdout).code }).toEqual({ exit, code });
  });
});
