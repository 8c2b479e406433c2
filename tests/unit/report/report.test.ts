/** drawReport as a user meets it: a run directory in, pictures and a page out; whole, partial, hostile and damaged. */
import { mkdir, readdir, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { MetricsFile } from '../../../src/metrics/types';
import { drawReport } from '../../../src/report';
import type { Examples } from '../../../src/report/examples';
import { TensorBoardWriter } from '../../../src/run/tensorboard';
import { datasetOf, folder, HEADER, makeRun, removeRuns } from '../../support/report-fixture';

afterAll(removeRuns);
const dataset = datasetOf();
const html = (run: string): Promise<string> => readFile(path.join(run, 'report.html'), 'utf8');
const json = async <T>(run: string, ...names: string[]): Promise<T> =>
  JSON.parse(await readFile(path.join(run, ...names), 'utf8')) as T;
const countOf = (text: string, part: string): number => text.split(part).length - 1;

describe('a finished run', () => {
  let run: string;
  let page: string;
  let files: string[];
  beforeAll(async () => {
    run = await makeRun();
    const report = await drawReport(run, { dataset });
    expect(report.notes).toEqual([]);
    files = report.files;
    page = await html(run);
  });

  test('gets every picture as SVG and PNG, and the page', async () => {
    const names = [
      'loss',
      'auc',
      'confusion',
      'roc',
      'pr',
      'reliability',
      ...dataset.labels.map((label) => `confusion-${label}`),
    ];
    expect((await readdir(path.join(run, 'plots'))).sort()).toEqual(
      names.flatMap((name) => [`${name}.png`, `${name}.svg`]).sort(),
    );
    expect(files).toHaveLength(2 * names.length + 4);
    for (const name of ['report.html', 'model-card.md', 'model-card.json'])
      expect(files).toContain(path.join(run, name));
    const confusion = await readFile(path.join(run, 'plots', 'confusion.svg'), 'utf8');
    for (const label of dataset.labels) expect(confusion).toContain(`>${label}</text>`);
    expect(countOf(confusion, '>truth</text>')).toBe(14);
    expect(countOf(confusion, '>decision</text>')).toBe(14);
  });

  test('drawn again, it leaves pictures alone that are not of its labels', async () => {
    const [mine, old] = ['confusion-mine.png', 'reliability.svg'].map((name) => path.join(run, 'plots', name));
    await writeFile(mine, 'mine');
    const again = await drawReport(run, { dataset });
    expect(again.files).toContain(old);
    expect(await readFile(mine, 'utf8')).toBe('mine');
    await rm(mine);
  });

  test('the headline has the four figures of metrics.json beside what predicting nothing scores', async () => {
    const { test } = (await json<MetricsFile>(run, 'metrics.json')).splits;
    for (const [title, figure, base] of [
      ['Macro AUC', test.auc.macro, test.all_negative.auc_macro],
      ['Macro average precision', test.average_precision.macro, test.all_negative.average_precision_macro],
      ['Macro F1', test.f1.macro, test.all_negative.f1_macro],
      ['Macro recall', test.recall.macro, test.all_negative.recall_macro],
    ] as const) {
      const tile = page.slice(page.indexOf(`<dt>${title}</dt>`)).split('</div>')[0];
      expect(tile).toContain(`<span class="value">${figure!.toFixed(3)}</span>`);
      expect(tile).toContain(`predicting nothing: ${base!.toFixed(3)}`);
    }
    expect(page).toContain(`predicting nothing at all scores <b>${test.all_negative.accuracy.toFixed(4)}</b>`);
  });

  test('has a chart with a text alternative for each label and kind', () => {
    for (const kind of ['ROC curve', 'Precision-recall curve', 'Reliability diagram'])
      expect(countOf(page, `aria-label="${kind} of `)).toBe(14);
    expect(countOf(page, 'aria-label="Confusion matrix of ')).toBe(28);
    expect(countOf(page, '<svg')).toBe(28 + 3 * 14 + 2);
    expect(countOf(page, '<svg')).toBe(countOf(page, 'role="img"'));
    expect(page).toContain('The chosen epoch is 2.');
  });

  test('needs nothing but itself', () => {
    expect(page).not.toMatch(/https?:|<link|<iframe| src="(?!data:image\/png;base64,)/);
    expect(page).toContain("default-src 'none'");
    expect(page.match(/<svg[\s\S]*?<\/svg>/g)!.join('')).not.toMatch(/ id=|<style|NaN/);
  });

  test('shows images; drawn again without the data set, it shows the same', async () => {
    expect(countOf(page, '<img ')).toBeGreaterThan(25);
    expect(page).toMatch(/alt="Chest radiograph \d+ of the test split, a false alarm for /);
    const { notes } = await drawReport(run);
    expect(notes).toEqual([]);
    expect(await html(run)).toBe(page);
  });

  test('a hit is a positive above the threshold, a miss a positive that is not, a false alarm a negative above it', async () => {
    const stored = await json<Examples>(run, 'predictions', 'examples.json');
    const { thresholds } = (await json<MetricsFile>(run, 'metrics.json')).tuned!['val-f1'];
    const { truth: labels } = dataset.splits.test;
    for (const { kind, label, index, score } of stored.examples) {
      expect([kind, labels[index * 14 + label], score > thresholds[label]]).toEqual([
        kind,
        kind === 'false alarm' ? 0 : 1,
        kind !== 'miss',
      ]);
    }
    expect(stored.examples.filter(({ label }) => label === 6).every(({ kind }) => kind === 'false alarm')).toBe(true);
  });

  test('with another data set it shows no images and says why', async () => {
    const other = { ...dataset, splits: { ...dataset.splits, test: dataset.splits.val } };
    const { notes } = await drawReport(run, { dataset: other });
    expect(notes.join()).toContain('is not the one that was scored');
    expect(await html(run)).not.toContain('<img ');
  });
});

test('hostile names and values are text everywhere', async () => {
  const evil = '<img src=x onerror=alert(1)>"\'&';
  const labels = dataset.labels.map((label, i) =>
    i === 0
      ? evil
      : i === 4
        ? 'a\u202eb\x9b\u2066'
        : i === 1
          ? `${'w'.repeat(300)}`
          : i === 2
            ? '../../x'
            : i === 3
              ? '<b>'
              : label,
  );
  const run = await makeRun({
    name: '<i>&"run',
    labels,
    config: { data: evil, labelNames: [evil, '</script><script>'] },
  });
  const { files } = await drawReport(run, { dataset });
  const page = await html(run);
  expect(page).not.toMatch(/<img src=x|<i>|<b>"|onerror=alert\(1\)>(?!&)|<script>(?!\nfor)/);
  expect(page).toContain('&#60;img src=x onerror=alert(1)&#62;&#34;&#39;&#38;');
  expect(countOf(page, '<script>')).toBe(1);
  expect(page).not.toMatch(/[\u202e\x9b\u2066]/);
  for (const file of files) expect(path.relative(run, file).startsWith('..')).toBe(false);
  const names = await readdir(path.join(run, 'plots'));
  expect(names).toHaveLength(40);
  expect(names).toEqual(
    expect.arrayContaining(['confusion-x.svg', 'confusion-b.svg', 'confusion-img-src-x-onerror-alert-1.svg']),
  );
});

test.each([
  [['X', 'x', 'x label2', '肺炎', 'label4', 'label 4', '-', '心']],
  [['a'.repeat(70), `${'a'.repeat(70)}b`, 'A'.repeat(60)]],
  [['x', 'X!', 'x label2', 'X-Label2-', 'x label4']],
])('every label of %j has pictures of its own, in every file system', async (names) => {
  const labels = dataset.labels.map((label, i) => names[i] ?? label);
  const run = await makeRun({ labels });
  const { files } = await drawReport(run);
  const confusions = files.filter((file) => /confusion-.*\.svg$/.test(file));
  expect(new Set(confusions.map((file) => file.toLowerCase().normalize())).size).toBe(14);
  const titles = await Promise.all(
    confusions.map(async (file) => /<title>([^<]*)/.exec(await readFile(file, 'utf8'))![1]),
  );
  expect(new Set(titles).size).toBe(14);
  // What is drawn again replaces itself.
  expect((await drawReport(run)).files).toEqual(files);
});

test("others' files in plots/ stay, and a link in its place is not followed", async () => {
  const run = await makeRun({ without: ['metrics', 'predictions'] });
  const elsewhere = await folder();
  await writeFile(path.join(elsewhere, 'loss.svg'), 'thesis');
  const plots = path.join(run, 'plots');
  await symlink(elsewhere, plots);
  await expect(drawReport(run)).rejects.toMatchObject({ code: 'ERR_OUTPUT', found: `${plots} is a link` });
  expect(await readdir(elsewhere)).toEqual(['loss.svg']);
  expect(await readFile(path.join(elsewhere, 'loss.svg'), 'utf8')).toBe('thesis');
  await unlink(plots);
  await drawReport(run);
  for (const name of ['mine.png', 'Confusion of terms.svg', 'roc.svg'])
    await writeFile(path.join(run, 'plots', name), 'mine');
  await drawReport(run);
  expect((await readdir(path.join(run, 'plots'))).sort()).toEqual(
    ['Confusion of terms.svg', 'auc.png', 'auc.svg', 'loss.png', 'loss.svg', 'mine.png'].sort(),
  );
});

describe('a run that stopped early', () => {
  test('before it was scored: curves, and what is missing is said', async () => {
    const run = await makeRun({ without: ['metrics', 'predictions'] });
    const { notes } = await drawReport(run);
    expect((await readdir(path.join(run, 'plots'))).sort()).toEqual(['auc.png', 'auc.svg', 'loss.png', 'loss.svg']);
    expect(notes).toEqual([expect.stringContaining('metrics.json is missing')]);
    const page = await html(run);
    expect(page).toContain('metrics.json is missing');
    expect(page).toContain('chosen: epoch 2'); // from run.json
  });

  test('before an epoch ended', async () => {
    const run = await makeRun({ without: ['metrics', 'predictions', 'history'] });
    await writeFile(path.join(run, 'history.csv'), `${HEADER}\n1,0.00`);
    const { notes, files } = await drawReport(run);
    expect(files).toEqual([path.join(run, 'report.html')]);
    expect(notes).toHaveLength(2);
  });

  test('without predictions: matrices but no curves of labels', async () => {
    const run = await makeRun({ without: ['predictions', 'run', 'config'] });
    const { notes } = await drawReport(run, { dataset });
    expect(notes).toEqual([
      expect.stringContaining('predictions/val.npz'),
      expect.stringContaining('predictions/test.npz'),
    ]);
    expect(await readdir(path.join(run, 'plots'))).toHaveLength(2 * (2 + 1 + 14));
  });

  test('without the data set and an earlier drawing: no images, and how to get them', async () => {
    const { notes } = await drawReport(await makeRun());
    expect(notes).toEqual([expect.stringMatching(/To draw again: npx chestmnist report \S+\/run --data chestmnist$/)]);
  });

  test('a row of history.csv that was cut off is left out, and old pictures do not outlive their data', async () => {
    const run = await makeRun({ without: ['metrics', 'predictions'] });
    await mkdir(path.join(run, 'plots'));
    await writeFile(path.join(run, 'plots', 'confusion.svg'), 'old');
    await writeFile(path.join(run, 'history.csv'), `${HEADER}\n1,0.001,0.3,0.25,0.6,0.9,2,100\n2,0.001,0.`);
    await drawReport(run);
    expect(await html(run)).toContain('Loss over 1 epochs');
    expect(await readdir(path.join(run, 'plots'))).not.toContain('confusion.svg');
  });
});

test('where the run logs to TensorBoard, pictures and curves go there, once', async () => {
  const run = await makeRun();
  await new TensorBoardWriter(run).close();
  await drawReport(run, { dataset });
  const { files } = await drawReport(run, { dataset });
  const events = (await readdir(run)).filter((name) => name.startsWith('events.out.tfevents.'));
  expect(events).toHaveLength(2);
  const log = files.find((file) => file.endsWith('.report'))!;
  const content = (await readFile(log)).toString('latin1');
  for (const tag of ['plots/confusion', 'pr_test/hernia', 'pr_val/hernia'])
    expect(countOf(content, tag)).toBeGreaterThan(0);
});

describe('what is refused', () => {
  test.each([
    ['a path that is not there', async () => path.join(await folder(), 'nothing'), 'does not exist'],
    ['an empty folder', folder, 'has none of config.json'],
    [
      'a file',
      async () => {
        const file = path.join(await folder(), 'file');
        await writeFile(file, 'x');
        return file;
      },
      'is a file',
    ],
  ])('%s is no run', async (_, make, found) => {
    const directory = await make();
    await expect(drawReport(directory)).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      found: expect.stringContaining(found),
    });
  });

  test.each([
    ['metrics.json', '{'],
    ['metrics.json', '[]'],
    ['metrics.json', '{"labels":["a"],"splits":{}}'],
    ['run.json', 'no'],
    ['history.csv', 'a,b\n1,2\n'],
    ['history.csv', `${HEADER}\n1,0.001,lots,0.25,0.6,0.9,2,100\n`],
    ['history.csv', `${HEADER}\n1,0.001\n`],
    ['predictions/test.npz', 'no zip'],
  ])('a damaged %s (%j) is named, and an earlier page stays', async (name, content) => {
    const run = await makeRun();
    await writeFile(path.join(run, 'report.html'), 'earlier');
    await writeFile(path.join(run, name), content);
    await expect(drawReport(run)).rejects.toMatchObject({
      code: 'ERR_DATA_CORRUPT',
      message: expect.stringContaining(path.basename(name)),
    });
    expect(await html(run)).toBe('earlier');
  });

  test('a cell of history.csv as long as the file is shown by its beginning', async () => {
    const run = await makeRun();
    await writeFile(path.join(run, 'history.csv'), `${HEADER}\n1,${'['.repeat(100_000)},0.3,0.25,0.6,0.9,2,100\n`);
    const error: unknown = await drawReport(run).catch((reason: unknown) => reason);
    expect((error as Error).message).toContain('as lr in row 1');
    expect((error as Error).message.length).toBeLessThan(1000);
  });

  test('metrics.json with a matrix too few', async () => {
    const run = await makeRun();
    const file = path.join(run, 'metrics.json');
    const metrics = await json<MetricsFile>(run, 'metrics.json');
    metrics.splits.test.confusion.pop();
    await writeFile(file, JSON.stringify(metrics));
    await expect(drawReport(run)).rejects.toMatchObject({
      code: 'ERR_DATA_CORRUPT',
      found: expect.stringContaining('splits.test.confusion'),
    });
  });

  test('predictions of other images are left out with a note', async () => {
    const run = await makeRun();
    await rm(path.join(run, 'predictions', 'test.npz'));
    await writeFile(
      path.join(run, 'predictions', 'test.npz'),
      await readFile(path.join(run, 'predictions', 'val.npz')),
    );
    const { notes } = await drawReport(run);
    expect(notes).toEqual([expect.stringContaining('do not belong together')]);
  });
});
