/** The short form of `npm run test:crash`. */
import path from 'node:path';
import { REPOSITORY } from '../support/reference';
import { start } from '../support/chestmnist';

test('killed five times, a run ends as if it had been left alone', async () => {
  const program = path.join(REPOSITORY, 'tests', 'endurance', 'crash.mjs');
  const { code, stdout } = await start([program, '--kills', '5', '--epochs', '3', '--seed', '7']).done;
  expect({ code, last: stdout.trimEnd().split('\n').at(-1) }).toEqual({
    code: 0,
    last: expect.stringMatching(/^OK: 5 kills .*byte-equal/),
  });
}, 300_000);
