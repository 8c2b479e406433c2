/** The attention head in files of weights: told by its query, fitted to a model or refused, and exported. */
import type { StateDict } from '../../../src/engine/contract';
import { withTemperatures } from '../../../src/weights';
import { exportWeights } from '../../../src/weights/export';
import { fitHead } from '../../../src/weights/head';
import { openWeights } from '../../../src/weights/open';
import { recognise } from '../../../src/weights/state';
import { f32, failure, resnet18, temporaryFolder } from '../../support/weights-fixtures';

/** Of the values, since Jest takes seconds to compare millions of them. */
const bytes = ({ data }: StateDict[number]): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
const same = (a: StateDict, b: StateDict): boolean =>
  a.length === b.length && a.every((entry, i) => entry.name === b[i].name && bytes(entry).equals(bytes(b[i])));

const temporary = temporaryFolder();
const attention = (labels: number) => [...resnet18('cifar', labels), f32('query.weight', [labels, 512], () => 0.25)];
const average = (labels: number) => resnet18('cifar', labels);

it.each(['safetensors', 'pth'] as const)('%s keeps the query, and says which head it is', async (format) => {
  const state = attention(3);
  const facts = { task: null, channels: null, labels: ['a', 'b', 'c'], imageSize: 28, inputSize: 28 };
  const file = temporary(`attention.${format}`);
  const done = await exportWeights({ state, ...facts }, { format, output: file });
  expect(done).toMatchObject({ head: 'attention', stem: 'cifar' });
  const opened = await openWeights(file);
  expect(opened.metadata).toMatchObject({ head: 'attention', stem: 'cifar' });
  const told = recognise(opened.state, opened.source);
  expect([told.head, told.stem, told.labelCount]).toEqual(['attention', 'cifar', 3]);
  expect(same(told.state, state)).toBe(true);
});

it('weights with the average head are continued from queries of the model', () => {
  const { state, notes, keptHead } = fitHead(average(3), attention(3));
  expect(notes).toEqual([expect.stringMatching(/average head: query\.weight/)]);
  expect(keptHead).toBe(true);
  expect(same(state, [...average(3), attention(3).at(-1)!])).toBe(true);
});

it('another number of labels takes the whole head of the model', () => {
  const expected = attention(3);
  const { state, notes } = fitHead(attention(5), expected);
  expect(notes).toEqual([expect.stringMatching(/5 labels.* 3: fc\.weight, fc\.bias and query\.weight are/)]);
  expect(same(state.slice(-3), expected.slice(-3))).toBe(true);
});

it('a model with the average head refuses the other one, and names the option', async () => {
  const { found, next } = await failure('ERR_WEIGHTS', () => fitHead(attention(3), average(3)));
  expect(found).toMatch(/attention head: query\.weight is \[3, 512\]/);
  expect(next).toContain('--head attention');
});

it('a query of another shape is refused by name', async () => {
  const wrong = [...average(3), f32('query.weight', [2, 512])];
  const { found, needed } = await failure('ERR_WEIGHTS', () => recognise(wrong));
  expect(found).toContain('query.weight is F32 [2, 512], expected F32 [3, 512]');
  expect(needed).toContain("123 entries of torchvision's resnet18 with the attention head");
});

it('temperatures divide fc and leave the query', () => {
  const cooled = withTemperatures(attention(2), [2, 4]);
  expect(same(cooled.slice(-1), attention(2).slice(-1))).toBe(true);
  expect(cooled.at(-2)!.data).toEqual((attention(2).at(-2)!.data as Float32Array).map((value, i) => value / [2, 4][i]));
});
