/** Options from a JSON file, as --config takes them. */
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const { ChestMnistError } = require('../../../dist/base/errors.js');
const { readJson } = require('../../../dist/base/json.js');
const { OPTION_NAMES } = require('../../../dist/recipe/options.js');
const { resolveOptions } = require('../../../dist/recipe/resolve.js');

const refuse = (found) => new ChestMnistError('ERR_CONFIG', { found, needed: 'options', next: 'correct them' });

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
  parse: async (file) => resolveOptions(await readJson(file, refuse)),
};
