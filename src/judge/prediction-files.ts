/**
 * Predictions of any model, from an .npz file or MedMNIST's result CSV. Loads neither LibTorch nor the addon. Not here: the
 * predictions of a run (run/predictions.ts), their metrics (metrics/).
 */
import path from 'node:path';
import { ChestMnistError, type ErrorCode } from '../base/errors';
import { npzKeys, readNpz, type NpyArray } from '../base/npz';
import { isExclusive, type Task } from '../base/task';
import { bceWithScores, crossEntropyWithScores } from '../metrics';
import { checkPredictions, checkProbabilities } from '../metrics/check';
import { oneHot } from '../metrics/classes';
import { predictionsOf } from '../metrics/loss';
import type { Predictions } from '../metrics/types';
import { readMedmnistCsv } from '../run/predictions';
import { shellWord } from '../base/shell';

const wrong = (code: ErrorCode, found: string, needed: string, next: string, cause?: unknown): ChestMnistError =>
  new ChestMnistError(code, { found, needed, next }, { cause });

/**
 * The predictions in an .npz file (`labels` and `scores` or `logits`), or in MedMNIST's result CSV, whose true labels are in
 * `labelsFile`. Labels of one column are binary or, with several columns of scores, class numbers; `task` says it otherwise.
 * Throws ERR_CONFIG and the ERR_DATA_ codes.
 */
export async function readPredictions(file: string, labelsFile: string | undefined, task?: Task): Promise<Predictions> {
  const read = file.endsWith('.csv') ? readCsv : readPredictionNpz;
  const predictions = await read(file, labelsFile, task);
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

async function readPredictionNpz(file: string, _labelsFile: string | undefined, asked?: Task): Promise<Predictions> {
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
  const key = arrays.has('scores') ? 'scores' : 'logits';
  const shape = shapeOf(file, key, arrays.get(key)!);
  const { task, truth } = truthFor(file, 'labels', labelArray, shape, key, asked);
  const labelCount = shape[1];
  const values = (name: 'scores' | 'logits'): Float64Array | Float32Array | undefined => {
    const array = arrays.get(name);
    if (!array) return undefined;
    if (array.shape.join() === arrays.get(key)!.shape.join())
      return array.data instanceof Float32Array ? array.data : Float64Array.from(array.data);
    throw wrong(
      'ERR_DATA_SHAPE',
      `${file}: ${name} has shape [${array.shape.join(', ')}], ${key} [${shape.join(', ')}]`,
      'the same shape [N, L]',
      'save predictions of the same images',
    );
  };
  const [scores, logits] = [values('scores'), values('logits')];
  const names = [`${file}: scores`, `${file}: logits`] as const;
  if (scores) {
    checkProbabilities({ task, truth, scores, logits, labelCount }, ...names);
    if (!logits) return fromScores(task, truth, scores, labelCount);
  } else checkPredictions({ task, truth, scores: logits!, labelCount }, names[1]);
  return { ...predictionsOf(task, { truth, logits: logits!, labelCount }), ...(scores && { scores }) };
}

function fromScores(
  task: Task | undefined,
  truth: Uint8Array,
  scores: Float32Array | Float64Array,
  labelCount: number,
): Predictions {
  const loss = isExclusive(task) ? crossEntropyWithScores(scores, truth, labelCount) : bceWithScores(scores, truth);
  return { ...(task && { task }), labelCount, truth, scores, loss };
}

/** The true labels of a CSV are in another file. */
async function readCsv(file: string, labelsFile: string | undefined, asked?: Task): Promise<Predictions> {
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
  const { task, truth } = truthFor(labelsFile, key, array, [count, labelCount], path.basename(file), asked);
  return fromScores(task, truth, scores, labelCount);
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

/** The task of labels beside scores of this shape, and the truth as 0 and 1 for each label. */
function truthFor(
  file: string,
  key: string,
  array: NpyArray,
  [count, labelCount]: [number, number],
  of: string,
  asked: Task | undefined,
): { task: Task | undefined; truth: Uint8Array } {
  const { shape } = array;
  const isColumn = shape.length === 1 || (shape.length === 2 && shape[1] === 1);
  const suggested = !isColumn ? undefined : labelCount === 1 ? 'binary-class' : 'multi-class';
  const task = asked ?? suggested;
  const isNumbered = isColumn && labelCount > 1 && isExclusive(task);
  const isMatrix = shape.length === 2 && shape[1] === labelCount;
  if (shape[0] !== count || !(isNumbered || isMatrix || (isColumn && labelCount === 1))) {
    throw wrong(
      'ERR_DATA_SHAPE',
      `${file}: ${of} has shape [${count}, ${labelCount}], ${key} [${shape.join(', ')}]`,
      'the same shape [N, L], or, for numbered classes, labels [N] or [N, 1]',
      'save predictions and labels of the same images',
    );
  }
  if (task === 'binary-class' && labelCount > 1) {
    throw wrong('ERR_DATA_SHAPE', `${of} has ${labelCount} columns`, 'one, for binary-class', 'leave --task out');
  }
  return { task, truth: isNumbered ? classesOf(file, key, array, labelCount) : truthOf(file, key, array) };
}

/** Class numbers of any numeric dtype as 0 and 1. */
function classesOf(file: string, key: string, { data }: NpyArray, labelCount: number): Uint8Array {
  const at = data.findIndex((value) => !(Number.isInteger(value) && value >= 0 && value < labelCount));
  if (at < 0) return oneHot(data, labelCount);
  throw wrong(
    'ERR_DATA_SHAPE',
    `${file}: ${key} holds ${data[at]} at element ${at}`,
    `the number of one of the ${labelCount} classes, from 0`,
    'save the true classes as whole numbers',
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
