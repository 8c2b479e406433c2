/**
 * Model cards, in this process: beside a run, beside what is exported of it, beside weights of which nothing is known, and
 * of exclusive classes. Their figures are those of metrics.json; what is not known is said, not invented.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { hashFile } from '../../src/base/checksum';
import { loadWeights, saveWeights } from '../../src/index';
import { scratch, type Json } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';
import { arrays, labels, npz } from '../support/npz';

const folder = scratch();
const at = (...names: string[]): string => path.join(folder(), ...names);
const text = (...names: string[]): Promise<string> => readFile(at(...names), 'utf8');
const json = async (...names: string[]): Promise<Json> => JSON.parse(await text(...names)) as unknown;
const COUNTS = [48, 15, 18] as const;
/** Names as no file of labels should have them. */
const ODD = ['a|b', '<img src=x onerror=alert(1)>', '[x](javascript:1)', '*_`c`_*', 'd & e', 'plain', 'last'];

async function trained(name: string, content: Parameters<typeof npz>[2], ...flags: string[]): Promise<void> {
  const data = await npz(folder(), `${name}.npz`, content);
  const bare = ['--epochs', '1', '--batch-size', '16', '--device', 'cpu', '--no-report', '--resamples', '40'];
  const done = await chestmnist(['train', '--data', data, '--out', folder(), '--name', name, ...bare, ...flags]);
  expect(done).toMatchObject({ code: 0 });
}

beforeAll(async () => {
  const [train, val, test] = COUNTS.map((count) => labels(count, ODD.length));
  const content = { ...arrays(...COUNTS), train_labels: train, val_labels: val, test_labels: test };
  await trained('odd', content, '--label-names', ODD.join(), '--lr', '2e-3', '--calibrate');
});

/** The rows of each table of a card, cut where Markdown cuts them. */
const tablesOf = (card: string): string[][][] =>
  card
    .split(/\n\n+/)
    .filter((block) => block.startsWith('|'))
    .map((block) => block.split('\n').map((row) => row.split(/(?<!\\)\|/).slice(1, -1)));

