/**
 * The other tasks from end to end, in this process: a run on RGB images of three classes, judged, predicted with, exported
 * and continued; and what a task refuses.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeNpz } from '../../src/base/npz';
import { synthesize } from '../../src/data';
import { computeMetrics } from '../../src/metrics';
import { readScored } from '../../src/run/predictions';
import { loadWeights } from '../../src/weights';
import { scratch, type Json } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';

const folder = scratch();
const at = (...names: string[]) => path.join(folder(), ...names);
const COUNTS = { train: 48, val: 12, test: 15 };

/** Runs a command; what it printed as JSON. */
async function ask(...args: string[]): Promise<Json> {
  const { code, stdout, stderr } = await chestmnist([...args, '--json']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout);
}
const refuse = async (...args: string[]): Promise<Json> => {
  const { code, stdout } = await chestmnist([...args, '--json']);
  expect(code).toBeGreaterThan(0);
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
};
const trained = async (name: string, ...args: string[]): Promise<string> => {
  const flags = ['--batch-size', '16', '--milestones', 'none', '--no-report', '--resamples', '50', '--device', 'cpu'];
  const { code, stderr } = await chestmnist(['train', '--out', folder(), '--name', name, ...flags, ...args]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return at(name);
};
const jsonOf = async (...names: string[]): Promise<Json> => JSON.parse(await readFile(at(...names), 'utf8'));

let run: string;
beforeAll(async () => {
  // The classes differ in the channel that is bright.
  const arrays: Parameters<typeof writeNpz>[1] = {};
  const gray = synthesize({ counts: COUNTS }).splits;
  for (const [split, count] of Object.entries(COUNTS)) {
    const plane = gray[split as keyof typeof COUNTS].images;
    const of = (i: number): number => Math.floor(i / (784 * 3)) % 3;
    const data = Uint8Array.from({ length: count * 784 * 3 }, (_, i) => {
      return plane[Math.floor(i / 3)] >> (i % 3 === of(i) ? 0 : 2);
    });
    arrays[`${split}_images`] = { shape: [count, 28, 28, 3], data };
    arrays[`${split}_labels`] = { shape: [count, 1], data: Uint8Array.from({ length: count }, (_, i) => i % 3) };
  }
  await writeNpz(at('classes.npz'), arrays);
  run = await trained('run', '--data', at('classes.npz'), '--epochs', '2', '--task', 'ordinal-regression');
}, 120_000);

test('the run says its task, and its figures are those of its predictions', async () => {
  expect(await jsonOf('run', 'config.json')).toMatchObject({ task: 'ordinal-regression' });
  const file = await jsonOf('run', 'metrics.json');
  expect(file).toMatchObject({ task: 'ordinal-regression', labels: ['label_0', 'label_1', 'label_2'] });
  expect(file).not.toHaveProperty('tuned');
  const { confidence, ...test } = file.splits.test;
  const scored = (await readScored(run, 'test', 'ordinal-regression'))!;
  expect(test).toEqual(computeMetrics(scored));
  expect(test.majority).toMatchObject({ class: 0, accuracy: 1 / 3 });
  expect(confidence.quadratic_weighted_kappa).toHaveLength(2);
  expect((await readdir(at('run', 'predictions'))).some((name) => name.endsWith('.csv'))).toBe(true);
});

test('evaluate gives the same; metrics too, of the stored predictions and of the CSV', async () => {
  const { splits } = await jsonOf('run', 'metrics.json');
  const { loss } = splits.test;
  const close: Json = { ...splits.test, loss: expect.closeTo(loss, 5) };
  delete close.confidence;
  expect(await ask('evaluate', run)).toMatchObject(close);
  expect(await ask('metrics', at('run', 'predictions', 'test.npz'), '--task', 'ordinal-regression')).toMatchObject(
    close,
  );
  const csv = (await readdir(at('run', 'predictions'))).find((name) => /_test_.*csv$/.test(name))!;
  const of = at('run', 'predictions', csv);
  const found = await ask('metrics', of, '--labels', at('classes.npz'), '--label-names', 'x,y,z');
  const { confusion_matrix, accuracy, majority, auc } = close;
  expect(found).toMatchObject({ confusion_matrix, accuracy, majority, labels: ['x', 'y', 'z'], task: 'multi-class' });
  expect(found.auc.macro).toBeCloseTo(auc.macro, 9);
  expect(found).not.toHaveProperty('quadratic_weighted_kappa');
  const { stdout } = await chestmnist(['metrics', at('run', 'predictions', 'test.npz')]);
  expect(stdout).toMatch(/3 classes \(multi-class\), decision for the most probable class/);
  expect(stdout).toMatch(/always label_0[^]*above deciding always label_0|always label_0[^]*judge this model/);
  expect(stdout).toMatch(/Confusion: rows are the truth/);
});

test('predict: the decision by name and a probability for each class, which add up to 1', async () => {
  const named = ['--label-names', 'cyst,scar,clear'];
  const document = await ask('predict', run, at('classes.npz'), ...named);
  expect(document).toMatchObject({ task: 'ordinal-regression', labels: ['cyst', 'scar', 'clear'] });
  expect(document).not.toHaveProperty('thresholds');
  expect(document.predictions).toHaveLength(75);
  const predictions = document.predictions as { decision: string; probabilities: number[]; decisions: number[] }[];
  for (const { decision, probabilities, decisions } of predictions) {
    expect(probabilities.reduce((sum, p) => sum + p)).toBeCloseTo(1, 12);
    const best = probabilities.indexOf(Math.max(...probabilities));
    expect({ decision, decisions }).toEqual({
      decision: document.labels[best],
      decisions: [0, 1, 2].map((label) => Number(label === best)),
    });
  }
  // The test split comes last in the file.
  const { truth } = (await readScored(run, 'test', 'ordinal-regression'))!;
  const hits = predictions
    .slice(60)
    .filter(({ decisions }, i) => decisions.some((one, k) => one === 1 && truth[3 * i + k] === 1));
  const { splits } = await jsonOf('run', 'metrics.json');
  expect(hits.length / 15).toBeCloseTo(splits.test.accuracy.mean, 12);
  const { stdout } = await chestmnist(['predict', run, at('classes.npz'), ...named]);
  expect(stdout.split('\n')[0]).toBe('image,decision,cyst,scar,clear');
});

test.each(['safetensors', 'pth', 'onnx'])('export as %s keeps the task', async (format) => {
  const output = at(`model.${format}`);
  await ask('export', run, '--format', format, '-o', output, '--label-names', 'cyst,scar,clear');
  expect((await readFile(output)).includes('ordinal-regression')).toBe(true);
  if (format === 'onnx') return;
  const head = (await loadWeights(output)).find(({ name }) => name === 'fc.weight');
  expect(head?.shape).toEqual([3, 512]);
  const evaluated = await ask('evaluate', output, '--data', at('classes.npz'));
  const { splits } = await jsonOf('run', 'metrics.json');
  expect(evaluated.confusion_matrix).toEqual(splits.test.confusion_matrix);
});

test('a run that is continued equals one that was not interrupted', async () => {
  await trained('short', '--data', at('classes.npz'), '--epochs', '1', '--task', 'ordinal-regression');
  const { code } = await chestmnist(['train', '--resume', at('short'), '--epochs', '2']);
  expect(code).toBe(0);
  for (const name of ['weights/last.safetensors', 'predictions/test.npz']) {
    const [one, other] = await Promise.all(['run', 'short'].map((of) => readFile(at(of, name))));
    expect({ name, same: one.equals(other) }).toEqual({ name, same: true });
  }
  expect(await refuse('train', '--resume', at('short'), '--epochs', '3', '--task', 'multi-class')).toMatchObject({
    code: 'ERR_CHECKPOINT_INCOMPATIBLE',
    found: expect.stringContaining('multi-class') as string,
  });
}, 120_000);

test('the report shows the matrix of all classes, and images in colour', async () => {
  const { files } = await ask('report', run, '--data', at('classes.npz'));
  expect((files as string[]).map((file) => path.basename(file))).toEqual(
    expect.arrayContaining(['confusion.png', 'roc.png', 'reliability.png', 'report.html']),
  );
  const page = await readFile(at('run', 'report.html'), 'utf8');
  expect(page).toMatch(/Confusion matrix of 3 classes: \d+ of 15 images on the diagonal/);
  expect(page).toContain('Quadratic weighted kappa');
  expect(page).toContain('always label_0');
  const [, image] = /data:image\/png;base64,([^"]+)/.exec(page)!;
  // The kind of colour of a PNG: 2 is RGB.
  expect(Buffer.from(image, 'base64')[25]).toBe(2);
});

test('what does not fit the task is refused, with the reason', async () => {
  expect(await refuse('evaluate', run, '--thresholds', 'val-f1')).toMatchObject({
    code: 'ERR_CONFIG',
    found: 'thresholds for ordinal-regression',
  });
  expect(await refuse('predict', run, at('classes.npz'), '--thresholds', '0.4')).toMatchObject({ code: 'ERR_CONFIG' });
  expect(await refuse('evaluate', run, '--task', 'multi-label')).toMatchObject({
    code: 'ERR_DATA_SHAPE',
    needed: expect.stringContaining('0 and 1') as string,
  });
  await writeNpz(at('odd.npz'), {
    labels: { shape: [2], data: Uint8Array.of(0, 3) },
    scores: { shape: [2, 3], data: Float64Array.of(1, 0, 0, 0, 1, 0) },
  });
  expect(await refuse('metrics', at('odd.npz'))).toMatchObject({ found: expect.stringContaining('holds 3') as string });
  await writeNpz(at('odd.npz'), {
    labels: { shape: [2, 1], data: Uint8Array.of(0, 2) },
    scores: { shape: [2, 3], data: Float64Array.of(1, 0.5, 0, 0, 1, 0) },
  });
  expect(await refuse('metrics', at('odd.npz'))).toMatchObject({
    found: expect.stringContaining('add up to 1.5') as string,
  });
});
