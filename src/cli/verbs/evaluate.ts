/**
 * `chestmnist evaluate`: the metrics of one split with a run or a file of weights. Not here: the scoring
 * (judge/evaluate.ts).
 */
import { Option, type Command } from 'commander';
import type { Evaluation } from '../../judge/evaluate';
import { expandHome } from '../../base/folders';
import { writeJson } from '../../base/json';
import { cliOf, numberOf } from '../context';
import { addFlags, readFlags } from '../flags';

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
  chestmnist evaluate runs/NAME
  chestmnist evaluate runs/NAME --thresholds val-f1 --json
  chestmnist evaluate weights.safetensors --data chestmnist --split val -o metrics.json
  chestmnist evaluate runs/NAME -o predictions.npz         labels and logits, for chestmnist metrics`;

export function register(program: Command): void {
  const command = program
    .command('evaluate')
    .description('Scores a split with the best weights of a run, or with a file of weights.')
    .argument('<run|weights>', 'a run directory, that of an ensemble, or a .safetensors or .pth file')
    .addOption(new Option('--split <name>', 'which split').choices(['val', 'test']).default('test'))
    .option('--thresholds <rule>', '0.5, val-f1, val-youden, val-sensitivity=S or a JSON file', '0.5')
    .option('--limit <n>', 'only the first n images', numberOf)
    .option('--resamples <n>', 'bootstrap resamples of 95 % intervals (default: none)', numberOf)
    .option('-o, --output <file>', 'write metrics (.json), or labels and logits (.npz)');
  addFlags(command, SHARED)
    .addHelpText('after', EXAMPLES)
    .action(async (target: string, _options: unknown, self: Command) => {
      const [{ evaluate }, { renderSummary }, { checkNotRead, outputAt }, { readConfig }, { readEnsemble }] =
        await Promise.all([
          import('../../judge/evaluate.js'),
          import('../terminal/summary.js'),
          import('../../base/output.js'),
          import('../../run/config.js'),
          import('../../run/ensemble.js'),
        ]);
      const cli = cliOf(self);
      const { output, ...own } = self.opts<{
        split: 'val' | 'test';
        thresholds: string;
        limit?: number;
        resamples?: number;
        output?: string;
      }>();
      const { split, thresholds, limit, resamples } = own;
      const place =
        output === undefined ? undefined : await outputAt(output, ['.json', '.npz'], (text) => cli.say(text));
      const shared = readFlags(self, SHARED);
      if (place?.isFile) {
        const named = expandHome(target);
        const ofRun = (await readEnsemble(named))?.options ?? (await readConfig(named));
        await checkNotRead(place, [target, thresholds, shared.data ?? ofRun?.data], target);
      }
      const evaluation = await evaluate(target, { ...shared, split, thresholds, limit, resamples });
      for (const note of evaluation.notes) cli.say(note);
      const document = { labels: evaluation.labels, ...evaluation.metrics };
      if (place?.extension === '.npz') await place.write((file) => writePredictions(file, evaluation));
      else await place?.write((file) => writeJson(file, document));
      cli.written(output, document, (columns) => renderSummary(evaluation.metrics, evaluation.labels, columns));
    });
}

async function writePredictions(file: string, evaluation: Evaluation): Promise<void> {
  const { writeNpz } = await import('../../base/npz.js');
  const { predictionArrays } = await import('../../run/predictions.js');
  await writeNpz(file, predictionArrays(evaluation));
}
