/** `tune`: a search over ranges, its trials, files, table and page; killed and resumed; what it refuses. */
import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { listRuns, tune, type Trial, type TuneOptions } from '../../src';
import { scratch, type Json } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';

const folder = scratch();
const at = (...names: string[]) => path.join(folder(), ...names);
const jsonOf = async (...names: string[]): Promise<Json> => JSON.parse(await readFile(at(...names), 'utf8'));

/** A rate of 1e30 makes the loss non-finite. */
const SPACE = { lr: [1e-4, 1e-3, 1e30], mixup: { min: 0, max: 0.4 }, contrast: { min: 0.01, max: 0.2, log: true } };
const ARGS = [
  '--data',
  'synthetic',
  '--limit-train',
  '64',
  '--limit-val',
  '48',
  '--limit-test',
  '48',
  '--batch-size',
  '32',
];
const BUDGET = ['--epochs', '3', '--trials', '5', '--device', 'cpu', '--threads', '2', '--seed', '4'];
const figures = ({ trials }: Json) =>
  (trials as Trial[]).map(({ number, options, status, results }) => ({ number, options, status, results }));

describe('a search', () => {
  beforeAll(async () => {
    await writeFile(at('space.json'), JSON.stringify(SPACE));
    const args = [...ARGS, ...BUDGET, '--space', at('space.json'), '--out', folder(), '--name', 'whole'];
    const { code, stdout, stderr } = await chestmnist(['tune', ...args]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toBe(at('whole'));
    expect(lines.at(-1)).toBe(`npx chestmnist train --data synthetic --config ${at('whole', 'recipe.json')} --seed 4`);
    expect(stdout).toMatch(/trial {2}epochs/);
    expect(stderr).toMatch(/trials: 5 to epoch 1, 2 to epoch 3; 9 epochs in all/);
  });

  test('the best third goes on; the best by validation is named; a loss that is not finite ends one trial alone', async () => {
    const { status, best, rungs, ...search } = await jsonOf('whole', 'search.json');
    const trials = search.trials as Trial[];
    expect({ status, rungs }).toEqual({
      status: 'finished',
      rungs: [
        { trials: 5, epochs: 1 },
        { trials: 2, epochs: 3 },
      ],
    });
    const of = (status: string) => trials.filter((trial) => trial.status === status);
    expect(of('failed').map(({ options }) => options.lr)).toEqual(of('failed').map(() => 1e30));
    expect(of('failed').length).toBeGreaterThan(0);
    expect(of('finished')).toHaveLength(2);
    const after = (rung: number) => (trial: Trial) => trial.results[rung].val_auc!;
    expect(Math.min(...of('finished').map(after(0)))).toBeGreaterThanOrEqual(Math.max(...of('out').map(after(0))));
    const finished = of('finished').sort((a, b) => after(1)(b) - after(1)(a));
    expect(best).toBe(finished[0].number);
    expect(await jsonOf('whole', 'recipe.json')).toMatchObject({ ...finished[0].options, epochs: 3, batchSize: 32 });
    for (const { options } of trials) {
      expect(SPACE.lr).toContain(options.lr);
      expect(options.contrast).toBeGreaterThanOrEqual(0.01);
      expect(options.contrast).toBeLessThanOrEqual(0.2);
    }
  });

  test('no figure of the test split is anywhere in it', () => {
    const files = readdirSync(at('whole'), { recursive: true, encoding: 'utf8' });
    expect(files.filter((name) => /metrics\.json|predictions.*(npz|csv)$/.test(name))).toEqual([]);
    expect(files).toContain('report.html');
  });

  test('in a list of runs it is one row, with the figure of its best trial and none of the test split', async () => {
    const { best, trials } = await jsonOf('whole', 'search.json');
    const { val_auc } = (trials as Trial[])[best - 1].results.at(-1)!;
    const row = { kind: 'search', status: 'finished', parts: 5, of_parts: 5, val_auc, test: null };
    expect((await listRuns(at('whole'))).runs).toMatchObject([row]);
  });

  test('a trial is the run of its options', async () => {
    const { best } = await jsonOf('whole', 'search.json');
    const config = ['--config', at('whole', 'recipe.json'), '--seed', '4', '--no-report', '--resamples', '0'];
    const args = ['train', ...ARGS, ...config, '--device', 'cpu', '--out', folder(), '--name', 'again'];
    expect(await chestmnist(args)).toMatchObject({ code: 0 });
    const columns = async (...names: string[]) =>
      (await readFile(at(...names, 'history.csv'), 'utf8')).split('\n').map((row) => row.split(',').slice(0, 6).join());
    expect(await columns('again')).toEqual(await columns('whole', `trial-${best}`));
  });

  test('stopped in a trial and resumed, with other jobs, it finds the same', async () => {
    const stop = new AbortController();
    const options = { ...optionsOf(), out: folder(), name: 'stopped', jobs: 2 };
    const stopped = await tune(options, {
      signal: stop.signal,
      onEvent: (event) => event.type === 'trial' && event.trial >= 2 && stop.abort(),
    });
    expect(stopped).toMatchObject({ status: 'stopped', best: null, next: expect.stringContaining('tune --resume') });
    expect(await jsonOf('stopped', 'search.json')).toMatchObject({ status: 'stopped' });
    const resumed = await chestmnist(['tune', '--resume', at('stopped'), '--json']);
    expect(resumed).toMatchObject({ code: 0 });
    expect(JSON.parse(resumed.stdout.trimEnd().split('\n').at(-1)!)).toMatchObject({
      type: 'finish',
      status: 'finished',
    });
    expect(figures(await jsonOf('stopped', 'search.json'))).toEqual(figures(await jsonOf('whole', 'search.json')));
    expect(await chestmnist(['tune', '--resume', at('stopped'), '--json'])).toMatchObject({ code: 2 });
  });
});

const optionsOf = (): TuneOptions => ({
  ...{ data: 'synthetic', limitTrain: 64, limitVal: 48, limitTest: 48, batchSize: 32, seed: 4 },
  ...{ epochs: 3, trials: 5, device: 'cpu', threads: 2, space: { ...SPACE } },
});

test.each<[string, TuneOptions, RegExp]>([
  ['no ranges', { space: undefined, recipe: undefined }, /neither --space nor a recipe/],
  ['an unknown option', { space: { lrr: [1, 2] } as never }, /unknown option/],
  ['an option of the data', { space: { limitTrain: [1, 2] } }, /no matter of a search/],
  ['an empty range', { space: { lr: { min: 1, max: 1 } } }, /min below max/],
  ['a value that is not allowed', { space: { mixup: [0, -1] } }, /with -1 in it/],
  ['more trials than points', { space: { mixup: [0, 0.1] }, trials: 3 }, /2 different points/],
  ['one trial', { trials: 1 }, /from 2/],
  ['a report of a trial', { report: true } as never, /the option report/],
])('refused before anything is made: %s', async (_name, changes, message) => {
  const refused = tune({ ...optionsOf(), out: at('none'), ...changes });
  await expect(refused).rejects.toMatchObject({ code: 'ERR_CONFIG', message: expect.stringMatching(message) });
  expect(existsSync(at('none'))).toBe(false);
});
