/**
 * `chestmnist predict`: probabilities and decisions for images, as CSV, JSON or .npz. Not here: the prediction
 * (judge/predict.ts), the files (judge/predict-output.ts).
 */
import { Option, type Command } from 'commander';
import { FITS, LAYOUTS, type Fit, type Layout } from '../../data/pictures/options';
import { cliOf } from '../context';
import { addFlags, readFlags, windowOf } from '../flags';
import { saySkipped } from '../skipped';
import { unbroken } from '../terminal/width';

const SHARED = ['size', 'resize', 'task', 'labelNames', 'weightsKey', 'device', 'precision', 'threads'] as const;

const EXAMPLES = `
Examples:
  chestmnist predict runs/NAME xray.png scans/ 'more/*.dcm'
  chestmnist predict runs/NAME images.npy --thresholds val-f1 -o predictions.csv
  chestmnist predict weights.safetensors data.npz --json
  chestmnist predict runs/NAME xray.png --explain maps

Inputs: PNG, JPEG, TIFF, WebP and DICOM files, .npy and .npz files, folders with all that is in them, patterns.
CSV: image, then for each label its probability and its decision (1 when above the threshold); of exclusive classes the
image, the name of the most probable class, then the probability of each. A name that a spreadsheet would run as a formula
has an apostrophe before it; --json and .json have names as they are. .npz: scores, decisions, images, labels.
Of an ensemble: the mean of its members' probabilities, and their standard deviation (LABEL_spread, the array spread).
A picture becomes gray for a model of gray images, a square (--fit) and as large as the model's. A file that cannot be read
is named and left out; the exit code is then 3.`;

export function register(program: Command): void {
  const command = program
    .command('predict')
    .description('Probabilities and decisions for images. Research software, not a medical device.')
    .argument('<run|weights>', 'a run directory, that of an ensemble, or a .safetensors or .pth file')
    .argument('<input...>', 'pictures (PNG, JPEG, TIFF, WebP, DICOM), .npy, .npz, folders, patterns')
    .option('--thresholds <rule>', '0.5, val-f1, val-youden or a JSON file', '0.5')
    .option('-o, --output <file>', 'write to a file instead of stdout: .csv, .json or .npz')
    .addOption(new Option('--fit <how>', 'what becomes of a picture that is not square').choices(FITS).default('crop'))
    .option('--window <center,width>', 'values from black to white of DICOM files, instead of their own')
    .addOption(new Option('--layout <axes>', 'axes of arrays, where their shape does not tell').choices(LAYOUTS))
    .option('--explain <folder>', 'heat maps too, as of the verb explain')
    .option('--strict', 'stop at the first file that cannot be read');
  addFlags(command, SHARED)
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, inputs: string[], _options: unknown, self: Command) => {
      const [{ predictRows }, { checkNotRead, isStdout, outputAt }, { writePredicted }] = await Promise.all([
        import('../../judge/predict.js'),
        import('../../base/output.js'),
        import('../../judge/predict-output.js'),
      ]);
      const cli = cliOf(self);
      const { thresholds, output, fit, layout, window, strict, explain: maps } = self.opts<Flags>();
      const place = await outputAt(output ?? '-', ['.csv', '.json', '.npz'], (text) => cli.say(text));
      await checkNotRead(place, [target, thresholds, ...inputs], target);
      const options = { thresholds, fit, layout, strict, window: window === undefined ? undefined : windowOf(window) };
      if (maps !== undefined) {
        const { explain } = await import('../../explain/index.js');
        const { page } = await explain(target, inputs, { ...readFlags(self, SHARED), ...options, output: maps });
        cli.say(`heat maps: ${unbroken(page)}`);
      }
      const rows = predictRows(target, inputs, { ...readFlags(self, SHARED), ...options });
      const format = place.extension === '' ? (cli.json ? '.json' : '.csv') : place.extension;
      let summary: Awaited<ReturnType<typeof writePredicted>> | undefined;
      await place.write(async (file) => {
        summary = await writePredicted(file, format, rows);
      });
      const { images, skipped, notes } = summary!;
      for (const note of notes) cli.say(note);
      const left = saySkipped(cli, skipped, 'predicted');
      if (output === undefined) return;
      cli.say(`${images} ${images === 1 ? 'image' : 'images'}: ${unbroken(output)}`);
      if (!isStdout(output)) cli.emit({ output: place.path, images, ...(left.length > 0 && { skipped: left }) });
    });
}

interface Flags {
  thresholds: string;
  output?: string;
  fit: Fit;
  layout?: Layout;
  window?: string;
  strict?: boolean;
  explain?: string;
}
