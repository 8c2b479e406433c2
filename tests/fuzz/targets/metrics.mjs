/** metrics.json, as the report reads it from a run directory. */
import { createRequire } from 'node:module';
import path from 'node:path';
const { readRun } = createRequire(import.meta.url)('../../../dist/run/open.js');

export default {
  file: 'metrics.json',
  vocabulary: [
    '"__proto__"',
    '"constructor"',
    '"labels"',
    '"n"',
    '"splits"',
    '"tuned"',
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '[[',
    '{"a":',
    'null',
  ],
  memory: (bytes) => 2 ** 18 + 32 * bytes,
  parse: (file) => readRun(path.dirname(file)),
};
