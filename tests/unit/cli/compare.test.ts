/** `chestmnist compare`: figures, images, options and the page of two runs, and what cannot be compared. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunsComparison } from '../../../src';
import { writeNpz } from '../../../src/base/npz';
import { comparePredictions, computeMetrics, decide, type Predictions } from '../../../src/metrics';
import { datasetOf, folder, LABELS, makeRun, removeRuns, scoredOf } from '../../support/report-fixture';
import { chestmnist } from '../../support/in-process';

afterAll(removeRuns);

const { test: split } = datasetOf().splits;
const mine = scoredOf(split);
const theirs = scoredOf(split, 9);

async function file(name: string, { truth, logits }: Predictions): Promise<string> {
  const place = path.join(await folder(), name);
  const shape = [truth.length / LABELS, LABELS];
  await writeNpz(place, { labels: { shape, data: truth }, logits: { shape, data: logits! } });
  return place;
}

async function json(...args: string[]): Promise<RunsComparison> {
  const { code, stdout, stderr } = await chestmnist(['--json', 'compare', ...args, '--resamples', '30']);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as RunsComparison;
}

async function refused(...args: string[]): Promise<string> {
  const { code, stderr } = await chestmnist(['compare', '--resamples', '5', ...args]);
  return `${code} ${stderr.replace(/\s+/g, ' ')}`;
}

test('its intervals are those of the metrics, for three sides at once', async () => {
  const { sides, pairs, labels, task } = await json(
    await makeRun(),
    await file('b.npz', theirs),
    await file('c.npz', mine),
    '--thresholds',
    '0.3',
  );
  const confidence = { resamples: 30 };
  expect({ task, labels: labels.length, kinds: sides.map(({ kind }) => kind) }).toEqual({
    ...{ task: 'multi-label', labels: 14, kinds: ['run', 'predictions', 'predictions'] },
  });
  for (const [i, of] of [mine, theirs, mine].entries()) {
    const { confidence: intervals, auc, f1 } = computeMetrics({ ...of, threshold: 0.3, confidence });
    expect(sides[i].metrics).toMatchObject({ confidence: intervals, auc, f1 });
  }
  const { truth, scores, logits, labelCount } = mine;
  const models = { truth, labelCount, a: scores, aLogits: logits, b: theirs.scores, bLogits: theirs.logits };
  expect(pairs[0]).toMatchObject({
    a: 'A',
    b: 'B',
    figures: comparePredictions({ ...models, threshold: 0.3, confidence }),
  });
  expect(pairs[1]).toMatchObject({ b: 'C', figures: { auc_macro: { difference: 0, interval: [0, 0] } } });
  expect(pairs[1].images.whole).toMatchObject({ only_a: { images: [] }, only_b: { images: [] }, p_value: 1 });
});

test('counts the images that one gets right and the other wrong, at the own thresholds of each run', async () => {
  const [a, b] = [await makeRun(), await makeRun({ name: 'other' })];
  const other = path.join(b, 'predictions', 'test.npz');
  const shape = [split.count, LABELS];
  // Other predictions with the same confusion matrices: two images of one truth and different decisions change places.
  const row = (values: ArrayLike<number>, image: number): number => values[image * LABELS + 13];
  const decided = decide(mine.scores, LABELS);
  const images = [...Array(split.count).keys()].filter((image) => row(mine.truth, image) === 1);
  const [up, down] = [1, 0].map((value) => images.find((image) => row(decided, image) === value)!);
  const logits = mine.logits.slice();
  const [i, j] = [up * LABELS + 13, down * LABELS + 13];
  [logits[i], logits[j]] = [logits[j], logits[i]];
  await writeNpz(other, { labels: { shape, data: mine.truth }, logits: { shape, data: logits } });
  const { pairs, sides } = await json(a, b);
  const [[tn], [, tp]] = computeMetrics(mine).confusion[13];
  expect(pairs[0].images.labels[13]).toMatchObject({
    ...{ only_a: { images: [up], positives: 1 }, only_b: { images: [down], positives: 1 }, p_value: 1 },
    both_right: tn + tp - 1,
  });
  expect(pairs[0].images.labels[1]).toMatchObject({ only_a: { images: [] }, only_b: { images: [] } });
  expect(sides.map(({ options }) => options)).toEqual([{}, {}]);
  const tuned = await json(a, b, '--thresholds', 'val-f1');
  const metrics = JSON.parse(await readFile(path.join(a, 'metrics.json'), 'utf8'));
  expect(tuned.sides[0].metrics.threshold).toEqual(metrics.tuned['val-f1'].thresholds);
});

test("McNemar's exact test has the p of scipy.stats.binomtest(min, n)", async () => {
  // One label of 40 images: A alone is right for 12, B alone for 3. binomtest(3, 15).pvalue = 0.03515625.
  const truth = new Uint8Array(40);
  const logits = (wrong: (i: number) => boolean) => Float32Array.from(truth, (_, i) => (wrong(i) ? 2 : -2));
  truth[39] = 1;
  const save = async (name: string, data: Float32Array): Promise<string> => {
    const place = path.join(await folder(), name);
    await writeNpz(place, { labels: { shape: [40, 1], data: truth }, logits: { shape: [40, 1], data } });
    return place;
  };
  const a = await save(
    'a.npz',
    logits((i) => i >= 12 && i < 15),
  );
  const { pairs } = await json(
    a,
    await save(
      'b.npz',
      logits((i) => i < 12),
    ),
  );
  expect(pairs[0].images.whole.only_a.images).toEqual([...Array(12).keys()]);
  expect(pairs[0].images.whole.p_value).toBeCloseTo(0.03515625, 12);
});

test('the page and the text name the options that differ, and nothing on the page asks for anything', async () => {
  const [a, b] = [await makeRun({ config: { batchSize: 64 } }), await makeRun({ name: '<b>other' })];
  const page = path.join(await folder(), 'page.html');
  const { code, stdout } = await chestmnist(['compare', a, b, '--resamples', '10', '-o', page]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^batchSize +64 +128$/m) });
  expect(stdout).toMatch(/^all labels +\d+ +0 +0 +\d+ +1\.0000$/m);
  const html = await readFile(page, 'utf8');
  expect(html).toMatch(/<th scope="row">batchSize<\/th><td><span class="path">64/);
  expect(html).toContain('Training loss over epochs. A: 3 epochs');
  expect(html).toContain('&#60;b&#62;other');
  expect(html).not.toMatch(/<b>other|src="(?!data:)|href="(?!#)|url\(/);
});

test('refuses what is not comparable, and says why', async () => {
  const run = await makeRun();
  const cut = { ...mine, truth: mine.truth.slice(0, -LABELS), logits: mine.logits.slice(0, -LABELS) };
  const flipped = { ...mine, truth: mine.truth.map((value, i) => (i === LABELS * 3 ? 1 - value : value)) };
  expect(await refused(run, await file('cut.npz', cut))).toMatch(/^3 .*\[160, 14\] predictions, .* \[159, 14\]/);
  expect(await refused(run, await file('flipped.npz', flipped))).toMatch(/^3 .*differ from image 3 on/);
  expect(await refused(run)).toMatch(/^2 .*one to compare/);
  expect(await refused(run, path.join(run, 'nothing'))).toMatch(/^2 .*does not exist/);
  expect(await refused(run, await folder())).toMatch(/^2 .*has none of config\.json/);
  expect(await refused(run, await makeRun({ without: ['predictions'] }))).toMatch(
    /^3 .*predictions\/test\.npz is missing/,
  );
  expect(await refused(run, await makeRun({ without: ['metrics', 'predictions'] }))).toMatch(
    /^3 .*metrics\.json is missing/,
  );
  const own = await file('own.npz', mine);
  expect(await refused(run, own, '--thresholds', 'val-f1')).toMatch(/^2 .*predictions of one split only/);
  expect(await refused(run, own, '-o', path.join(run, 'page.txt'))).toMatch(/^2 .*extension \.html/);
  expect(await refused(run, own, '--resamples', '0')).toMatch(/^2 /);
  const other = await makeRun({ name: 'other' });
  const record = path.join(other, 'run.json');
  const before = JSON.parse(await readFile(record, 'utf8'));
  const onData = (data: object) => writeFile(record, JSON.stringify({ ...before, data: { ...before.data, ...data } }));
  await onData({ md5: '0'.repeat(32) });
  expect(await refused(run, other)).toMatch(/^3 .*MD5 d41d.*MD5 0000.*the images may not/);
  await onData({ md5: '0'.repeat(32), size: 64 });
  expect(await refused(run, other)).toMatch(/^0 .*on images of 64 px/);
});
