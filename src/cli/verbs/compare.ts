/** `chestmnist compare`: runs, ensembles and files of predictions side by side. Not here: the comparison (compare/). */
import { Option, type Command } from 'commander';
import { TASKS } from '../../base/task';
import type { CompareOptions } from '../../compare';
import { cliOf, numberOf } from '../context';

const EXAMPLES = `
The first is compared with each of the others, on the same images, by a paired bootstrap over images.

Examples:
  chestmnist compare runs/first runs/second
  chestmnist compare runs/first runs/second runs/five -o comparison.html
  chestmnist compare runs/first theirs.npz --thresholds 0.2 --json
  chestmnist compare runs/first runs/second --split val --thresholds val-f1     to choose between them`;

type Flags = Omit<CompareOptions, 'labelNames'> & { labelNames?: string };

export function register(program: Command): void {
  program
    .command('compare')
    .description(
      'Compares runs, ensembles and files of predictions: figures with paired intervals, options, curves, images.',
    )
    .argument('<run|file...>', 'two to eight: run directories, .npz as of metrics, or result .csv with --labels')
    .addOption(new Option('--split <name>', 'which split of runs').choices(['val', 'test']).default('test'))
    .option('--thresholds <rule>', '0.5, val-f1, val-youden, val-sensitivity=S or a JSON file', '0.5')
    .addOption(new Option('--resamples <n>', 'bootstrap resamples').default(2000).argParser(numberOf))
    .addOption(new Option('--seed <n>', 'seed of the resamples').default(0).argParser(numberOf))
    .option('--labels <file>', 'for a .csv: .npz with the true labels, `labels` or MedMNIST’s `{split}_labels`')
    .addOption(new Option('--task <name>', 'what the labels of files ask (default: as of the runs)').choices(TASKS))
    .option('--label-names <names>', 'separated by commas; `chestmnist` means its 14 labels (default: of the runs)')
    .option('-o, --output <file>', 'write one self-contained page (.html)')
    .addHelpText('after', EXAMPLES)
    .action(async (sources: string[], _flags: unknown, self: Command) => {
      const [{ compareRuns }, { renderRuns }] = await Promise.all([
        import('../../compare/index.js'),
        import('../terminal/comparison.js'),
      ]);
      const cli = cliOf(self);
      const flags = self.opts<Flags>();
      const labelNames = flags.labelNames?.split(',');
      const comparison = await compareRuns(sources, { ...flags, labelNames });
      for (const note of comparison.notes) cli.say(note);
      cli.written(flags.output, comparison, (columns) => renderRuns(comparison, columns));
    });
}
