/**
 * `chestmnist metrics`: the metrics of any model's predictions, from an .npz file or MedMNIST's result CSV. It loads
 * neither LibTorch nor the addon. Not here: the figures (metrics/), the files (judge/prediction-files.ts), how they are
 * printed (terminal/summary.ts).
 */
import { Option, type Command } from 'commander';
import { TASKS, type Task } from '../../base/task';
import { cliOf, numberOf } from '../context';

interface Flags {
  threshold: string;
  labels?: string;
  task?: string;
  labelNames?: string;
  compare?: string;
  confidence?: boolean;
  resamples: number;
  seed: number;
}

const EXAMPLES = `
The file holds the arrays \`labels\` [N, L] of 0 or 1 and \`scores\` (probabilities) or \`logits\` [N, L]; for numbered classes
\`labels\` [N] or [N, 1], and one column of scores for each class:
  numpy.savez("mine.npz", labels=y_true, scores=y_score)

Examples:
  chestmnist metrics mine.npz
  chestmnist metrics mine.npz --confidence --json
  chestmnist metrics mine.npz --compare theirs.npz          is mine better? a paired bootstrap
  chestmnist metrics mine.npz --threshold thresholds.json   {"thresholds": [one per label]}
  chestmnist metrics "chestmnist_test_[AUC]0.768_[ACC]0.947@run.csv" --labels chestmnist.npz`;

export function register(program: Command): void {
  program
    .command('metrics')
    .description(
      "The metrics of any model's predictions: per label, their means, and the baseline of predicting nothing.",
    )
    .argument('<file>', "predictions: .npz, or MedMNIST's result .csv together with --labels")
    .option('--threshold <value>', 'a number, or a JSON file with one per label; decision: score > threshold', '0.5')
    .option('--confidence', '95 % bootstrap intervals over images')
    .option('--compare <file>', 'a second file of predictions for the same images: paired bootstrap of the differences')
    .addOption(new Option('--resamples <n>', 'bootstrap resamples').default(2000).argParser(numberOf))
    .addOption(new Option('--seed <n>', 'seed of the resamples').default(0).argParser(numberOf))
    .option('--labels <file>', 'for a .csv: .npz with the true labels, `labels` or MedMNIST’s `{split}_labels`')
    .addOption(new Option('--task <name>', 'what the labels ask; default by their columns').choices(TASKS))
    .option('--label-names <names>', 'separated by commas; `chestmnist` means its 14 labels')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, _flags: unknown, self: Command) => {
      const [{ comparePredictions, computeMetrics }, summary, files, { fixedThresholds }, { namesFor, unnamed }] =
        await Promise.all([
          import('../../metrics/index.js'),
          import('../terminal/summary.js'),
          import('../../judge/prediction-files.js'),
          import('../../judge/thresholds.js'),
          import('../../data/labels.js'),
        ]);
      const cli = cliOf(self);
      const flags = self.opts<Flags>();
      const threshold = await fixedThresholds(flags.threshold);
      const asked = flags.task as Task | undefined;
      const mine = await files.readPredictions(file, flags.labels, asked);
      const { task, labelCount, truth, scores, logits } = mine;
      const names =
        flags.labelNames === undefined ? unnamed(labelCount) : namesFor(flags.labelNames.split(','), labelCount);
      const settings = { resamples: flags.resamples, seed: flags.seed };
      const metrics = computeMetrics({ ...mine, threshold, ...(flags.confidence ? { confidence: settings } : {}) });
      if (flags.compare !== undefined) {
        const theirs = await files.readPredictions(flags.compare, flags.labels, asked);
        files.checkSameImages(file, mine, flags.compare, theirs);
        const models = {
          task,
          labelCount,
          truth,
          a: scores,
          b: theirs.scores,
          aLogits: logits,
          bLogits: theirs.logits,
        };
        metrics.comparison = comparePredictions({ ...models, threshold, confidence: settings });
      }
      cli.result({ labels: names, ...metrics }, (columns) => {
        const parts = [summary.renderSummary(metrics, names, columns)];
        if (metrics.comparison) {
          parts.push(summary.renderComparison(metrics.comparison, names, file, flags.compare!, columns));
        }
        return parts.join('\n\n');
      });
    });
}
