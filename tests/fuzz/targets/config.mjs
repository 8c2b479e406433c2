/** Options from a JSON file, as --config takes them. */
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const { readJson } = require('../../../dist/run/directory.js');
const { OPTION_NAMES, resolveOptions } = require('../../../dist/recipe/options.js');

export default {
  file: 'config.json',
  vocabulary: [
    ...OPTION_NAMES.map((name) => `"${name}"`),
    '"__proto__"',
    '"constructor"',
    '"toString"',
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"50%"',
    '"101%"',
    '"cuda:0"',
    '"../x"',
    '"\\u001b"',
    '{"a":',
    'null',
    'true',
  ],
  memory: (bytes) => 2 ** 18 + 32 * bytes,
  parse: async (file) => resolveOptions(await readJson(file)),
};
