/** `chestmnist train` as a user runs it: what is printed and what is in the run directory. */
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { computeMetrics, sigmoid } from '../../src/metrics';
import { readNpz } from '../../src/base/npz';
import { saveWeights } from '../../src/weights';
import { readSafetensors } from '../../src/weights/safetensors';
import { recognise } from '../../src/weights/state';
import {
  chestmnist,
  eventsOf,
  MAIN,
  QUICK,
  scratch,
  SMALL,
  start,
  type Finished,
  type Json,
} from '../support/chestmnist';
import { chestmnist as inProcess } from '../support/in-process';
import { arrays, npz } from '../support/npz';

const folder = scratch();
const json = async (...parts: string[]): Promise<Json> =>
  JSON.parse(await readFile(path.join(...parts), 'utf8')) as unknown;

describe('a run', () => {
  let finished: Finished;
  let run: string;
  beforeAll(async () => {
    finished = await chestmnist([
      'train',
      ...SMALL,
      '--epochs',
      '2',
      '--out',
      folder(),
      '--name',
      'first',
      '--tensorboard',
      '--lr',
      '2e-3',
    ]);
    run = path.join(folder(), 'first');
  });

  test('exits 0; its directory is the first and the last line of stdout', () => {
    expect({ ...finished, stdout: '' }).toMatchObject({ code: 0 });
    const lines = finished.stdout.trimEnd().split('\n');
    expect([lines[0], lines.at(-1)]).toEqual([run, run]);
  });

  test('prints a line an epoch on stderr, and the predict-nothing baseline beside accuracy', () => {
    expect(finished.stderr).toMatch(/^epoch 1\/2 {2}lr 0.002 .*val AUC 0\.\d+.* img\/s/m);
    expect(finished.stderr).toMatch(/^epoch 2\/2 /m);
    expect(finished.stderr).not.toContain('\x1b');
    expect(finished.stdout).toMatch(/predicting nothing/);
  });

  test('leaves every file of the contract', async () => {
    const files = await readdir(run);
    expect(files).toEqual(
      expect.arrayContaining([
        'checkpoint',
        'config.json',
        'history.csv',
        'metrics.json',
        'model-card.json',
        'model-card.md',
        'plots',
        'predictions',
        'report.html',
        'run.json',
        'weights',
      ]),
    );
    expect(files.some((file) => file.startsWith('events.out.tfevents.'))).toBe(true);
    expect(files.filter((file) => file.includes('tmp'))).toEqual([]);
    expect((await readdir(path.join(run, 'weights'))).sort()).toEqual(['best.safetensors', 'last.safetensors']);
    const predictions = await readdir(path.join(run, 'predictions'));
    for (const split of ['val', 'test']) {
      expect(predictions).toContain(`${split}.npz`);
      expect(
        predictions.some((file) => /^synthetic_(val|test)_\[AUC\]\d\.\d{3}_\[ACC\]\d\.\d{3}@first\.csv$/.test(file)),
      ).toBe(true);
    }
  });

  test('config.json holds every option, run.json what ran', async () => {
    expect(await json(run, 'config.json')).toMatchObject({
      data: 'synthetic',
      size: 28,
      epochs: 2,
      batchSize: 128,
      lr: 2e-3,
      optimizer: 'adam',
      milestones: ['50%', '75%'],
      device: 'cpu',
      threads: 1,
      limitTrain: 256,
    });
    const facts = await json(run, 'run.json');
    expect(facts).toMatchObject({
      status: 'finished',
      device: 'cpu',
      threads: 1,
      best_epoch: (await json(run, 'metrics.json')).best_epoch,
      epochs: 2,
      data: {
        name: 'synthetic',
        size: 28,
        md5: expect.stringMatching(/^[0-9a-f]{32}$/),
        counts: { train: 256, val: 128, test: 128 },
      },
      versions: { node: process.versions.node, libtorch: expect.stringMatching(/^\d+\.\d+/) },
      argv: expect.arrayContaining(['train', '--epochs']),
    });
    expect(Date.parse(facts.ended) - Date.parse(facts.started)).toBeGreaterThan(0);
  });

  test('history.csv has a row an epoch; both percentages of two epochs fall on the first', async () => {
    const [header, ...rows] = (await readFile(path.join(run, 'history.csv'), 'utf8')).trimEnd().split('\n');
    expect(header).toBe('epoch,lr,train_loss,val_loss,val_auc,val_acc,seconds,images_per_second,val_ap');
    const columns = rows.map((row) => row.split(',').map(Number));
    expect(columns.map((row) => row[0])).toEqual([1, 2]);
    expect(columns[0][1]).toBe(2e-3);
    expect(columns[1][1]).toBeCloseTo(2e-5, 12);
    for (const row of columns) expect(row.every(Number.isFinite)).toBe(true);
  });

  test('metrics.json is what the predictions say, tuned on validation alone', async () => {
    const metrics = await json(run, 'metrics.json');
    expect(metrics.labels).toHaveLength(14);
    for (const split of ['val', 'test'] as const) {
      const stored = await readNpz(path.join(run, 'predictions', `${split}.npz`));
      const input = {
        truth: stored.get('labels')!.data as Uint8Array,
        scores: sigmoid(stored.get('logits')!.data as Float32Array),
        labelCount: 14,
      };
      expect(metrics.splits[split]).toMatchObject({
        n: 128,
        threshold: 0.5,
        auc: JSON.parse(JSON.stringify(computeMetrics(input).auc)),
      });
      const { thresholds } = metrics.tuned['val-f1'];
      expect(metrics.tuned['val-f1'][split].f1.macro).toBeCloseTo(
        computeMetrics({ ...input, threshold: thresholds }).f1.macro!,
        12,
      );
    }
    expect(metrics.splits.test.confidence).toMatchObject({ level: 0.95, resamples: 2000 });
    const [, ...rows] = (await readFile(path.join(run, 'history.csv'), 'utf8')).trimEnd().split('\n');
    const aucs = rows.map((row) => Number(row.split(',')[4]));
    expect(metrics.best_epoch).toBe(1 + aucs.indexOf(Math.max(...aucs)));
    expect(metrics.splits.val.auc.macro).toBeCloseTo(Math.max(...aucs), 6);
  });

  test('the weights are a resnet18 that says what it was trained on', async () => {
    const { state, metadata } = await readSafetensors(path.join(run, 'weights', 'best.safetensors'));
    expect(recognise(state)).toMatchObject({ stem: 'torchvision', labelCount: 14 });
    expect(metadata).toMatchObject({ image_size: '28', input_size: '28' });
    expect(JSON.parse(metadata.labels)).toHaveLength(14);
  });

  test('is not overwritten by another of its name', async () => {
    const before = await readFile(path.join(run, 'run.json'));
    const { code, stderr } = await inProcess(['train', ...SMALL, '--out', folder(), '--name', 'first']);
    expect(code).toBe(2);
    expect(stderr).toContain('already exists');
    expect(await readFile(path.join(run, 'run.json'))).toEqual(before);
  });

  test('is repeated, bit for bit, from its config.json; flags win', async () => {
    const again = await chestmnist([
      'train',
      '--config',
      path.join(run, 'config.json'),
      '--name',
      'again',
      '--quiet',
      '--no-report',
    ]);
    expect(again.code).toBe(0);
    expect(again.stderr).toBe('');
    for (const file of ['weights/best.safetensors', 'weights/last.safetensors', 'metrics.json']) {
      expect((await readFile(path.join(folder(), 'again', file))).equals(await readFile(path.join(run, file)))).toBe(
        true,
      );
    }
    const other = await inProcess([
      'train',
      '--config',
      path.join(run, 'config.json'),
      '--name',
      'other',
      '--epochs',
      '0',
    ]);
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('epochs is 0') });
  });

  test('cannot be resumed: it is finished', async () => {
    const { code, stderr } = await inProcess(['train', '--resume', run]);
    expect(code).toBe(2);
    expect(stderr).toContain('ERR_NOTHING_TO_RESUME');
  });
});

