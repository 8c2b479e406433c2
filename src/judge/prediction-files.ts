/**
 * Predictions of any model, from an .npz file or MedMNIST's result CSV. Loads neither LibTorch nor the addon. Not here: the
 * predictions of a run (run/predictions.ts), their metrics (metrics/).
 */
import path from 'node:path';
import { ChestMnistError, type ErrorCode } from '../base/errors';
import { npzKeys, readNpz, type NpyArray } from '../base/npz';
import { bceWithLogits, bceWithScores, sigmoid } from '../metrics';
import { checkPredictions, checkProbabilities } from '../metrics/check';
import type { Predictions } from '../metrics/types';
import { readMedmnistCsv } from '../run/predictions';
import { shellWord } from '../base/shell';

const wrong = (code: ErrorCode, found: string, needed: string, next: string, cause?: unknown): ChestMnistError =>
  new ChestMnistError(code, { found, needed, next }, { cause });

/**
 * The predictions in an .npz file (`labels` and `scores` or `logits`), or in MedMNIST's result CSV, whose true labels are in
 * `labelsFile`. Throws ERR_CONFIG and the ERR_DATA_ codes.
 */
export async function readPredictions(file: string, labelsFile: string | undefined): Promise<Predictions> {
  const predictions = file.endsWith('.csv') ? await readCsv(file, labelsFile) : await readPredictionNpz(file);
  const count = predictions.truth.length / predictions.labelCount;
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

async function readPredictionNpz(file: string): Promise<Predictions> {
  const keys = await npzKeys(file);
  const arrays = await readNpz(file, { keys: ['labels', 'scores', 'logits'] });
  const labelArray = arrays.get('labels');
  if (!labelArray || !(arrays.has('scores') || arrays.has('logits'))) {
    throw wrong(
      'ERR_DATA_SHAPE',
      `${file} has ${keys.slice(0, 12).join(', ') || 'no arrays'}`,
      'the arrays `labels` and `scores` (probabilities) or `logits`, all [N, L]',
      'numpy.savez(file, labels=y_true, scores=y_score)',
    );
  }
  const [, labelCount] = shapeOf(file, 'labels', labelArray);
  const truth = truthOf(file, 'labels', labelArray);
  const values = (key: 'scores' | 'logits'): Float64Array | Float32Array | undefined => {
    const array = arrays.get(key);
    if (!array) return undefined;
    const shape = shapeOf(file, key, array);
    if (shape.join() === labelArray.shape.join())
      return array.data instanceof Float32Array ? array.data : Float64Array.from(array.data);
    throw wrong(
      'ERR_DATA_SHAPE',
      `${file}: ${key} has shape [${shape.join(', ')}], labels [${labelArray.shape.join(', ')}]`,
      'the same shape [N, L]',
      'save predictions and labels of the same images',
    );
  };
  const [given, logits] = [values('scores'), values('logits')];
  // So that a NaN is found under the name that the file has for it.
  if (!given) checkPredictions({ truth, scores: logits!, labelCount }, `${file}: logits`);
  const scores = given ?? sigmoid(logits!);
  checkProbabilities({ truth, scores, logits, labelCount }, `${file}: scores`, `${file}: logits`);
  const loss = logits ? bceWithLogits(logits, truth) : bceWithScores(scores, truth);
  return { labelCount, truth, scores, ...(logits && { logits }), loss };
}

/** The true labels of a CSV are in another file. */
async function readCsv(file: string, labelsFile: string | undefined): Promise<Predictions> {
  if (labelsFile === undefined) {
    throw wrong(
      'ERR_CONFIG',
      `${path.basename(file)} without the true labels, which a result CSV does not contain`,
      '--labels FILE.npz',
      `npx chestmnist metrics ${shellWord(file)} --labels chestmnist.npz`,
    );
  }
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
  const truth = truthOf(labelsFile, key, array);
  return { labelCount, truth, scores, loss: bceWithScores(scores, truth) };
}

function shapeOf(file: string, key: string, { shape }: NpyArray): [count: number, labelCount: number] {
  if (shape.length === 2 && shape[1] > 0) return [shape[0], shape[1]];
  throw wrong(
    'ERR_DATA_SHAPE',
    `${file}: ${key} has shape [${shape.join(', ')}]`,
    '[N, L]: one row per image, one column per label',
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
    'save the true labels, one column per label',
  );
}

/** Two models can be compared only on the same images. Throws ERR_DATA_SHAPE. */
export function checkSameImages(a: string, mine: Predictions, b: string, theirs: Predictions): void {
  const isSameShape = mine.labelCount === theirs.labelCount && mine.truth.length === theirs.truth.length;
  const at = isSameShape ? mine.truth.findIndex((value, i) => value !== theirs.truth[i]) : -1;
  if (isSameShape && at < 0) return;
  const shape = ({ truth, labelCount }: Predictions): string => `[${truth.length / labelCount}, ${labelCount}]`;
  throw wrong(
    'ERR_DATA_SHAPE',
    isSameShape
      ? `the labels of ${a} and ${b} differ from image ${Math.floor(at / mine.labelCount)} on`
      : `${a} has ${shape(mine)} predictions, ${b} ${shape(theirs)}`,
    'predictions for the same images, in the same order',
    'compare two models on one split',
  );
}
