/** `runs`: the table of a folder of runs, with those that are damaged, killed or no run at all. */
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { listRuns, type RunsList } from '../../../src';
import { withLock } from '../../../src/base/lock';
import { scratch } from '../../support/chestmnist';
import { chestmnist } from '../../support/in-process';
import { makeRun, metricsOf, datasetOf, removeRuns } from '../../support/report-fixture';

afterAll(removeRuns);
const folder = scratch();
const at = (...names: string[]) => path.join(folder(), ...names);

/** A run at this place, whose run.json says more than the fixture's. */
async function put(name: string, record: object, options: Parameters<typeof makeRun>[0] = {}): Promise<void> {
  await mkdir(path.dirname(at(name)), { recursive: true });
  await rename(await makeRun(options), at(name));
  const file = at(name, 'run.json');
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...record }));
}

async function json(...args: string[]): Promise<RunsList> {
  const { code, stdout, stderr } = await chestmnist(['--json', 'runs', folder(), ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as RunsList;
}

beforeAll(async () => {
  await put('a', { started: '2026-01-01T00:00:00.000Z' }, { config: { recipe: 'strong' } });
  await put('sweep/b', { started: '2026-01-03T00:00:00.000Z', status: 'running' }, { without: ['metrics'] });
  const error = { code: 'ERR_DISK', message: 'the disk is full' };
  await put('c', { started: '2026-01-02T00:00:00.000Z', status: 'failed', error }, { without: ['metrics', 'history'] });
  await put('broken', {});
  await writeFile(at('broken', 'metrics.json'), '{"splits"');
  await mkdir(at('notes', 'deep'), { recursive: true });
  await writeFile(at('notes', 'config.json'), '{}');
  await symlink(folder(), at('loop'));
});

test('each run is a row with its status, data, recipe, figures and time; the newest is first', async () => {
  const { runs, others } = await json();
  expect(runs.map(({ name, status }) => [name, status])).toEqual([
    ['sweep/b', 'killed'],
    ['c', 'failed'],
    ['a', 'finished'],
    ['broken', 'damaged'],
  ]);
  expect(others).toEqual(['notes']);
  const { auc, average_precision, f1, recall } = metricsOf(datasetOf()).splits.test;
  expect(runs.find(({ name }) => name === 'a')).toMatchObject({
    ...{ path: at('a'), kind: 'run', data: 'chestmnist', size: 28, recipe: 'strong', epochs: 3, of_epochs: 3 },
    ...{ best_epoch: 2, val_auc: metricsOf(datasetOf()).splits.val.auc.macro, seconds: 6, problem: null },
    test: { auc: auc.macro, average_precision: average_precision.macro, f1: f1.macro, recall: recall.macro },
  });
  expect(runs[0]).toMatchObject({ best_epoch: 2, val_auc: 0.7, test: null, problem: null });
  expect(runs[1]).toMatchObject({ epochs: 0, val_auc: null, problem: 'the disk is full' });
  expect(runs[3].problem).toContain('metrics.json');
});

test('a run that a process holds is running', async () => {
  await withLock(at('sweep', 'b', 'lock'), async () => {
    expect((await listRuns(folder())).runs[0]).toMatchObject({ name: 'sweep/b', status: 'running' });
  });
  // The lock of a process that is gone.
  await writeFile(at('sweep', 'b', 'lock'), `999999999 ${hostname()} 1`);
  expect((await listRuns(at('sweep', 'b'))).runs).toMatchObject([{ name: '.', status: 'killed' }]);
});

test('sorted by a figure the best is first and those without come last, by name A is', async () => {
  const names = async (sort: string) => (await json('--sort', sort)).runs.map(({ name }) => name);
  const val = metricsOf(datasetOf()).splits.val.auc.macro!;
  expect((await names('val-auc')).slice(0, 2)).toEqual(val > 0.7 ? ['a', 'sweep/b'] : ['sweep/b', 'a']);
  expect((await names('test-recall'))[0]).toBe('a');
  expect(await names('name')).toEqual(['a', 'broken', 'c', 'sweep/b']);
});

test('the table is for people; what is wrong stands below it', async () => {
  const { code, stdout } = await chestmnist(['runs', folder()]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^name +status +data +recipe +epochs +val AUC/);
  expect(stdout).toMatch(/^a +finished +chestmnist 28 px +strong +3\/3 .* 6s +2026-01-01 00:00$/m);
  expect(stdout).toMatch(/^c: the disk is full$/m);
  expect(stdout).toMatch(/^broken: .*metrics\.json/m);
  expect(stdout).toMatch(/^without a run: notes$/m);
});

test('a folder without runs is empty; no folder, and a wrong column, are refused', async () => {
  expect(await listRuns(at('notes'))).toMatchObject({ runs: [], others: ['deep'] });
  expect(await chestmnist(['runs', at('notes')])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^no run in/),
  });
  for (const [args, text] of [
    [[at('none')], 'does not exist'],
    [[at('notes', 'config.json')], 'is not a folder'],
    [[folder(), '--sort', 'speed'], "'speed' is invalid"],
  ] as const) {
    const { code, stderr } = await chestmnist(['runs', ...args]);
    expect(code).toBe(2);
    expect(stderr.replace(/\s+/g, ' ')).toContain(text);
  }
});
