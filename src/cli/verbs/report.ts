/** `chestmnist report`: draws the plots and report.html of a run again. Needs no LibTorch. */
import path from 'node:path';
import type { Command } from 'commander';
import { cliOf } from '../context';
import { addFlags, readFlags } from '../flags';
import { unbroken } from '../terminal/width';

const EXAMPLES = `
Examples:
  chestmnist report runs/first
  chestmnist report runs/first --data chestmnist           with images of the test split`;

export function register(program: Command): void {
  const report = program
    .command('report')
    .description('draw the plots and report.html of a run again, from the files of the run')
    .argument('<run>', 'a run directory, or that of an ensemble')
    .option(
      '--data <name|file>',
      'the data set of the run, to show images (default: those that an earlier drawing stored)',
    )
    .action(async (run: string, { data }: { data?: string }, command: Command) => {
      const { drawReport } = await import('../../report/index.js');
      const { readRun } = await import('../../run/open.js');
      const directory = path.resolve(run);
      // Refuses anything but a run before a large data set is read.
      const { options } = await readRun(run);
      const dataset =
        data === undefined
          ? undefined
          : await (
              await import('../../data/index.js')
            ).loadDataset(data, {
              ...readFlags(command, ['size']),
              task: options?.task ?? undefined,
            });
      const { files, notes } = await drawReport(run, { dataset });
      const cli = cliOf(command);
      for (const note of notes) cli.say(note);
      const page = path.join(directory, 'report.html');
      cli.result({ run: directory, report: page, files, notes }, () => unbroken(page));
    });
  addFlags(report, ['size']).addHelpText('after', EXAMPLES);
}
