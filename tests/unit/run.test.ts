import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { openCheckpoint } from '../../src/checkpoint';
import { checkOutput, createRunDirectory, readJson, writeJson } from '../../src/run';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'run-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a run is named after the time and the data, and never takes a folder that is there', async () => {
  const now = new Date(2026, 0, 2, 3, 4, 5);
  const names = [];
  for (let i = 0; i < 3; i++) names.push(path.basename(await createRunDirectory(folder, null, 'synthetic', now)));
  expect(names).toEqual(['20260102-030405-synthetic', '20260102-030405-synthetic-2', '20260102-030405-synthetic-3']);
});

test('two runs that begin at once get two folders', async () => {
  const made = await Promise.all([1, 2, 3, 4].map(() => createRunDirectory(folder, null, 'x', new Date(0))));
  expect(new Set(made).size).toBe(4);
});

test('a name that is taken is refused and nothing is touched', async () => {
  await writeFile(path.join(await createRunDirectory(folder, 'mine', 'x'), 'kept'), 'kept');
  await expect(createRunDirectory(folder, 'mine', 'x')).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  await expect(checkOutput(folder, 'mine')).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    found: `${path.join(folder, 'mine')} exists already`,
  });
  expect(await readdir(path.join(folder, 'mine'))).toContain('kept');
});

test('an output below a file is refused; one below folders to come is not made by the check', async () => {
  await writeFile(path.join(folder, 'file'), '');
  await expect(checkOutput(path.join(folder, 'file', 'runs'), null)).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  await expect(createRunDirectory(path.join(folder, 'file'), null, 'x')).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  await checkOutput(path.join(folder, 'a', 'b'), null);
  expect(await readdir(folder)).toEqual(['file']);
});

test('JSON files are replaced as a whole and read back; what is no object is refused', async () => {
  const file = path.join(folder, 'x.json');
  expect(await readJson(file)).toBeUndefined();
  await writeJson(file, { a: 1 });
  await writeJson(file, { a: 2 });
  expect(await readJson(file)).toEqual({ a: 2 });
  expect(await readdir(folder)).toEqual(['x.json']);
  for (const text of ['[1]', 'null', '{"a":', '']) {
    await writeFile(file, text);
    await expect(readJson(file)).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  }
});

describe('nothing to resume', () => {
  const nothing = { code: 'ERR_NOTHING_TO_RESUME' };

  test('no such run, no run at all, no folder', async () => {
    await expect(openCheckpoint({ resume: path.join(folder, 'none') })).rejects.toMatchObject(nothing);
    await expect(openCheckpoint({ resume: true, out: folder })).rejects.toMatchObject(nothing);
    await expect(openCheckpoint({ resume: true, out: path.join(folder, 'none') })).rejects.toMatchObject(nothing);
  });

  test('a folder without a checkpoint, and a finished run', async () => {
    await mkdir(path.join(folder, 'run', 'checkpoint'), { recursive: true });
    await expect(openCheckpoint({ resume: path.join(folder, 'run') })).rejects.toMatchObject(nothing);
    await writeFile(path.join(folder, 'run', 'checkpoint', 'state.safetensors'), 'x');
    await writeJson(path.join(folder, 'run', 'run.json'), { status: 'finished' });
    await expect(openCheckpoint({ resume: path.join(folder, 'run') })).rejects.toMatchObject(nothing);
    await expect(openCheckpoint({ resume: true, out: folder })).rejects.toMatchObject(nothing);
  });

  test('a damaged checkpoint is named as such', async () => {
    await mkdir(path.join(folder, 'run', 'checkpoint'), { recursive: true });
    await writeFile(path.join(folder, 'run', 'checkpoint', 'state.safetensors'), 'rubbish, not safetensors');
    await expect(openCheckpoint({ resume: path.join(folder, 'run') })).rejects.toMatchObject({
      code: 'ERR_CHECKPOINT_INCOMPATIBLE',
    });
  });
});
