/** A table of `import`: its text, its columns and its labels. */
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const { readTable } = require('../../../dist/import/csv.js');
const { findColumns } = require('../../../dist/import/columns.js');
const { labelsOf } = require('../../../dist/import/labels.js');

export default {
  file: 'table.csv',
  vocabulary: [
    ...['image', 'Path', 'dicom_id', 'study_id', 'Finding Labels', 'label', 'Patient ID', 'split', 'No Finding'],
    ...[',', ';', '\t', '|', '\n', '\r\n', '"', '""', '="1"', 'sep=;\n', '\ufeff', '\0', ' ', '-1', '-1.0', '1.0'],
    ...['nan', 'true', 'train', 'validate', 'a.png', 'a/patient00001/b.jpg', '\x1b[2J', '__proto__'],
  ],
  memory: (bytes) => 2 ** 18 + 64 * bytes,
  async parse(file) {
    const table = await readTable(file);
    labelsOf(table, findColumns(table, {}).labels, 'zero');
  },
};
