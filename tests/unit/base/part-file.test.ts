/** The parts of downloads: one that a dead process left is taken over, and nothing else that has such a name. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { claimPart } from '../../../src/base/part-file';
import { temporaryFolder } from '../../support/setup-fakes';
import { NOT_FILES, othersFolder, snapshot } from '../../support/strangers';

const folder = temporaryFolder();
const DEAD = 2 ** 22 + 1;

test('the part of a dead process is taken over', async () => {
  const target = path.join(folder, 'a.npz');
  await writeFile(`${target}.${DEAD}-0.part`, 'half');
  const part = await claimPart(target, true);
  expect(await readFile(part.path, 'utf8')).toBe('half');
});

test.each(Object.entries(NOT_FILES))('%s of that name is not', async (kind, put) => {
  const target = path.join(folder, `${kind}.npz`);
  const others = othersFolder(path.join(folder, kind));
  put(`${target}.${DEAD}-0.part`, others, 'lock');
  const before = snapshot(folder);
  const part = await claimPart(target, true);
  await part.release();
  expect(snapshot(folder)).toEqual(before);
});
