/** MedMNIST's result CSV. */
import { createRequire } from 'node:module';
const { readMedmnistCsv } = createRequire(import.meta.url)('../../../dist/run/predictions.js');

export default {
  file: 'chestmnist_test_[AUC]0.500_[ACC]0.500@run.csv',
  vocabulary: [
    ',',
    '\n',
    '\r\n',
    '\r',
    '\0',
    ' ',
    '0,',
    '1,0.5\n',
    'Infinity',
    '"',
    '\ufeff',
    '1e3',
    '-',
    '.',
    '\x1b[2J',
  ],
  memory: (bytes) => 2 ** 18 + 32 * bytes,
  parse: (file) => readMedmnistCsv(file),
};