test('--json: every line is an event, the first and the last name the run directory', async () => {
  const { code, stdout, stderr } = await chestmnist([
    'train',
    ...QUICK,
    '--epochs',
    '1',
    '--out',
    folder(),
    '--json',
    '--quiet',
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const events = eventsOf(stdout);
  expect(events[0]).toMatchObject({
    type: 'start',
    device: 'cpu',
    epochs: 1,
    resumed: false,
    data: { counts: { train: 256 } },
  });
  expect(path.basename(events[0].runDirectory)).toMatch(/^\d{8}-\d{6}-synthetic$/);
  expect(events.at(-1)).toMatchObject({
    type: 'finish',
    runDirectory: events[0].runDirectory,
    metrics: { best_epoch: 1 },
  });
  expect(events.filter(({ type }) => type === 'epoch')).toEqual([
    expect.objectContaining({ epoch: 1, best: true, lr: 1e-3 }),
  ]);
});

test('a reader that leaves does not end the run', async () => {
  const { child, done } = start([MAIN, 'train', ...QUICK, '--epochs', '1', '--out', folder(), '--name', 'unread']);
  child.stdout!.once('data', () => child.stdout!.destroy());
  expect(await done).toMatchObject({ code: 0 });
  expect(await json(folder(), 'unread', 'run.json')).toMatchObject({ status: 'finished' });
});

test('a last batch of one is no error, and validation labels with one value only are left out', async () => {
  const data = arrays(33, 9, 9);
  data.val_labels.data.fill(0);
  const file = await npz(folder(), 'odd.npz', data);
  const { code, stderr } = await chestmnist([
    'train',
    '--data',
    file,
    '--batch-size',
    '16',
    '--epochs',
    '2',
    '--out',
    folder(),
    '--name',
    'odd',
    '--device',
    'cpu',
    '--no-report',
    '--resamples',
    '0',
  ]);
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('lowest validation loss') });
  const rows = (await readFile(path.join(folder(), 'odd', 'history.csv'), 'utf8')).trimEnd().split('\n').slice(1);
  expect(rows.map((row) => row.split(',')[4])).toEqual(['', '']);
  expect((await json(folder(), 'odd', 'metrics.json')).splits.val.auc.macro).toBeNull();
});

