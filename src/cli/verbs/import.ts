/** `chestmnist import`: pictures and their table become a data set. Not here: the work (import/). */
import { Option, type Command } from 'commander';
import { ChestMnistError } from '../../base/errors';
import { FITS, type Fit } from '../../data/pictures/options';
import { SIZES, UNCERTAIN, type Uncertain } from '../../import/options';
import { cliOf, numberOf } from '../context';
import { windowOf } from '../flags';
import { onSignals } from '../signals';
import { labelTable } from '../terminal/data-tables';
import { unbroken } from '../terminal/width';

const EXAMPLES = `
Examples:
  chestmnist import Data_Entry_2017_v2020.csv images -o nih.npz
  chestmnist import train.csv CheXpert-v1.0-small -o chexpert.npz --uncertain one --size 64
  chestmnist import mimic-cxr-2.0.0-chexpert.csv files -o mimic.npz --split mimic-cxr-2.0.0-split.csv
  chestmnist import table.csv images -o own.npz --labels diagnosis --group "Patient ID" --split 80/10/10
  chestmnist import folder -o classes.npz

Columns are found by name and printed before work begins. Labels are a column of names (A|B, No Finding), one of classes, or
columns of 1, 0, -1 (uncertain) and nothing; without a table the folders are the classes. Pictures of one patient stay in one
split. Beside FILE.npz: FILE.json, where it comes from; FILE.index.csv, which picture became which row; FILE.missing.csv,
what was left out. After an interruption the same command goes on.`;

export function register(program: Command): void {
  program
    .command('import')
    .description('make a data set of pictures, with a table or a folder per class')
    .argument('<table|folder>', 'a CSV file with a row per picture; or the folder, when its folders are the classes')
    .argument('[folder]', 'the folder of the pictures')
    .requiredOption('-o, --output <file>', 'the .npz file to write')
    .addOption(new Option('--size <pixels>', 'of each side').choices(SIZES.map(String)).default('28'))
    .option('--labels <names>', 'columns of labels, or labels in the one column of them, with commas; default: all')
    .option('--image <column>', 'the column that names the picture; default: found by name')
    .option(
      '--group <column>',
      'equal values stay in one split; "Patient ID" may be that of DICOM files; default: by name',
    )
    .option('--split <how>', '70/10/20; a column; a table.csv; or train=FILE,val=FILE,test=FILE, lists of pictures')
    .addOption(new Option('--uncertain <as>', 'what -1 becomes (default: zero)').choices(UNCERTAIN))
    .addOption(new Option('--fit <how>', 'what becomes of a picture that is not square').choices(FITS).default('crop'))
    .option('--window <center,width>', 'values from black to white of DICOM files, instead of their own')
    .option('--seed <n>', 'of the split', '0')
    .option('--strict', 'stop at the first picture that cannot be read, and at rows and pictures without each other')
    .option('--force', 'overwrite the files')
    .option('--license <text>', 'the licence of the pictures, to be recorded')
    .addHelpText('after', EXAMPLES)
    .action(async (first: string, second: string | undefined, flags: Flags, command: Command) => {
      const [{ importImages }, { watchDownload }] = await Promise.all([
        import('../../import/index.js'),
        import('../terminal/download.js'),
      ]);
      const cli = cliOf(command);
      const { size, labels, window, seed, ...others } = flags;
      const { license, image, group, split, uncertain, fit, strict, force, output } = others;
      const progress = watchDownload(cli, 'pictures', { name: 'done', of: (count) => count });
      const abort = new AbortController();
      const stop = (): void => {
        progress.note('interrupted: the pictures that are done are kept, and the same command resumes it');
        abort.abort();
      };
      const unlisten = onSignals({ stop });
      const work = importImages({
        ...{ license, image, group, split, uncertain, fit, strict, force, output },
        ...(second === undefined ? { folder: first } : { table: first, folder: second }),
        size: Number(size),
        labels: labels === undefined ? undefined : namesOf(labels),
        window: window === undefined ? undefined : windowOf(window),
        seed: numberOf(seed),
        onNote: (line) => progress.note(line),
        onProgress: (done, total) => progress.update(done, total),
        signal: abort.signal,
      }).finally(() => {
        progress.end();
        unlisten();
      });
      const result = await work;
      const splits = (['train', 'val', 'test'] as const).map((name) => ({ name, ...result.splits[name] }));
      cli.result(result, (columns) =>
        [unbroken(result.path), '', labelTable(result.labels, splits, columns), ...leftOut(result)].join('\n'),
      );
      if (result.unreadable > 0) process.exitCode = 3;
    });
}

interface Flags {
  output: string;
  size: string;
  labels?: string;
  image?: string;
  group?: string;
  split?: string;
  uncertain?: Uncertain;
  fit: Fit;
  window?: string;
  seed: string;
  strict?: boolean;
  force?: boolean;
  license?: string;
}

const leftOut = ({ leftOut: count, missing }: { leftOut: number; missing: string | null }): string[] =>
  missing === null ? [] : ['', `${count} left out: ${unbroken(missing)}`];

function namesOf(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.every((name) => name !== '')) return names;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `--labels ${text}`,
    needed: 'names of columns with commas between them',
    next: 'for example --labels Edema,Effusion',
  });
}
