/**
 * `chestmnist metrics`: the metrics of any model's predictions, from an .npz file or MedMNIST's result CSV. It loads
 * neither LibTorch nor the addon. Not here: the figures (src/metrics), how they are printed (summary.ts).
 */
import path from 'node:path';
import { Option, type Command } from 'commander';
import type { NpyArray } from '../../base/npz';
import { ChestMnistError, type ErrorCode } from '../../base/errors';
import type { Figure } from '../../metrics/types';
import { cliOf } from '../context';

interface Flags {
  threshold: string;
  labels?: string;
  labelNames?: string;
  compare?: string;
  confidence?: boolean;
  resamples: number;
  seed: number;
}

/** Predictions of one file, all [N, labelCount] row-major. */
interface PredictionFile {
  labels: Uint8Array;
  /** Probabilities. */
  scores: Float32Array | Float64Array;
  labelCount: number;
  loss: Figure;
}

const EXAMPLES = `
The file holds the arrays \`labels\` [N, L] of 0 or 1 and \`scores\` (probabilities) or \`logits\` [N, L]:
  numpy.savez("mine.npz", labels=y_true, scores=y_score)

Examples:
  chestmnist metrics mine.npz
  chestmnist metrics mine.npz --confidence --json
  chestmnist metrics mine.npz --compare theirs.npz          is mine better? a paired bootstrap
  chestmnist metrics mine.npz --threshold thresholds.json   {"thresholds": [one a label]}
  chestmnist metrics "chestmnist_test_[AUC]0.768_[ACC]0.947@run.csv" --labels chestmnist.npz`;

export function register(program: Command): void {
  program
    .command('metrics')
    .description("The metrics of any model's predictions: per label, their means, and what predicting nothing scores.")
    .argument('<file>', "predictions: .npz, or MedMNIST's result .csv together with --labels")
    .option('--threshold <value>', 'a number, or a JSON file of one a label; decision: score > threshold', '0.5')
    .option('--confidence', '95 % bootstrap intervals over images')
    .option('--compare <file>', 'a second file of predictions for the same images: paired bootstrap of the differences')
    .addOption(new Option('--resamples <n>', 'bootstrap resamples').default(2000).argParser(Number))
    .addOption(new Option('--seed <n>', 'seed of the resamples').default(0).argParser(Number))
    .option('--labels <file>', 'for a .csv: .npz with the true labels, `labels` or MedMNIST’s `{split}_labels`')
    .option('--label-names <names>', 'comma-separated; default: ChestMNIST’s when there are 14')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, _flags: unknown, self: Command) => {
      const [{ comparePredictions, computeMetrics }, summary] = await Promise.all([
        import('../../metrics/index.js'),
        import('../terminal/summary.js'),
      ]);
      const cli = cliOf(self);
      const flags = self.opts<Flags>();
      const threshold = await readThreshold(flags.threshold);
      const mine = await readPredictions(file, flags.labels);
      const names = await labelNames(flags.labelNames, mine.labelCount);
      const settings = { resamples: flags.resamples, seed: flags.seed };
      const metrics = computeMetrics({ ...mine, threshold, ...(flags.confidence ? { confidence: settings } : {}) });
      if (flags.compare !== undefined) {
        const theirs = await readPredictions(flags.compare, flags.labels);
        checkSameImages(file, mine, flags.compare, theirs);
        const { labels, labelCount, scores: a } = mine;
        metrics.comparison = comparePredictions({
          labels,
          a,
          b: theirs.scores,
          labelCount,
          threshold,
          confidence: settings,
        });
      }
      cli.result(metrics, () => {
        const parts = [summary.renderSummary(metrics, names)];
        if (metrics.comparison) {
          parts.push(summary.renderComparison(metrics.comparison, names, file, flags.compare!));
        }
        return parts.join('\n\n');
      });
    });
}

const wrong = (code: ErrorCode, found: string, needed: string, next: string, cause?: unknown): ChestMnistError =>
  new ChestMnistError(code, { found, needed, next }, { cause });

/** A number, or the thresholds in a JSON file. */
async function readThreshold(text: string): Promise<number | number[]> {
  if (text.trim() !== '' && !Number.isNaN(Number(text))) return Number(text);
  const [{ readFile }, { parseThresholds }] = await Promise.all([
    import('node:fs/promises'),
    import('../../metrics/index.js'),
  ]);
  const content = await readFile(text, 'utf8').catch((cause: unknown) => {
    throw wrong(
      'ERR_CONFIG',
      `threshold ${JSON.stringify(text)}`,
      'a number from 0 to 1, or a JSON file of thresholds that can be read',
      'for example --threshold 0.5',
      cause,
    );
  });
  return parseThresholds(content);
}

async function labelNames(given: string | undefined, labelCount: number): Promise<string[]> {
  const names = given?.split(',').map((name) => name.trim());
  if (names && names.length !== labelCount) {
    throw wrong('ERR_CONFIG', `${names.length} label names`, `${labelCount}, one a label`, 'correct --label-names');
  }
  const { CHESTMNIST_LABELS } = await import('../../data/catalogue.js');
  if (names) return names;
  if (labelCount === CHESTMNIST_LABELS.length) return [...CHESTMNIST_LABELS];
  return Array.from({ length: labelCount }, (_, label) => `label_${label}`);
}