test.each([
  ['all 0', () => 0, 'no training image has a label: there is nothing to learn: check the labels of constant'],
  ['all 1', () => 1, /every training image has label_0, label_1.*there is nothing to learn/],
  [
    'two that never vary',
    (value: number, i: number) => (i % 14 > 1 ? value : i % 14),
    /no training image has label_0: that cannot be learned.*\n.*every training image has label_1: that cannot/,
  ],
])('training labels, %s: said before the first epoch', async (_name, change, said) => {
  const data = arrays(32, 8, 8);
  data.train_labels.data = data.train_labels.data.map(change);
  const file = await npz(folder(), 'constant.npz', data);
  const args = ['--data', file, '--batch-size', '16', '--epochs', '1', '--out', folder(), '--device', 'cpu'];
  const { code, stderr } = await chestmnist(['train', ...args, '--no-report', '--resamples', '0']);
  expect({ code, before: stderr.split('epoch 1/1')[0] }).toEqual({
    code: 0,
    before: typeof said === 'string' ? expect.stringContaining(said) : expect.stringMatching(said),
  });
});

test('training images without a picture: said before the first epoch', async () => {
  const data = arrays(32, 8, 8);
  data.train_images.data.fill(7);
  const file = await npz(folder(), 'blank.npz', data);
  const args = ['--data', file, '--batch-size', '16', '--epochs', '1', '--out', folder(), '--device', 'cpu'];
  const { stderr } = await chestmnist(['train', ...args, '--no-report', '--resamples', '0']);
  expect(stderr).toContain('every pixel of every training image is 7: there is nothing to learn');
});

