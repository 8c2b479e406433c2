/** `chestmnist metrics` on files of a few images. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { writeNpz } from '../../../src/base/npz';
import { computeMetrics, sigmoid } from '../../../src/metrics';
import type { Metrics } from '../../../src/metrics/types';
import { draw } from '../../support/metrics-cases';
import { scratch } from '../../support/chestmnist';
import { chestmnist } from '../../support/in-process';
import { npz, type Npy } from '../../support/npz';

const folder = scratch();
const predictions = draw(1, 80, 14, { prevalence: 0.2 });
const { truth: labels, scores } = predictions;
const array = (data: Uint8Array | Float64Array | Float32Array, n = 80) => ({ shape: [n, data.length / n], data });
const write = async (name: string, content: Parameters<typeof writeNpz>[1]): Promise<string> => {
  const file = path.join(folder(), name);
  await writeNpz(file, content);
  return file;
};
const good = (): Promise<string> => write('good.npz', { labels: array(labels), scores: array(scores) });
/** The one JSON document on stdout. */
async function json(...args: string[]): Promise<Metrics & { labels: string[] }> {
  const { code, stdout, stderr } = await chestmnist(['--json', 'metrics', ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Metrics & { labels: string[] };
}

test('--json prints one M, that of the library', async () => {
  const { loss, labels, ...metrics } = await json(await good());
  expect(labels).toEqual(Array.from({ length: 14 }, (_, label) => `label_${label}`));
  expect(metrics).toEqual(computeMetrics(predictions));
  expect(loss).toBeGreaterThan(0);
});

test('logits are as good as scores, and labels of any dtype', async () => {
  const logits = Float32Array.from(scores, (score) => Math.log((score + 1e-3) / (1.001 - score)));
  const file = await write('logits.npz', { labels: array(Float64Array.from(labels)), logits: array(logits) });
  expect((await json(file)).auc).toEqual(computeMetrics({ ...predictions, scores: sigmoid(logits) }).auc);
});

test('logits near 98 are ranked, though every probability is 1; in a comparison too', async () => {
  const logits = Float64Array.from(scores, (score) => 98 + score);
  const file = await write('large.npz', { labels: array(labels), logits: array(logits) });
  const plain = computeMetrics(predictions);
  const { auc, average_precision, comparison } = await json(file, '--compare', await good(), '--resamples', '5');
  expect({ auc, average_precision }).toEqual({ auc: plain.auc, average_precision: plain.average_precision });
  expect(comparison!.auc_macro).toMatchObject({ a: plain.auc.macro, b: plain.auc.macro });
});

test('scores saved beside their logits: ranked by these; those of other logits are refused', async () => {
  const logits = Float64Array.from(scores, (score) => 98 + score);
  const both = { labels: array(labels), scores: array(Float32Array.from(sigmoid(logits))), logits: array(logits) };
  expect((await json(await write('both.npz', both))).auc).toEqual(computeMetrics(predictions).auc);
  const { code, stderr } = await chestmnist(['metrics', await write('other.npz', { ...both, scores: array(scores) })]);
  expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringContaining('the sigmoid of') });
});

test('the summary puts predicting nothing beside accuracy, and has a row for each label', async () => {
  const { code, stdout } = await chestmnist(['metrics', await good(), '--label-names', 'chestmnist']);
  const { accuracy, all_negative, auc } = computeMetrics(predictions);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^80 images, 14 labels, decision score > 0.5/);
  const row = new RegExp(`^accuracy +${accuracy.mean.toFixed(4)} +${all_negative.accuracy.toFixed(4)}$`, 'm');
  expect(stdout).toMatch(row);
  expect(stdout).toMatch(/^Accuracy is .* predicting nothing/m);
  expect(stdout).toMatch(new RegExp(`^hernia .* ${auc.per_label[13]!.toFixed(3)} `, 'm'));
});

test('fourteen labels without names are not called ChestMNIST', async () => {
  const { stdout } = await chestmnist(['metrics', await good()]);
  expect(stdout).toMatch(/^label_13 /m);
  expect(stdout).not.toContain('hernia');
});

