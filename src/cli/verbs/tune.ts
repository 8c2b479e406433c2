/** `chestmnist tune`: flags to options, trials to the terminal, signals to a stop. Not here: the search (tune/). */
import type { Command } from 'commander';
import { oneLine } from '../../base/text';
import { textOf, TUNE_OPTIONS } from '../../recipe/space';
import { cliOf, numberOf } from '../context';
import { addFlags, readFlags } from '../flags';
import { onSignals } from '../signals';
import { unbroken } from '../terminal/width';
import { readConfig } from './train';

const EXAMPLES = `
Examples:
  chestmnist tune --data my.npz --recipe strong                    16 trials, at most 20 epochs each
  chestmnist tune --data my.npz --recipe strong --space ranges.json --trials 48 --jobs 2
  chestmnist tune --resume runs/my-tune                            continue where it stopped

ranges.json: {"lr": {"min": 0.0003, "max": 0.003, "log": true}, "mixup": [0, 0.2]}
Every trial is trained for a few epochs, the best third of them for three times as many, and so on. The test split is
never scored. The directory is the first line on stdout, the command that trains the best options the last.`;

export function register(program: Command): void {
  const command = program
    .command('tune')
    .description('Searches ranges of options within a budget of epochs, on the validation split alone.');
  command
    .option('--space <file>', 'ranges by option, as JSON (default: those of the recipe)')
    .option('--trials <n>', 'points of the ranges to try (default: 16)', numberOf)
    .option('--resume <search>', 'continue a search');
  addFlags(command, TUNE_OPTIONS)
    .option('--config <file>', 'options from a JSON file; flags win')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, self: Command) => {
      const [{ tune }, { withRecipe }, { renderTrials }] = await Promise.all([
        import('../../tune/index.js'),
        import('../../recipe/presets.js'),
        import('../terminal/trials.js'),
      ]);
      const cli = cliOf(self);
      const { config, space, trials, resume } = self.opts<Own>();
      const flags = readFlags(self, TUNE_OPTIONS);
      const stop = new AbortController();
      const unlisten = onSignals({
        stop: () => {
          stop.abort();
          cli.say('stopping at the next batch; again after a second to quit at once');
        },
      });
      try {
        const result = await tune(
          {
            ...(config !== undefined && (await withRecipe(await readConfig(config)))),
            ...flags,
            ...{ space, trials, resume },
          },
          {
            signal: stop.signal,
            onEvent: (event) => {
              if (cli.json) {
                if (event.type !== 'progress') cli.emit(event);
                return;
              }
              if (event.type === 'search') {
                process.stdout.write(`${oneLine(event.directory)}\n`);
                const rungs = event.rungs.map(({ trials, epochs }) => `${trials} to epoch ${epochs}`).join(', ');
                cli.say(`${event.resumed ? 'resumed: ' : ''}trials: ${rungs}; ${event.epochs} epochs in all`);
              }
              if (event.type !== 'trial') return;
              const { result, error } = event;
              const figures = result
                ? `after ${result.epochs} epochs: val AUC ${result.val_auc?.toFixed(4) ?? 'undefined'}`
                : `failed: ${error}`;
              cli.say(`trial ${event.trial} ${figures} (${textOf(event.options)})`);
            },
          },
        );
        if (result.status === 'stopped') process.exitCode = 130;
        if (cli.json) return cli.emit({ type: result.status === 'stopped' ? 'stop' : 'finish', ...result });
        if (result.status === 'stopped') {
          cli.say(
            result.next === null
              ? 'stopped before there was anything to resume'
              : `stopped; go on with\n  ${result.next}`,
          );
          return;
        }
        cli.print((columns) => renderTrials(result, columns));
        cli.print(() => `\nTrain the best options, and score the test split once:`);
        cli.print(() => unbroken(result.next!));
      } finally {
        unlisten();
      }
    });
}

interface Own {
  config?: string;
  space?: string;
  trials?: number;
  resume?: string;
}
