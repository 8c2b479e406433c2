import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { checkOutput, createRunDirectory } from '../../../src/run/create';
import { withRunLock } from '../../../src/run/directory';
import { removeLeftovers } from '../../../src/run/entries';

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

test('a name from the data needs no quotes in a command', async () => {
  const now = new Date(2026, 0, 2, 3, 4, 5);
  for (const [data, name] of [
    ['My data (1)', 'My-data-1'],
    ['a\nb\x1b[2J\u202e', 'a-b-2J'],
    ['lungs_64.v2', 'lungs_64.v2'],
    ['肺炎', '肺炎'],
  ])
    expect(path.basename(await createRunDirectory(folder, null, data, now))).toBe(`20260102-030405-${name}`);
});

test('two runs that begin at once get two folders', async () => {
  const made = await Promise.all([1, 2, 3, 4].map(() => createRunDirectory(folder, null, 'x', new Date(0))));
  expect(new Set(made).size).toBe(4);
});

test('a name that is taken is refused and nothing is touched', async () => {
  await writeFile(path.join(await createRunDirectory(folder, 'mine', 'x'), 'kept'), 'kept');
  await expect(createRunDirectory(folder, 'mine', 'x')).rejects.toMatchObject({ code: 'ERR_OUTPUT' });
  await expect(checkOutput(folder, 'mine')).rejects.toMatchObject({
    code: 'ERR_OUTPUT',
    found: `${path.join(folder, 'mine')} already exists`,
  });
  expect(await readdir(path.join(folder, 'mine'))).toContain('kept');
});

test('an output below a file is refused; one below folders to come is not made by the check', async () => {
  await writeFile(path.join(folder, 'file'), '');
  await expect(checkOutput(path.join(folder, 'file', 'runs'), null)).rejects.toMatchObject({ code: 'ERR_OUTPUT' });
  await expect(createRunDirectory(path.join(folder, 'file'), null, 'x')).rejects.toMatchObject({ code: 'ERR_OUTPUT' });
  await checkOutput(path.join(folder, 'a', 'b'), null);
  expect(await readdir(folder)).toEqual(['file']);
});

test('temporary files of a killed process are removed, and nothing else', async () => {
  await mkdir(path.join(folder, 'weights'));
  for (const name of ['history.csv.0a1b2c3d.tmp', 'weights/best.safetensors.deadbeef.tmp', 'weights/mine.tmp'])
    await writeFile(path.join(folder, name), '');
  await removeLeftovers(folder);
  expect(await readdir(folder, { recursive: true })).toEqual(['weights', path.join('weights', 'mine.tmp')]);
});

describe('the lock of a run directory', () => {
  test('a second run in it is told who holds it; when the first has ended it may have it', async () => {
    await withRunLock(folder, async () => {
      await expect(withRunLock(folder, () => Promise.resolve())).rejects.toMatchObject({
        code: 'ERR_BUSY',
        found: expect.stringContaining(`process ${process.pid}`),
      });
    });
    expect(await withRunLock(folder, () => Promise.resolve(1))).toBe(1);
  });

  test('removed, it is taken again; taken over by another, it is lost', async () => {
    await withRunLock(folder, async (held) => {
      expect(held()).toBe(true);
      await rm(folder, { recursive: true });
      expect(held()).toBe(true);
      await writeFile(path.join(folder, 'lock'), '1 another-host 1');
      expect(held()).toBe(false);
    });
    expect(await readFile(path.join(folder, 'lock'), 'utf8')).toBe('1 another-host 1');
  });
});
