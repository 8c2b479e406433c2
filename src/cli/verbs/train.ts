/** `chestmnist train`: flags to options, events to the terminal, signals to a stop. Not here: the training (train/). */
import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { OPTION_NAMES, type TrainOptions } from '../../recipe/options';
import { shellWord } from '../../base/shell';
import { cliOf } from '../context';
import { addFlags, readFlags } from '../flags';
import { onSignals } from '../signals';
import { unbroken } from '../terminal/width';

const EXAMPLES = `
Examples:
  chestmnist train                                         ChestMNIST, 100 epochs, the MedMNIST protocol
  chestmnist train --data my.npz --epochs 30 --patience 5 --name first
  chestmnist train --data synthetic --limit-train 5000 --limit-val 1000 --limit-test 1000 --epochs 3
  chestmnist train --weights imagenet --lr 1e-4 --device cuda
  chestmnist train --resume runs/first                     continue where it stopped, with the same result
  chestmnist train --resume runs/first --epochs 150        more epochs for a finished run
  chestmnist train --config runs/first/config.json --seed 1
  chestmnist train --seeds 0,1,2,3,4 --name five           an ensemble of five members
  chestmnist train --resume runs/five                      the members that are not finished

The run directory is the first and the last line on stdout. Ctrl-C stops at the next batch and keeps a checkpoint.
SIGUSR1 writes a checkpoint and goes on. In a container or a batch job: exec node_modules/.bin/chestmnist train`;

export function register(program: Command): void {
  const command = program
    .command('train')
    .description(
      'Trains ResNet-18, keeps the best epoch by validation AUC, scores the test split once, writes a run directory.',
    );
  addFlags(command, OPTION_NAMES)
    .option('--config <file>', 'options from a JSON file, such as the config.json of a run; flags win')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, self: Command) => {
      const [{ train }, { withRecipe }, { showProgress }, { renderCalibration, renderMembers, renderSummary }] =
        await Promise.all([
          import('../../train/index.js'),
          import('../../recipe/presets.js'),
          import('../terminal/progress.js'),
          import('../terminal/summary.js'),
        ]);
      const cli = cliOf(self);
      const { config } = self.opts<{ config?: string }>();
      // A recipe that is a flag wins over the file, and other flags win over the recipe.
      const flags = readFlags(self, OPTION_NAMES);
      if (flags.seed !== undefined && flags.seeds) throw await twoKinds(flags.seed, flags.seeds);
      const options: TrainOptions = {
        ...(config !== undefined && (await withRecipe(await readConfig(config)))),
        ...(await withRecipe(flags)),
      };
      const run = train(options);
      const progress = showProgress(cli, { several: (options.jobs ?? 1) > 1 });
      const unlisten = onSignals({
        stop: () => {
          run.stop();
          progress.note('stopping at the next batch; again after a second to quit at once');
        },
        checkpoint: () => {
          run.checkpoint();
          progress.note('a checkpoint follows at the next batch');
        },
      });
      try {
        for await (const event of run) progress.on(event);
        const result = await run;
        progress.end();
        if (result.status === 'stopped') process.exitCode = 130;
        else {
          const { metrics } = result;
          const { splits, labels, ensemble } = metrics;
          cli.print((columns) => renderSummary(splits.test, labels, columns));
          if (metrics.calibration) cli.print(() => `\n${renderCalibration(metrics)}`);
          if (ensemble) cli.print((columns) => `\n${renderMembers(ensemble, columns)}`);
        }
        const { runDirectory } = result;
        if (runDirectory !== null) cli.print(() => unbroken(runDirectory));
      } finally {
        progress.end();
        unlisten();
      }
    });
}

/** A seed in a file of options gives way to the seeds of a flag; of two flags neither is meant less. */
async function twoKinds(seed: number, seeds: readonly number[]): Promise<Error> {
  const { ChestMnistError } = await import('../../base/errors.js');
  return new ChestMnistError('ERR_CONFIG', {
    found: `--seed is ${seed}, and --seeds is ${seeds.join()}`,
    needed: 'one of them: the members of an ensemble have the seeds of --seeds',
    next: 'leave --seed out, or --seeds for one network',
  });
}

/** Options from a JSON file, such as the config.json of a run. */
export async function readConfig(file: string): Promise<TrainOptions> {
  const [{ readJson }, { ChestMnistError }] = await Promise.all([
    import('../../base/json.js'),
    import('../../base/errors.js'),
  ]);
  // Of a run whose folder was named.
  const own = path.join(file, 'config.json');
  const refuse = (what: string, cause?: unknown) =>
    new ChestMnistError(
      'ERR_CONFIG',
      {
        found: `${file} ${what}`,
        needed: 'a JSON object of options',
        next: existsSync(own) ? `--config ${shellWord(own)}` : 'correct the file, or pass another --config',
      },
      { cause },
    );
  const config = await readJson(file, refuse);
  if (!config) throw refuse('does not exist');
  return config;
}
