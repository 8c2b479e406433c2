import { execFileSync } from 'node:child_process';
import { shellWord } from '../../../src/base/shell';

const onPosix = process.platform === 'win32' ? test.skip : test;

test.each(['/home/me/runs/first', 'a.npz', 'runs/20261124-101010-chestmnist', 'x=1,2@%:+-'])(
  '%s stays as it is',
  (word) => expect(shellWord(word)).toBe(word),
);

onPosix.each(['my runs/first', "it's", '$HOME', '`id`', '[AUC]0.768*', 'a;b', '"', '', 'ü'])(
  'a shell reads %j back',
  (word) => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' })).toBe(word);
  },
);
