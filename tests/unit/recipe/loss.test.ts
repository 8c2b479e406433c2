import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { labelWeights, lossShape } from '../../../src/recipe/loss';
import { balancedOrder } from '../../../src/recipe/order';

let folder: string;
beforeAll(async () => (folder = await mkdtemp(path.join(os.tmpdir(), 'loss-'))));
afterAll(() => rm(folder, { recursive: true }));
const labels = ['a', 'b', 'c'];
/** 400 images: 100 with a, one with b, none with c. */
const truth = Uint8Array.from({ length: 1200 }, (_, k) => {
  const [image, label] = [Math.floor(k / 3), k % 3];
  return Number((label === 0 && image < 100) || (label === 1 && image === 7));
});
const data = { labels, truth, isExclusive: false };

test('rules: negatives over positives, at most 100; 1 for a label that never varies', async () => {
  expect(await labelWeights('none', data)).toEqual([]);
  expect(await labelWeights('balanced', data)).toEqual([3, 100, 1]);
  expect(await labelWeights('sqrt', data)).toEqual([Math.sqrt(3), Math.sqrt(399), 1]);
});

test('exclusive labels: images over classes times those of the class', async () => {
  const classes = Uint8Array.from({ length: 40 * 2 }, (_, k) => Number(k % 2 === (Math.floor(k / 2) < 30 ? 0 : 1)));
  const exclusive = { labels: ['x', 'y'], truth: classes, isExclusive: true };
  expect(await labelWeights('balanced', exclusive)).toEqual([40 / 60, 40 / 20]);
});

test('a file: by label, where others are 1, or one after another', async () => {
  const file = path.join(folder, 'w.json');
  await writeFile(file, '{"b": 4.5}');
  expect(await labelWeights(file, data)).toEqual([1, 4.5, 1]);
  await writeFile(file, '[1, 2, 3]');
  expect(await labelWeights(file, data)).toEqual([1, 2, 3]);
  expect(await labelWeights([3, 2, 1], data)).toEqual([3, 2, 1]);
});

test.each([
  ['{"d": 1}', 'which is no label'],
  ['{"a": -1}', 'the weights in'],
  ['{"a": "1"}', 'the weights in'],
  ['[1, 2]', 'the weights in'],
  ['7', 'holds 7'],
  ['{', 'is not JSON'],
])('a file of %s is refused', async (text, found) => {
  const file = path.join(folder, 'wrong.json');
  await writeFile(file, text);
  await expect(labelWeights(file, data)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    found: expect.stringContaining(found),
  });
});

test('a name that is neither a rule nor a file', async () => {
  await expect(labelWeights('balance', data)).rejects.toMatchObject({ code: 'ERR_CONFIG' });
});

test('shapes as in the papers', () => {
  expect(lossShape({ loss: 'focal', focus: null })).toEqual({ positiveFocus: 2, negativeFocus: 2, margin: 0 });
  expect(lossShape({ loss: 'asl', focus: null })).toEqual({ positiveFocus: 0, negativeFocus: 4, margin: 0.05 });
  expect(lossShape({ loss: 'bce', focus: null })).toEqual({ positiveFocus: 0, negativeFocus: 0, margin: 0 });
});

test('balanced sampling draws each label, and images without one, equally often', () => {
  const order = balancedOrder(1, 2, truth, 3);
  expect(order).toHaveLength(400);
  expect(balancedOrder(1, 2, truth, 3)).toEqual(order);
  expect(balancedOrder(1, 3, truth, 3)).not.toEqual(order);
  const draws = Array.from({ length: 30 }, (_, epoch) => [...balancedOrder(0, epoch, truth, 3)]).flat();
  const share = (of: (image: number) => boolean) => draws.filter(of).length / draws.length;
  // Image 7 has a too, and is drawn for it now and then.
  expect(share((image) => image === 7)).toBeCloseTo(1 / 3 + 1 / 300, 1);
  expect(share((image) => image < 100)).toBeCloseTo(2 / 3, 1);
  expect(share((image) => image >= 100)).toBeCloseTo(1 / 3, 1);
});
