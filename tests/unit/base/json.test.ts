import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ChestMnistError } from '../../../src/base/errors';
import { readJson, writeJson } from '../../../src/base/json';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'json-'));
});
afterEach(() => rm(folder, { recursive: true }));

const refuse = (what: string): ChestMnistError =>
  new ChestMnistError('ERR_CONFIG', { found: what, needed: 'an object', next: 'correct it' });

test('JSON files are replaced as a whole and read back', async () => {
  const file = path.join(folder, 'x.json');
  expect(await readJson(file, refuse)).toBeUndefined();
  await writeJson(file, { a: 1 });
  await writeJson(file, { a: 2 });
  expect(await readJson(file, refuse)).toEqual({ a: 2 });
  expect(await readdir(folder)).toEqual(['x.json']);
});

test.each([
  ['[1]', /^is not a JSON object/],
  ['null', /^is not a JSON object/],
  ['{"a":', /^is not JSON/],
  ['', /^is not JSON/],
])('%j is refused', async (text, found) => {
  const file = path.join(folder, 'x.json');
  await writeFile(file, text);
  await expect(readJson(file, refuse)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    found: expect.stringMatching(found),
  });
});

test('a folder in its place cannot be read', async () => {
  await expect(readJson(folder, refuse)).rejects.toMatchObject({ found: expect.stringMatching(/^cannot be read/) });
});
