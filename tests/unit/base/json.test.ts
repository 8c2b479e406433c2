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
  ['as Windows writes it, with a byte-order mark', '\ufeff{"a": 2}\r\n'],
  ['with names in other scripts', '{"a": 2, "肺": "é"}'],
])('read: %s', async (_, text) => {
  const file = path.join(folder, 'x.json');
  await writeFile(file, text);
  expect(await readJson(file, refuse)).toMatchObject({ a: 2 });
});

const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
test.each([
  ['[1]', 'is not a JSON object, but [1]'],
  ['null', 'is not a JSON object, but null'],
  ['"x"', 'is not a JSON object, but "x"'],
  ['{"a":', 'is not JSON (line 1, column 6: value expected)'],
  ['{\n  // a comment\n  "a": 1\n}', 'is not JSON (line 2, column 3: a comment, which JSON does not have)'],
  ['{"a": 1 /* one */}', 'is not JSON (line 1, column 9: a comment, which JSON does not have)'],
  ['{\r\n"a": 1,\r\n}', 'is not JSON (line 3, column 1: property name expected)'],
  ["{'a': 1}", 'is not JSON (line 1, column 2: invalid symbol)'],
  ['{"a": NaN}', 'is not JSON (line 1, column 7: invalid symbol)'],
  [' \n', 'is not JSON (it is empty)'],
  ['', 'is not JSON (it is empty)'],
  [utf16('\ufeff{"a": 1}'), 'is UTF-16 text'],
  [utf16('\ufeff{"a": 1}').swap16(), 'is UTF-16 text'],
  [utf16('{"a": 1}'), 'is UTF-16 text'],
  [Buffer.from('{"é": 1}', 'latin1'), 'is not UTF-8 text'],
])('%j is refused', async (text, found) => {
  const file = path.join(folder, 'x.json');
  await writeFile(file, text);
  await expect(readJson(file, refuse)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    found,
    next: found.includes('UTF') ? 'save the file as UTF-8' : 'correct it',
  });
});

test('a folder in its place cannot be read', async () => {
  await expect(readJson(folder, refuse)).rejects.toMatchObject({ found: expect.stringMatching(/^cannot be read/) });
});
