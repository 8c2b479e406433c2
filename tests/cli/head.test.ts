/** `--head attention` from the command line: train, resume, continue from other weights, export, and what is refused. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openWeights } from '../../src/weights';
import { chestmnist } from '../support/in-process';

const folder = mkdtempSync(path.join(tmpdir(), 'chestmnist-head-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (...parts: string[]) => path.join(folder, ...parts);

const SMALL = ['train', '--data', 'synthetic', '--limit-train', '32', '--limit-val', '24', '--limit-test', '24'];
const QUICK = ['--batch-size', '16', '--threads', '1', '--resamples', '0', '--no-report', '--out', folder];
const train = (...args: string[]) => chestmnist([...SMALL, ...QUICK, ...args]);
// 34 px: the smallest with a map of 2x2.
const ATTENTION = ['--head', 'attention', '--resize', '34', '--ema', '0.9', '--weight-decay', '0.01'];

beforeAll(async () => {
  for (const args of [
    [...ATTENTION, '--milestones', 'none', '--epochs', '2', '--name', 'whole'],
    [...ATTENTION, '--milestones', 'none', '--epochs', '1', '--name', 'parts'],
    ['--resume', at('parts'), '--epochs', '2'],
  ])
    expect(await train(...args)).toMatchObject({ code: 0 });
}, 120_000);

test('a resumed run has the weights of an uninterrupted one, bit for bit, and queries that learnt', async () => {
  for (const name of ['last', 'best', 'average']) {
    const [whole, parts] = ['whole', 'parts'].map((run) => readFileSync(at(run, 'weights', `${name}.safetensors`)));
    expect({ name, same: whole.equals(parts) }).toEqual({ name, same: true });
  }
  const { state, metadata } = await openWeights(at('whole', 'weights', 'last.safetensors'));
  const query = state.find(({ name }) => name === 'query.weight')!;
  expect(query.shape).toEqual([14, 512]);
  expect((query.data as Float32Array).every((value) => value !== 0)).toBe(true);
  expect(metadata.head).toBe('attention');
});

test('evaluate finds the figures of the run; export names the head', async () => {
  const { stdout, code } = await chestmnist(['evaluate', at('whole'), '--json']);
  expect(code).toBe(0);
  const { splits } = JSON.parse(readFileSync(at('whole', 'metrics.json'), 'utf8')) as {
    splits: { test: { loss: number } };
  };
  expect(JSON.parse(stdout)).toMatchObject({ loss: splits.test.loss });
  const done = await chestmnist(['export', at('whole'), '--format', 'onnx', '-o', at('a.onnx'), '--json']);
  expect(JSON.parse(done.stdout)).toMatchObject({ head: 'attention', format: 'onnx' });
});

test('where there is one position, and where the weights have it and the model has not, the error says so', async () => {
  const refused = async (exit: number, ...args: string[]) => {
    const { code, stderr } = await train(...args, '--epochs', '1', '--name', 'refused');
    expect(code).toBe(exit);
    return stderr;
  };
  const alone = await refused(2, '--head', 'attention');
  expect(alone).toMatch(/ERR_CONFIG[^]*torchvision stem at 28 px[^]*--stem cifar or --resize 64/);
  const other = await refused(3, '--weights', at('whole', 'weights', 'best.safetensors'), '--resize', '34');
  expect(other).toMatch(/ERR_WEIGHTS[^]*attention head[^]*use --head attention/);
});
