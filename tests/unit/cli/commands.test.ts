/** Every command that help, notes and error messages print is one that the command line takes as it stands. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { commandsIn, refusalOf } from '../../support/commands';
import { REPOSITORY } from '../../support/reference';

const files = readdirSync(path.join(REPOSITORY, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => path.join('src', file));

test.each(
  [...files, 'scripts/install.js', 'CMakeLists.txt']
    .map((file) => ({ file, commands: commandsIn(readFileSync(path.join(REPOSITORY, file), 'utf8')) }))
    .filter(({ commands }) => commands.length > 0),
)('$file', async ({ commands }) => {
  const refused = [];
  for (const words of commands) {
    const refusal = await refusalOf(words);
    if (refusal !== undefined) refused.push(`chestmnist ${words.join(' ')}: ${refusal}`);
  }
  expect(refused).toEqual([]);
});

test.each([
  ["next: 'npx chestmnist data fetch --size ${size}; or by hand'", [['data', 'fetch', '--size', 'X']]],
  ['  chestmnist metrics "a [AUC].csv" --labels b.npz   a comment', [['metrics', 'a [AUC].csv', '--labels', 'b.npz']]],
  ['run `chestmnist doctor`, then chestmnist train --data a,b.', [['doctor'], ['train', '--data', 'a,b']]],
  ['`${SETUP_COMMAND} --rebuild (takes CMake)`', [['setup', '--rebuild']]],
  ['import chestmnist from nowhere; chestmnist is a package', []],
])('finds the commands in %j', (text, expected) => {
  expect(commandsIn(text)).toEqual(expected);
});

test.each([
  [['data', 'fetch', 'chestmnist'], undefined],
  [['train', '--epoch', '3'], /unknown option/],
  [['setup', 'again'], /too many arguments/],
  [['export', 'RUN', '--format', 'onnx'], /required option/],
  [['data', 'fetsh'], /unknown command/],
  [['train', '--help'], undefined],
])('%j is taken or refused', async (words, refusal) => {
  const found = await refusalOf(words);
  if (refusal === undefined) expect(found).toBeUndefined();
  else expect(found).toMatch(refusal);
});
