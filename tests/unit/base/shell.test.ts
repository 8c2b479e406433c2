import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ChestMnistError } from '../../../src/base/errors';
import { asInstalled, commandOf, shellWord } from '../../../src/base/shell';
import { isPrintable } from '../../../src/base/text';
import { scratch } from '../../support/data-files';

const onPosix = process.platform === 'win32' ? test.skip : test;

test.each(['/home/me/runs/first', 'a.npz', 'runs/20261124-101010-chestmnist', 'x=1,2@%:+-'])(
  '%s stays as it is',
  (word) => expect(shellWord(word)).toBe(word),
);

const hostile = [
  'a\\b',
  '~/x',
  '=ls',
  '!x',
  'chestmnist (1).npz',
  '{a,b}',
  '%s',
  'a\nb',
  'esc\x1b[2J %d \\n\'"',
  'rtl\u202ex ü',
];
onPosix.each(['my runs/first', "it's", '$HOME', '`id`', '[AUC]0.768*', 'a;b', '"', '', 'ü', ...hostile])(
  'a shell reads %j back',
  (word) => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' })).toBe(word);
    expect(isPrintable(shellWord(word))).toBe(true);
  },
);

describe('the name under which an installation is started', () => {
  const at = scratch();
  const installed = (folder: string, isProject: boolean): string => {
    mkdirSync(at(folder), { recursive: true });
    if (isProject) writeFileSync(path.join(at(folder), 'package.json'), '{}');
    return path.join(at(folder), 'node_modules');
  };

  test.each([
    ['a clone', 'npx chestmnist', () => at('clone')],
    ['a project', 'npx chestmnist', () => path.join(installed('mine', true), 'chestmnist')],
    ['a project in a folder called lib', 'npx chestmnist', () => path.join(installed('lib', true), 'chestmnist')],
    ['a project of pnpm', 'npx chestmnist', () => path.join(installed('p', true), '.pnpm/c@1/node_modules/chestmnist')],
    ['npm -g', 'chestmnist', () => path.join(installed('usr/lib', false), 'chestmnist')],
    [
      'pnpm -g',
      'chestmnist',
      () => path.join(installed('share/pnpm/global/5', true), '.pnpm/c@1/node_modules/chestmnist'),
    ],
    ['yarn global', 'chestmnist', () => path.join(installed('.config/yarn/global', true), 'chestmnist')],
    ['bun -g', 'chestmnist', () => path.join(installed('.bun/install/global', true), 'chestmnist')],
  ])('%s: %s', (_, command, root) => {
    expect(commandOf(root())).toBe(command);
  });

  test("Plug'n'Play of Yarn has no npx", () => {
    expect(commandOf('/p/.yarn/cache/chestmnist-npm-1.zip/node_modules/chestmnist', '3')).toBe('yarn chestmnist');
  });

  test('every message is for this one', () => {
    expect(asInstalled('npx chestmnist train, or npx chestmnist doctor')).toBe(
      'npx chestmnist train, or npx chestmnist doctor',
    );
    jest.isolateModules(() => {
      jest.doMock('node:fs', () => ({ existsSync: () => false }));
      jest.doMock('node:path', () => ({ ...path, resolve: () => '/usr/lib/node_modules/chestmnist' }));
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const errors = require('../../../src/base/errors') as { ChestMnistError: typeof ChestMnistError };
      const next = 'npx chestmnist setup, then npx chestmnist doctor';
      const error = new errors.ChestMnistError('ERR_CONFIG', { found: 'a', needed: 'b', next });
      expect(error.next).toBe('chestmnist setup, then chestmnist doctor');
      jest.dontMock('node:fs').dontMock('node:path');
    });
  });
});
