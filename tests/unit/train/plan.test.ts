import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { writeJson } from '../../../src/base/json';
import { ask, findRun } from '../../../src/train/plan';
import { fillIn, RECORD } from '../../support/record';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'plan-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('nothing to resume', () => {
  const nothing = { code: 'ERR_NOTHING_TO_RESUME' };

  test('no such run, no run at all, no folder', async () => {
    await expect(findRun(ask({ resume: path.join(folder, 'none') }))).rejects.toMatchObject(nothing);
    await expect(findRun(ask({ resume: true, out: folder }))).rejects.toMatchObject(nothing);
    await expect(findRun(ask({ resume: true, out: path.join(folder, 'none') }))).rejects.toMatchObject(nothing);
    expect(await findRun(ask({ out: folder }))).toBeUndefined();
  });

  test('a folder without a checkpoint, and a finished run', async () => {
    const run = path.join(folder, 'run');
    await mkdir(path.join(run, 'checkpoint'), { recursive: true });
    await expect(findRun(ask({ resume: run }))).rejects.toMatchObject(nothing);
    await writeFile(path.join(run, 'checkpoint', 'state.safetensors'), 'x');
    expect(await findRun(ask({ resume: true, out: folder }))).toBe(run);
    await writeJson(path.join(run, 'run.json'), RECORD);
    // What a finished run lost is written again by resuming it.
    expect(await findRun(ask({ resume: run }))).toBe(run);
    await fillIn(run);
    await expect(findRun(ask({ resume: run }))).rejects.toMatchObject(nothing);
    await expect(findRun(ask({ resume: true, out: folder }))).rejects.toMatchObject(nothing);
    expect(await findRun(ask({ resume: run, epochs: 9 }))).toBe(run);
  });
});

describe('a report that could not be drawn', () => {
  afterEach(() => jest.dontMock('@resvg/resvg-js'));

  test('is found out before the run, and nothing is made; without a report the run is not held up', async () => {
    jest.resetModules();
    jest.doMock('@resvg/resvg-js', () => {
      throw new Error('Cannot find native binding');
    });
    const { train } = await import('../../../src/train/index.js');
    const options = { data: path.join(folder, 'none.npz'), out: path.join(folder, 'runs') };
    await expect(train(options)).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      found: 'plots cannot be drawn here: Cannot find native binding',
      next: 'install chestmnist again, without --omit=optional; or train with report: false',
    });
    await expect(train({ ...options, report: false })).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' });
    expect(existsSync(options.out)).toBe(false);
  });
});