describe('the card of a run', () => {
  test('has the figures of metrics.json beside their intervals and the baseline', async () => {
    const { figures, thresholds, calibration } = await json('odd', 'model-card.json');
    const { splits, tuned, calibration: fitted } = await json('odd', 'metrics.json');
    const { test, val } = splits;
    const { confidence, all_negative: nothing } = test;
    expect(figures.summary).toMatchObject({
      auc_macro: { test: test.auc.macro, validation: val.auc.macro, interval: confidence.auc_macro, baseline: 0.5 },
      accuracy_mean: { test: test.accuracy.mean, interval: confidence.accuracy_mean, baseline: nothing.accuracy },
      f1_macro: { test: test.f1.macro, baseline: 0 },
      brier_macro: { test: test.brier.macro, baseline: null },
      ece_macro: { test: test.ece.macro, interval: null },
    });
    expect(figures).toMatchObject({ images: 18, level: 0.95, resamples: 40, baseline: 'predicting nothing' });
    (figures.labels as Json[]).forEach((of, i) =>
      expect(of).toMatchObject({
        ...{ label: ODD[i], auc: test.auc.per_label[i], auc_interval: confidence.auc_per_label[i] },
        ...{ recall: test.recall.per_label[i], prevalence: test.prevalence[i] },
        images: { train: COUNTS[0] / 3, val: val.support[i], test: test.support[i] },
      }),
    );
    expect(thresholds['val-f1']).toEqual(tuned['val-f1'].thresholds);
    expect(calibration).toMatchObject({
      temperatures: fitted.temperatures,
      ece: { before: fitted.before.test.ece.macro, after: test.ece.macro },
    });
    const card = await text('odd', 'model-card.md');
    const row = /^\| AUC \| (.*) \|$/m.exec(card)![1].split(' | ');
    const [low, high] = confidence.auc_macro as number[];
    expect(row).toEqual([
      (test.auc.macro as number).toFixed(4),
      `${low.toFixed(4)} to ${high.toFixed(4)}`,
      (val.auc.macro as number).toFixed(4),
      '0.5000',
    ]);
  });

  test('names data, recipe and limits, and no place of this machine', async () => {
    const card = await json('odd', 'model-card.json');
    expect(card.data).toMatchObject({ name: 'odd', md5: await hashFile(at('odd.npz'), 'md5'), licence: null });
    expect(card.recipe.options).toEqual({ epochs: 1, batchSize: 16, lr: 0.002, calibrate: true, resamples: 40 });
    expect(card.recipe.versions.chestmnist).toBe((await json('odd', 'run.json')).versions.chestmnist);
    expect((card.limits as string[]).join(' ')).toMatch(/trained on odd alone.*28 × 28 pixels.*no external validation/);
    expect(card.intended_use).toMatch(/Not a medical device/);
    for (const name of ['model-card.md', 'model-card.json'])
      expect(await text('odd', name)).not.toContain(path.basename(folder()));
  });

  test('its Markdown holds odd names as text: no HTML, no link, no cell too many', async () => {
    const card = await text('odd', 'model-card.md');
    expect(card.match(/<(?!https:\/\/)/g)).toBeNull();
    expect(card).not.toMatch(/(?<!\\)\[x/);
    const tables = tablesOf(card);
    expect(tables).toHaveLength(4);
    for (const rows of tables) expect(new Set(rows.map(({ length }) => length)).size).toBe(1);
    expect(tables[1].slice(2).map(([name]) => name.trim())).toEqual([
      ...['a\\|b', '&#60;img src=x onerror=alert(1)&#62;', '\\[x\\](javascript\\:1)', '\\*\\_\\`c\\`\\_\\*'],
      ...['d &#38; e', 'plain', 'last'],
    ]);
  });
});

describe('the card of an export', () => {
  const exported = (source: string, file: string, ...flags: string[]) =>
    chestmnist(['export', source, '--format', 'safetensors', '-o', at(file), ...flags]);

  test('is that of the run, with the file; its path is printed', async () => {
    const { code, stdout } = await exported(at('odd'), 'odd.safetensors');
    expect({ code, last: stdout.trimEnd().split('\n').at(-1) }).toEqual({
      code: 0,
      last: at('odd.safetensors.card.md'),
    });
    const [card, own] = [await json('odd.safetensors.card.json'), await json('odd', 'model-card.json')];
    expect(card.figures).toEqual(own.figures);
    expect(card.model).toEqual(own.model);
    expect(card.file).toMatchObject({
      name: 'odd.safetensors',
      sha256: await hashFile(at('odd.safetensors'), 'sha256'),
    });
    const again = await exported(at('odd'), 'odd.safetensors', '--json');
    expect(again).toMatchObject({ code: 2 });
  });

  test('of weights alone says what is not known, and never replaces a file unasked', async () => {
    await saveWeights(at('bare.pth'), await loadWeights(at('odd', 'weights', 'best.safetensors')));
    const asked = await exported(at('bare.pth'), 'bare.safetensors', '--json');
    expect(JSON.parse(asked.stdout)).toMatchObject({ card: at('bare.safetensors.card.md') });
    const card = await json('bare.safetensors.card.json');
    const nothing = { data: null, recipe: null, figures: null, thresholds: null, calibration: null };
    const unknown = { task: null, labels: null, image_size: null, input_size: null, preprocessing: null };
    expect(card).toMatchObject({ ...nothing, model: { stem: 'torchvision', ...unknown } });
    const markdown = await text('bare.safetensors.card.md');
    for (const line of ['Labels: not known', 'The data are not known', 'The figures are not known'])
      expect(markdown).toContain(line);
    expect(markdown).not.toMatch(/null|undefined|NaN/);

    await writeFile(at('other.safetensors.card.md'), 'mine');
    const refused = await exported(at('bare.pth'), 'other.safetensors', '--json');
    expect(JSON.parse(refused.stdout)).toMatchObject({
      code: 'ERR_OUTPUT',
      found: expect.stringMatching(/card.md exists/),
    });
    expect(existsSync(at('other.safetensors'))).toBe(false);
  });
});

test('a card of exclusive classes: the majority as the baseline, and no thresholds', async () => {
  const of = (count: number) => ({
    descr: '|u1',
    shape: [count, 1],
    data: Uint8Array.from({ length: count }, (_, i) => i % 3),
  });
  const [train, val, test] = COUNTS.map(of);
  const content = { ...arrays(...COUNTS), train_labels: train, val_labels: val, test_labels: test };
  await trained('classes', content, '--label-names', 'x,y,z', '--task', 'ordinal-regression');
  const card = await json('classes', 'model-card.json');
  const { splits } = await json('classes', 'metrics.json');
  expect(card).toMatchObject({ thresholds: null, model: { task: 'ordinal-regression', labels: ['x', 'y', 'z'] } });
  expect(card.figures).toMatchObject({ baseline: 'always x', decision: 'the most probable class' });
  expect(card.figures.summary).toMatchObject({
    accuracy_mean: { test: splits.test.accuracy.mean, baseline: splits.test.majority.accuracy },
    quadratic_weighted_kappa: { test: splits.test.quadratic_weighted_kappa, baseline: 0 },
  });
  expect(await text('classes', 'model-card.md')).toMatch(/There are none: an image has exactly one of the classes/);
});
