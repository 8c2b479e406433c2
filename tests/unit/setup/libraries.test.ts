/** Which variable of the dynamic linker leads to a library. Loading itself is tested in tests/cli/machine.test.ts. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { variableLeadingTo } from '../../../src/setup/libraries';
import { temporaryFolder } from '../../support/setup-fakes';

const folder = temporaryFolder();
const lib = path.join(folder, 'lib');
const file = path.join(lib, 'libc10.so');
mkdirSync(lib);
writeFileSync(file, '');
symlinkSync(lib, path.join(folder, 'link'));

test.each<[string, Record<string, string>, string | undefined]>([
  ['a folder of the list', { LD_LIBRARY_PATH: `/usr/lib:${lib}` }, 'LD_LIBRARY_PATH'],
  ['a folder with a slash behind it', { LD_LIBRARY_PATH: `${lib}/` }, 'LD_LIBRARY_PATH'],
  ['a link to the folder', { LD_LIBRARY_PATH: path.join(folder, 'link') }, 'LD_LIBRARY_PATH'],
  ['a folder of the list on macOS', { DYLD_LIBRARY_PATH: lib }, 'DYLD_LIBRARY_PATH'],
  ['where macOS looks last', { DYLD_FALLBACK_LIBRARY_PATH: `/x:${lib}` }, 'DYLD_FALLBACK_LIBRARY_PATH'],
  ['the file', { LD_PRELOAD: `/x.so ${file}` }, 'LD_PRELOAD'],
  ['the file, after a colon', { LD_PRELOAD: `/x.so:${file}` }, 'LD_PRELOAD'],
  ['its name', { LD_PRELOAD: 'libc10.so', LD_LIBRARY_PATH: lib }, 'LD_PRELOAD'],
  ['the file on macOS', { DYLD_INSERT_LIBRARIES: file }, 'DYLD_INSERT_LIBRARIES'],
  ['another folder', { LD_LIBRARY_PATH: `${lib}x:${folder}` }, undefined],
  ['nothing', {}, undefined],
])('%s', (_, env, variable) => {
  expect(variableLeadingTo(file, env)).toBe(variable);
});
