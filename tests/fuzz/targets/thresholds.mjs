/** Thresholds from a JSON file, as chestmnist metrics and evaluate take them. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
const { parseThresholds } = createRequire(import.meta.url)('../../../dist/metrics/thresholds.js');

export default {
  file: 'thresholds.json',
  vocabulary: ['"thresholds"', '{', '}', '[', ']', ':', ',', '"__proto__"', '0.5', 'null'],
  memory: (bytes) => 2 ** 18 + 32 * bytes,
  parse: async (file) => parseThresholds(await readFile(file, 'utf8')),
};