test('names of labels can be given, and undefined figures are said', async () => {
  const file = await write('two.npz', {
    labels: array(Uint8Array.of(0, 1, 0, 0), 2),
    scores: array(Float64Array.of(0.1, 0.9, 0.2, 0.3), 2),
  });
  const { stdout } = await chestmnist(['metrics', file, '--label-names', 'left, right']);
  expect(stdout).toContain('Undefined for left and left out of the mean: auc, average precision, balanced accuracy.');
  expect(stdout).toMatch(/^left +0 +0\.0 % +– +– /m);
  expect((await chestmnist(['metrics', file])).stdout).toMatch(/^label_1 /m);
  expect((await json(file, '--label-names', 'left, right')).labels).toEqual(['left', 'right']);
});

test('--threshold: a number or a JSON file', async () => {
  const file = await good();
  const thresholds = Array.from({ length: 14 }, (_, label) => 0.2 + label / 40);
  const list = path.join(folder(), 'thresholds.json');
  await writeFile(list, JSON.stringify({ thresholds }));
  const tuned = await json(file, '--threshold', list);
  const { loss, labels: names } = tuned;
  expect(tuned).toEqual({ ...computeMetrics({ ...predictions, threshold: thresholds }), loss, labels: names });
  expect((await json(file, '--threshold', '0.25')).f1).toEqual(computeMetrics({ ...predictions, threshold: 0.25 }).f1);
});

test('--confidence and --compare', async () => {
  const other = await write('other.npz', { labels: array(labels), scores: array(scores.map((score) => score / 2)) });
  const metrics = await json(await good(), '--confidence', '--compare', other, '--resamples', '40', '--seed', '3');
  expect(metrics.confidence).toEqual(
    computeMetrics({ ...predictions, confidence: { resamples: 40, seed: 3 } }).confidence,
  );
  expect(metrics.comparison).toMatchObject({ resamples: 40, auc_macro: { difference: 0, a_better: 0 } });
  expect(metrics.comparison!.recall_macro.difference).toBeGreaterThan(0);
  const { stdout } = await chestmnist(['metrics', await good(), '--compare', other, '--resamples', '40']);
  expect(stdout).toMatch(/^recall macro .* 100\.0 %$/m);
});

test("MedMNIST's result CSV with the labels of its split", async () => {
  const file = path.join(folder(), 'chestmnist_test_[AUC]0.700_[ACC]0.800@run.csv');
  await writeFile(
    file,
    Array.from({ length: 80 }, (_, i) => `${i},${scores.subarray(i * 14, i * 14 + 14).join(',')}\n`).join(''),
  );
  const data = await write('data.npz', { val_labels: array(labels.map(() => 0)), test_labels: array(labels) });
  expect((await json(file, '--labels', data)).auc).toEqual(computeMetrics(predictions).auc);
  const { code, stderr } = await chestmnist(['metrics', file]);
  expect(code).toBe(2);
  expect(stderr).toContain('--labels FILE.npz');
});

/** Thirteen names. */
const NAMES = 'a,b,c,d,e,f,g,h,i,j,k,l,m';