async function readPredictions(file: string, labelsFile: string | undefined): Promise<PredictionFile> {
  const predictions = file.endsWith('.csv') ? await readCsv(file, labelsFile) : await readPredictionNpz(file);
  const count = predictions.labels.length / predictions.labelCount;
  if (count < 2) {
    throw wrong(
      'ERR_DATA_SHAPE',
      `${file} has predictions of ${count === 1 ? 'one image' : 'no image'}`,
      'at least two images: the figures compare images',
      'pass the predictions of a whole split',
    );
  }
  return predictions;
}

async function readPredictionNpz(file: string): Promise<PredictionFile> {
  const { npzKeys, readNpz } = await import('../../base/npz.js');
  const { bceWithLogits, bceWithScores, sigmoid } = await import('../../metrics/index.js');
  const { checkPredictions, checkProbabilities } = await import('../../metrics/check.js');
  const keys = await npzKeys(file);
  const arrays = await readNpz(file, { keys: ['labels', 'scores', 'logits'] });
  const labelArray = arrays.get('labels');
  const scoreArray = arrays.get('scores') ?? arrays.get('logits');
  if (!labelArray || !scoreArray) {
    throw wrong(
      'ERR_DATA_SHAPE',
      `${file} has ${keys.slice(0, 12).join(', ') || 'no arrays'}`,
      'the arrays `labels` and `scores` (probabilities) or `logits`, all [N, L]',
      'numpy.savez(file, labels=y_true, scores=y_score)',
    );
  }
  const [, labelCount] = shapeOf(file, 'labels', labelArray);
  const key = scoreArray === arrays.get('scores') ? 'scores' : 'logits';
  const shape = shapeOf(file, key, scoreArray);
  if (shape.join() !== labelArray.shape.join()) {
    throw wrong(
      'ERR_DATA_SHAPE',
      `${file}: ${key} has shape [${shape.join(', ')}], labels [${labelArray.shape.join(', ')}]`,
      'the same shape [N, L]',
      'save predictions and labels of the same images',
    );
  }
  const labels = truthOf(file, 'labels', labelArray);
  const values = scoreArray.data instanceof Float32Array ? scoreArray.data : Float64Array.from(scoreArray.data);
  const check = key === 'scores' ? checkProbabilities : checkPredictions;
  check({ labels, scores: values, labelCount }, `${file}: ${key}`);
  if (key === 'scores') return { labels, scores: values, labelCount, loss: bceWithScores(values, labels) };
  return { labels, scores: sigmoid(values), labelCount, loss: bceWithLogits(values, labels) };
}

/** The true labels of a CSV are in another file. */
async function readCsv(file: string, labelsFile: string | undefined): Promise<PredictionFile> {
  if (labelsFile === undefined) {
    throw wrong(
      'ERR_CONFIG',
      `${path.basename(file)} without the true labels, which a result CSV does not hold`,
      '--labels FILE.npz',
      `chestmnist metrics ${JSON.stringify(file)} --labels chestmnist.npz`,
    );
  }
  const { readMedmnistCsv } = await import('../../run/predictions.js');
  const { readNpz } = await import('../../base/npz.js');
  const { bceWithScores } = await import('../../metrics/index.js');
  const { scores, split, count, labelCount } = await readMedmnistCsv(file);
  const arrays = await readNpz(labelsFile, { keys: ['labels', `${split}_labels`] });
  const [[key, array] = []] = arrays;
  if (key === undefined || array === undefined) {
    throw wrong(
      'ERR_DATA_SHAPE',
      `${labelsFile} has no labels of the ${split} split`,
      `the array \`${split}_labels\` or \`labels\``,
      'pass the data set that was predicted',
    );
  }
  if (array.shape.join() !== [count, labelCount].join()) {
    throw wrong(
      'ERR_DATA_SHAPE',
      `${key} has shape [${array.shape.join(', ')}] in ${labelsFile}`,
      `[${count}, ${labelCount}], as ${path.basename(file)}`,
      'pass the labels of the split that was predicted',
    );
  }
  const labels = truthOf(labelsFile, key, array);
  return { labels, scores, labelCount, loss: bceWithScores(scores, labels) };
}

function shapeOf(file: string, key: string, { shape }: NpyArray): [count: number, labelCount: number] {
  if (shape.length === 2 && shape[1] > 0) return [shape[0], shape[1]];
  throw wrong(
    'ERR_DATA_SHAPE',
    `${file}: ${key} has shape [${shape.join(', ')}]`,
    '[N, L]: one row an image, one column a label',
    `for a single label, ${key}.reshape(-1, 1)`,
  );
}

/** 0/1 labels of any numeric dtype as bytes. */
function truthOf(file: string, key: string, { data }: NpyArray): Uint8Array {
  const at = data.findIndex((value) => value !== 0 && value !== 1);
  if (at < 0) return Uint8Array.from(data);
  throw wrong(
    'ERR_DATA_SHAPE',
    `${file}: ${key} holds ${data[at]} at element ${at}`,
    'only 0 and 1',
    'save the true labels, one column a label',
  );
}

function checkSameImages(a: string, { labels, labelCount }: PredictionFile, b: string, other: PredictionFile): void {
  const at = labels.findIndex((value, i) => value !== other.labels[i]);
  if (labelCount === other.labelCount && labels.length === other.labels.length && at < 0) return;
  throw wrong(
    'ERR_DATA_SHAPE',
    labelCount !== other.labelCount || labels.length !== other.labels.length
      ? `${a} has [${labels.length / labelCount}, ${labelCount}] predictions, ${b} [${other.labels.length / other.labelCount}, ${other.labelCount}]`
      : `the labels of ${a} and ${b} differ from image ${Math.floor(at / labelCount)} on`,
    'predictions for the same images, in the same order',
    'compare two models on one split',
  );
}
