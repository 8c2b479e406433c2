/** `~`, as people write it where no shell expands it. */
import { homedir } from 'node:os';
import path from 'node:path';
import { absolute, cacheDirectory, expandHome } from '../../../src/base/folders';
import { dataDirectories, downloadDirectory } from '../../../src/data/places';
import { loadDataset } from '../../../src/data';
import { predict } from '../../../src/judge/predict';
import { evaluate } from '../../../src/judge/evaluate';
import { resolveOptions } from '../../../src/recipe/resolve';
import { inspectLibTorch } from '../../../src/setup/inspect';
import { locateSetUp } from '../../../src/setup/locate';
import { loadWeights, saveWeights } from '../../../src/weights';
import { hubDirectory } from '../../../src/weights/imagenet';
import { refusal } from '../../support/data-files';

const home = (...names: string[]): string => path.join(homedir(), ...names);

test.each([
  ['~', home()],
  ['~/', `${home()}${path.sep}`],
  ['~/a b/c', home('a b', 'c')],
  ['a/~/b', 'a/~/b'],
  ['~lock.npz', '~lock.npz'],
  ['./~/b', './~/b'],
  ['', ''],
])('%j is %j', (written, meant) => {
  expect(expandHome(written)).toBe(meant);
});

test("another user's home is refused, and a folder of that name has a way", async () => {
  expect((await refusal(Promise.resolve().then(() => absolute('~root/x')))).next).toContain('./~root/x');
  expect(absolute('./~root/x')).toBe(path.resolve('~root/x'));
});

test('options, from flags, from JSON and from programs', () => {
  const written = { data: '~/x.npz', out: '~/runs', weights: '~/w.pth', resume: '~/runs/a' };
  const meant = { data: home('x.npz'), out: home('runs'), weights: home('w.pth'), resume: home('runs', 'a') };
  expect(resolveOptions(written)).toMatchObject(meant);
  expect(resolveOptions({}).data).toBe('chestmnist');
});

describe('variables', () => {
  const set = (name: string, value: string): void => {
    const before = process.env[name];
    process.env[name] = value;
    undo.push(() => (before === undefined ? delete process.env[name] : (process.env[name] = before)));
  };
  const undo: (() => unknown)[] = [];
  afterEach(() => undo.splice(0).forEach((back) => back()));

  test('CHESTMNIST_DATA, XDG_CACHE_HOME, TORCH_HOME, CHESTMNIST_LIBTORCH', async () => {
    set('CHESTMNIST_DATA', '~/data');
    set('XDG_CACHE_HOME', '~/cache');
    expect(dataDirectories()).toContain(home('data'));
    expect(downloadDirectory()).toBe(home('data'));
    expect(cacheDirectory()).toBe(home('cache', 'chestmnist'));
    expect(hubDirectory({ TORCH_HOME: '~/torch' })).toBe(home('torch', 'hub', 'checkpoints'));
    expect(hubDirectory({ XDG_CACHE_HOME: '~/c' })).toBe(home('c', 'torch', 'hub', 'checkpoints'));
    const wanted = { root: home('nowhere'), env: { CHESTMNIST_LIBTORCH: '~/no/libtorch' } };
    const { found } = await refusal(Promise.resolve().then(() => locateSetUp(wanted, [])));
    expect(found).toBe(`CHESTMNIST_LIBTORCH: ${inspectLibTorch(home('no', 'libtorch'), '') as string}`);
  });
});

test.each<[string, () => Promise<unknown>]>([
  ['loadDataset', () => loadDataset('~/no/set.npz')],
  ['loadWeights', () => loadWeights('~/no/w.pth')],
  ['saveWeights', () => saveWeights('~/no\0/w.pth', [])],
  ['evaluate', () => evaluate('~/no/run')],
  ['predict', () => predict('~/no/run', ['x.png'])],
  ['thresholds of predict', () => predict('run', ['x.png'], { thresholds: '~/no\0' })],
])('%s', async (_, call) => {
  const { found } = await refusal(call());
  expect(found).toContain(home('no'));
});