describe('bad input gives one clear error', () => {
  const floats = (values: number[], shape: number[]): Npy => ({
    descr: '<f8',
    shape,
    data: new Uint8Array(Float64Array.from(values).buffer),
  });
  const bytes = (values: number[], shape: number[]): Npy => ({ descr: '|u1', shape, data: Uint8Array.from(values) });
  const truth = bytes([0, 1, 1, 0], [2, 2]);
  const fine = floats([0.1, 0.9, 0.8, 0.2], [2, 2]);
  test.each<[string, Record<string, Npy>, string, RegExp]>([
    [
      'NaN',
      { labels: truth, scores: floats([0.1, NaN, 0.8, 0.2], [2, 2]) },
      'ERR_DATA_CORRUPT',
      /scores holds NaN \(image 0, label 1\)/,
    ],
    [
      'infinite logits',
      { labels: truth, logits: floats([0.1, 2, Infinity, 0.2], [2, 2]) },
      'ERR_DATA_CORRUPT',
      /logits holds Infinity/,
    ],
    [
      'scores outside 0..1',
      { labels: truth, scores: floats([0.1, 2, 0.8, 0.2], [2, 2]) },
      'ERR_DATA_CORRUPT',
      /scores holds 2 .*\n.*probabilities/,
    ],
    [
      'shapes that differ',
      { labels: truth, scores: floats([0.1, 2], [1, 2]) },
      'ERR_DATA_SHAPE',
      /scores has shape \[1, 2\], labels \[2, 2\]/,
    ],
    [
      'a transposed shape',
      { labels: bytes([0, 1], [2, 1]), scores: floats([0.1, 1], [1, 2]) },
      'ERR_DATA_SHAPE',
      /\[1, 2\], labels \[2, 1\]/,
    ],
    ['labels not 0/1', { labels: bytes([0, 1, 3, 0], [2, 2]), scores: fine }, 'ERR_DATA_SHAPE', /labels holds 3/],
    [
      'fractional labels',
      { labels: floats([0, 1, 0.5, 0], [2, 2]), scores: fine },
      'ERR_DATA_SHAPE',
      /labels holds 0\.5/,
    ],
    ['one row', { labels: bytes([0, 1], [1, 2]), scores: floats([0.1, 0.2], [1, 2]) }, 'ERR_DATA_SHAPE', /one image/],
    [
      'no row',
      { labels: bytes([], [0, 2]), scores: floats([], [0, 2]) },
      'ERR_DATA_SHAPE',
      /no image|at least one image/,
    ],
    ['no column', { labels: bytes([], [2, 0]), scores: floats([], [2, 0]) }, 'ERR_DATA_SHAPE', /\[2, 0\]/],
    [
      'one dimension',
      { labels: bytes([0, 1], [2]), scores: floats([0.1, 0.2], [2]) },
      'ERR_DATA_SHAPE',
      /shape \[2\][^]*reshape\(-1, 1\)/,
    ],
    ['wrong keys', { y_true: truth, y_score: fine }, 'ERR_DATA_SHAPE', /has y_true, y_score/],
    ['no scores', { labels: truth }, 'ERR_DATA_SHAPE', /`scores`/],
  ])('%s', async (name, content, code, message) => {
    const { code: exit, stdout, stderr } = await chestmnist(['metrics', await npz(folder(), 'bad.npz', content)]);
    expect({ name, exit, stdout }).toEqual({ name, exit: 3, stdout: '' });
    expect(stderr).toContain(`error ${code}`);
    expect(stderr).toMatch(message);
  });

  test('no file, no npz', async () => {
    expect(await chestmnist(['metrics', path.join(folder(), 'none.npz')])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('ERR_DATA_MISSING'),
    });
    const text = path.join(folder(), 'text.npz');
    await writeFile(text, 'labels,scores\n');
    expect(await chestmnist(['metrics', text])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('ERR_DATA_CORRUPT'),
    });
  });

  test('files of other images cannot be compared', async () => {
    const swapped = await write('swapped.npz', { labels: array(labels.toReversed()), scores: array(scores) });
    const fewer = await write('fewer.npz', {
      labels: array(labels.subarray(0, 560), 40),
      scores: array(scores.subarray(0, 560), 40),
    });
    for (const [other, message] of [
      [swapped, 'differ from image'],
      [fewer, '[40, 14]'],
    ]) {
      const { code, stderr } = await chestmnist(['metrics', await good(), '--compare', other]);
      expect(code).toBe(3);
      expect(stderr).toContain(message);
    }
  });

  test.each([
    [['--threshold', '1.5'], 'threshold 1.5'],
    [['--threshold', 'none.json'], 'none.json'],
    [['--confidence', '--resamples', 'many'], 'resamples is NaN'],
    [['--confidence', '--seed', '-1'], 'seed is -1'],
    [['--label-names', 'a,b'], '2 label names'],
    [['--label-names', `a,${NAMES}`], 'the label name "a" twice'],
    [['--label-names', `é,${NAMES.replace('b', 'e\u0301')}`], 'twice'],
    [['--label-names', `,${NAMES}`], 'an empty label name'],
    [['--label-names', `x\x1b[2J\u202e,${NAMES}`], 'the label name "x'],
    [['--label-names', ''], '--label-names is empty'],
    [['--confidence', '--seed', ''], 'seed is NaN'],
  ])('%j', async (flags, message) => {
    const { code, stderr } = await chestmnist(['metrics', await good(), ...flags]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