test('a loss that becomes NaN: exit 5, the run says so, the best weights so far stay', async () => {
  const args = [
    'train',
    ...QUICK,
    '--epochs',
    '3',
    '--milestones',
    '1',
    '--gamma',
    '1e30',
    '--out',
    folder(),
    '--name',
    'wild',
  ];
  const { code, stderr } = await chestmnist(args);
  expect({ code, stderr }).toMatchObject({ code: 5, stderr: expect.stringContaining('ERR_NON_FINITE_LOSS') });
  expect(await json(folder(), 'wild', 'run.json')).toMatchObject({
    status: 'failed',
    epochs: 1,
    best_epoch: 1,
    error: { code: 'ERR_NON_FINITE_LOSS' },
  });
  const { state } = await readSafetensors(path.join(folder(), 'wild', 'weights', 'best.safetensors'));
  expect(state.every(({ data }) => data instanceof BigInt64Array || data.every(Number.isFinite))).toBe(true);
  await rm(path.join(folder(), 'wild'), { recursive: true });

  // From weights whose sums overflow no epoch ends: nothing is kept, and the learning rate is not all that may be wrong.
  const huge = path.join(folder(), 'huge.safetensors');
  state.find(({ name }) => name === 'fc.weight')!.data.fill(3e38 as never);
  await saveWeights(huge, state);
  const second = await chestmnist(['train', ...QUICK, '--weights', huge, '--out', folder(), '--name', 'huge']);
  const next = `start again with a lower --lr, or with other weights than ${huge}; no epoch has finished`;
  expect(second).toMatchObject({ code: 5, stderr: expect.stringContaining(next) });
});

test('--no-report draws nothing and says how to; --resamples 0 leaves the intervals out; config.json keeps both', async () => {
  const run = path.join(folder(), 'plain');
  const out = ['--epochs', '1', '--out', folder()];
  const plain = await chestmnist(['train', ...SMALL, ...out, '--name', 'plain', '--no-report', '--resamples', '0']);
  expect(plain).toMatchObject({
    code: 0,
    stderr: expect.stringContaining(`to draw them: npx chestmnist report ${run}`),
  });
  expect(plain.stdout).not.toContain('interval');
  const files = await readdir(run);
  expect(files).toEqual(expect.arrayContaining(['metrics.json', 'predictions', 'run.json', 'weights']));
  expect(files.filter((name) => ['plots', 'report.html'].includes(name))).toEqual([]);
  const metrics = await json(run, 'metrics.json');
  expect(metrics.splits.test.n).toBe(128);
  expect(metrics.splits.test).not.toHaveProperty('confidence');
  expect(await json(run, 'config.json')).toMatchObject({ report: false, resamples: 0 });

  // A flag that is not given does not hide what the file says.
  const config = ['--config', path.join(run, 'config.json')];
  expect(await chestmnist(['train', ...config, '--name', 'plain-too', '--resamples', '50'])).toMatchObject({ code: 0 });
  const again = path.join(folder(), 'plain-too');
  expect(await json(again, 'config.json')).toMatchObject({ report: false, resamples: 50 });
  expect((await json(again, 'metrics.json')).splits.test.confidence).toMatchObject({ level: 0.95, resamples: 50 });
  expect(await readdir(again)).not.toContain('report.html');

  expect(await chestmnist(['report', run])).toMatchObject({ code: 0 });
  expect(await readdir(run)).toEqual(expect.arrayContaining(['plots', 'report.html']));
});

test('patience ends a run that gets no better', async () => {
  // A learning rate so small that nothing changes: the first epoch stays the best.
  const args = [
    'train',
    ...QUICK,
    '--epochs',
    '9',
    '--lr',
    '1e-30',
    '--patience',
    '2',
    '--out',
    folder(),
    '--name',
    'patient',
  ];
  const { code, stderr } = await chestmnist(args);
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('no better epoch in the last 2') });
  const rows = (await readFile(path.join(folder(), 'patient', 'history.csv'), 'utf8')).trimEnd().split('\n').slice(1);
  const { best_epoch } = await json(folder(), 'patient', 'metrics.json');
  expect(rows.length).toBe(best_epoch + 2);
});
