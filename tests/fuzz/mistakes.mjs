/**
 * Parsers with one mistake each, by which `npm run fuzz -- --mistakes` shows that every kind is found: an exception, a
 * hang, an end of the process, memory, writing, reading and running where nothing should be, commands to the terminal.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
const { ChestMnistError } = createRequire(import.meta.url)('../../dist/base/errors.js');

const parts = { found: 'a', needed: 'b', next: 'c' };
/** What is refused with the true reason hidden behind it. */
function behindRefusal(act) {
  try {
    act();
  } catch (cause) {
    throw new ChestMnistError('ERR_DATA_CORRUPT', parts, { cause });
  }
}

/** Makes its mistake once in a hundred inputs, as one in the corpus would be too easy. */
const mistake = (act) => {
  let inputs = 0;
  return {
    file: 'input',
    corpus: 'thresholds',
    memory: () => 2 ** 20,
    parse: async (...args) => (++inputs % 100 < 2 && inputs > 2 ? act(...args) : undefined),
  };
};

export default {
  exception: mistake(() => undefined.length),
  code: mistake(() => behindRefusal(() => new Function('return 1')())),
  hang: mistake(() => {
    for (;;);
  }),
  end: mistake(() => process.abort()),
  memory: mistake(() => new Float64Array(2 ** 18)),
  write: mistake(() => behindRefusal(() => writeFileSync(path.join(os.tmpdir(), 'chestmnist-fuzz'), ''))),
  read: mistake(() => behindRefusal(() => readFileSync('/etc/passwd'))),
  run: mistake(() => behindRefusal(() => spawnSync('true'))),
  terminal: mistake(() => {
    throw Object.assign(new ChestMnistError('ERR_CONFIG', parts), { message: '\x1b[2J' });
  }),
  parts: mistake(() => {
    throw new ChestMnistError('ERR_CONFIG', { ...parts, needed: '' });
  }),
};
