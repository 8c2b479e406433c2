/** The files that inputs stand for: order, patterns, folders, links that loop, and what cannot be read. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findPictures } from '../../../src/data/pictures/find';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'find-'));
  for (const place of ['one/two', 'one/.hidden', 'empty', 'other'])
    mkdirSync(path.join(folder, place), { recursive: true });
  for (const name of ['b.png', 'a.png', 'a10.dcm', 'a(1).png', 'one/c.JPG', 'one/two/d.tif', 'one/.hidden/e.png'])
    writeFileSync(path.join(folder, name), 'x');
  for (const name of ['one/notes.txt', 'one/DICOMDIR', 'one/._c.JPG', 'one/Thumbs.db'])
    writeFileSync(path.join(folder, name), 'x');
  writeFileSync(path.join(folder, 'one', '1.2.3.4'), Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]));
});
afterAll(() => rmSync(folder, { recursive: true }));

const at = (...names: string[]): string => path.join(folder, ...names);
async function found(...inputs: string[]): Promise<string[]> {
  const files: string[] = [];
  for await (const one of findPictures(inputs)) {
    const name = path.relative(folder, one.file);
    files.push('error' in one ? `${name}: ${one.error.found.replace(one.file, '')}` : name);
  }
  return files;
}
const onPosix = process.platform === 'win32' ? test.skip : test;

test('files as named, also twice, in the order of the inputs', async () => {
  expect(await found(at('b.png'), at('a.png'), at('b.png'))).toEqual(['b.png', 'a.png', 'b.png']);
});

test('a folder: what is a picture by its extension or its first bytes, sorted, without leftovers', async () => {
  expect(await found(at('one'))).toEqual(['one/1.2.3.4', 'one/c.JPG', 'one/two/d.tif']);
});

test.each([
  ['*.png', ['a(1).png', 'a.png', 'b.png']],
  ['?.png', ['a.png', 'b.png']],
  ['[!a].png', ['b.png']],
  ['[a-c].png', ['a.png', 'b.png']],
  ['a(?).*', ['a(1).png']],
  ['**/*.[TtJ][Ii]*', ['one/two/d.tif']],
  ['o*/two', ['one/two/d.tif']],
  ['one/**', ['one/1.2.3.4', 'one/c.JPG', 'one/two/d.tif']],
])('the pattern %s', async (pattern, files) => {
  expect(await found(at(pattern))).toEqual(files);
});

test('what stands for nothing is an error that says so', async () => {
  expect(await found(at('empty'), at('none.png'), at('*.gif'), at('[z-a].png'))).toEqual([
    'empty:  holds no picture',
    expect.stringMatching(/^none\.png: {2}cannot be read \(ENOENT/),
    '*.gif:  matches no file',
    '[z-a].png:  matches no file',
  ]);
});

onPosix('links that loop end, and a folder that is linked twice is read twice', async () => {
  symlinkSync('..', at('other', 'up'));
  symlinkSync('.', at('other', 'self'));
  symlinkSync(at('one', 'two'), at('other', 'linked'));
  writeFileSync(at('other', 'f.png'), 'x');
  const files = await found(at('other'));
  expect(files).toContain('other/f.png');
  expect(files).toContain('other/linked/d.tif');
  expect(files.length).toBeLessThan(20);
  expect((await found(at('other', '**', '*.png'))).filter((name) => name === 'other/f.png')).toHaveLength(1);
  rmSync(at('other'), { recursive: true });
});

(process.getuid?.() === 0 ? test.skip : onPosix)('a folder that may not be read is named', async () => {
  mkdirSync(at('one', 'locked'));
  chmodSync(at('one', 'locked'), 0);
  expect(await found(at('one'))).toContainEqual(expect.stringMatching(/^one\/locked: {2}cannot be read \(EACCES/));
  chmodSync(at('one', 'locked'), 0o755);
});
