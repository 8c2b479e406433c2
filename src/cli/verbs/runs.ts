/** `chestmnist runs`: the run directories of a folder as a table. Not here: how they are read (run/list.ts). */
import { Option, type Command } from 'commander';
import { RUN_ORDERS, type RunsOrder } from '../../run/list';
import { cliOf } from '../context';

const EXAMPLES = `
Figures are macro means on the test split; AUC is of validation too. A run that is called killed says that it is
running, and no process is: train --resume continues it.

Examples:
  chestmnist runs
  chestmnist runs sweeps --sort val-auc
  chestmnist runs --json`;

export function register(program: Command): void {
  program
    .command('runs')
    .description('A table of the runs, ensembles and searches in a folder.')
    .argument('[folder]', 'where they are, up to three folders deep', 'runs')
    .addOption(new Option('--sort <column>', 'largest, newest or A first').choices(RUN_ORDERS).default('started'))
    .addHelpText('after', EXAMPLES)
    .action(async (folder: string, { sort }: { sort: RunsOrder }, self: Command) => {
      const [{ listRuns }, { renderList }] = await Promise.all([
        import('../../run/list.js'),
        import('../terminal/list.js'),
      ]);
      const list = await listRuns(folder, { sort });
      cliOf(self).result(list, (columns) => renderList(list, columns));
    });
}
