/** history.csv, as the report reads it from a run directory. */
import { createRequire } from 'node:module';
import path from 'node:path';
const { readRun } = createRequire(import.meta.url)('../../../dist/run/open.js');

export default {
  file: 'history.csv',
  vocabulary: [
    'epoch',
    'lr',
    'train_loss',
    'val_loss',
    'val_auc',
    'val_acc',
    'seconds',
    'images_per_second',
    ',',
    '\n',
    '\r\n',
    ',,',
    'nan',
    'NaN',
    'Infinity',
    ' ',
    '\0',
    '\ufeff',
    '\x1b[2J',
  ],
  memory: (bytes) => 2 ** 18 + 32 * bytes,
  parse: (file) => readRun(path.dirname(file)),
};
