/** `chestmnist explain`: heat maps for images. Not here: the maps and their pictures (explain/). */
import { Option, type Command } from 'commander';
import { FITS, LAYOUTS, type Fit, type Layout } from '../../data/pictures/options';
import { METHODS, type Method } from '../../explain/types';
import { cliOf } from '../context';
import { addFlags, readFlags, windowOf } from '../flags';
import { saySkipped } from '../skipped';
import { unbroken } from '../terminal/width';

const SHARED = [
  'data',
  'size',
  'resize',
  'task',
  'labelNames',
  'weightsKey',
  'device',
  'precision',
  'threads',
] as const;

const EXAMPLES = `
Examples:
  chestmnist explain runs/NAME xray.png scans/ -o maps
  chestmnist explain runs/NAME xray.dcm --thresholds val-f1 -o maps
  chestmnist explain weights.safetensors xray.png --data chestmnist -o maps

Inputs are those of predict. The folder gets a PNG and the map as .npy for each finding above its threshold, or for the
most probable one; index.html shows all of them, explain.json has the numbers. --method evidence: what each place adds to
the logit; occlusion: how much the logit falls when a square is covered. Colours have one scale for each label, from the validation split (--data).
Such maps mislead more often than radiologists do: use them to find faults of a model, not disease.`;

export function register(program: Command): void {
  const command = program
    .command('explain')
    .description('Heat maps of what a model reacts to. Research software, not a medical device.')
    .argument('<run|weights>', 'a run directory, that of an ensemble, or a .safetensors or .pth file')
    .argument('<input...>', 'pictures (PNG, JPEG, TIFF, WebP, DICOM), .npy, .npz, folders, patterns')
    .requiredOption('-o, --output <folder>', 'for the pictures, the maps and the page; empty, or made')
    .addOption(
      new Option(
        '--method <name>',
        'what each place adds (evidence; cifar stem, or from 128 px), or what covering it takes away (occlusion)',
      ).choices(METHODS),
    )
    .option('--thresholds <rule>', '0.5, val-f1, val-youden or a JSON file', '0.5')
    .addOption(new Option('--fit <how>', 'what becomes of a picture that is not square').choices(FITS).default('crop'))
    .option('--window <center,width>', 'values from black to white of DICOM files, instead of their own')
    .addOption(new Option('--layout <axes>', 'axes of arrays, where their shape does not tell').choices(LAYOUTS))
    .option('--strict', 'stop at the first file that cannot be read');
  addFlags(command, SHARED)
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, inputs: string[], _options: unknown, self: Command) => {
      const { explain } = await import('../../explain/index.js');
      const cli = cliOf(self);
      const { window, ...own } = self.opts<Flags>();
      const { method, thresholds, output, fit, layout, strict } = own;
      const options = {
        method,
        thresholds,
        output,
        fit,
        layout,
        strict,
        ...(window !== undefined && { window: windowOf(window) }),
      };
      const { skipped, ...done } = await explain(target, inputs, { ...readFlags(self, SHARED), ...options });
      for (const note of done.notes) cli.say(note);
      const left = saySkipped(cli, skipped, 'explained');
      const maps = done.images.reduce((sum, { findings }) => sum + findings.length, 0);
      cli.result({ ...done, ...(left.length > 0 && { skipped: left }) }, () =>
        [
          `${maps} ${maps === 1 ? 'map' : 'maps'} of ${done.images.length} ${done.images.length === 1 ? 'image' : 'images'}:`,
          unbroken(done.page),
        ].join('\n'),
      );
    });
}

interface Flags {
  method?: Method;
  thresholds: string;
  output: string;
  fit: Fit;
  layout?: Layout;
  window?: string;
  strict?: boolean;
}
