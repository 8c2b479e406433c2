/**
 * Heat maps: for each picture and finding, where the network sees what speaks for it and against it. Not here: how a map is
 * made (occlusion.ts), its pictures (picture.ts), the page of all (sheet.ts).
 */
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { rule, TEXT, type Rule } from '../base/arguments';
import { writeAtomically } from '../base/atomic';
import { writing } from '../base/disk';
import { ChestMnistError } from '../base/errors';
import { absolute } from '../base/folders';
import { formatNpyHeader } from '../base/npy';
import { isExclusive, type Task } from '../base/task';
import { jsonText } from '../base/text';
import { viewOf } from '../data/expand';
import { dataOf } from '../judge/evaluate';
import { eachLogits, type Model } from '../judge/model';
import { checkLogits } from '../judge/score';
import { openPictures, PICTURE_OPTIONS, type OpenedPictures, type PredictOptions } from '../judge/pictures';
import { decide } from '../metrics';
import { logOdds } from '../metrics/log-odds';
import { scoresOf } from '../metrics/loss';
import { meanLogits } from '../metrics/mean';
import { uniqueSlugs } from '../report/format';
import { biasOf, centersOf, mapSide, mapsIn, withoutEvidence } from './evidence';
import { falls, occluded, squaresOf } from './occlusion';
import { scaleOf, type HeatMap } from './map';
import { pictureOf } from './picture';
import { renderSheet, type SheetItem } from './sheet';
import { METHODS, type Explanation, type Method } from './types';

export type { Explanation, Finding } from './types';

export interface ExplainOptions extends PredictOptions {
  /** Folder for the pictures, the maps and the page; made, or empty. */
  output: string;
  /** Default: `evidence` where the last layer has at least 4 x 4 positions, otherwise `occlusion`. */
  method?: Method;
  /** Data set whose validation split sets the scale of the colours; default that of the run. */
  data?: string;
}

const OPTIONS: Readonly<Record<keyof ExplainOptions, Rule>> = {
  ...PICTURE_OPTIONS,
  output: rule('the path of a folder', TEXT.is),
  method: rule(METHODS.join(' or '), (value) => METHODS.includes(value as Method)),
  data: rule('the name of a data set, or the path of an .npz file', TEXT.is),
};

/** Validation images that set the scale. */
const SCALE_IMAGES = 64;

/**
 * Writes a heat map for each finding of each picture that is above its threshold, or, marked so, for the most probable one:
 * a PNG, the map as .npy, one page of all (index.html), and explain.json. Colours have one scale per label, from the validation split, so that weak
 * evidence looks weak. `target` and `inputs` are as in predict. Throws what predict throws, and ERR_OUTPUT for a folder that is
 * not empty.
 */
export async function explain(
  target: string,
  inputs: readonly string[],
  options: ExplainOptions,
): Promise<Explanation> {
  const opened = await openPictures(target, inputs, options, OPTIONS);
  const { model, task, labelCount, side, channels, skipped } = opened;
  try {
    const none = withoutEvidence(target, opened);
    const method = options.method ?? (none ? 'occlusion' : 'evidence');
    if (method === 'evidence' && none) throw none;
    const folder = await emptyFolder(options.output);
    const squares = squaresOf(side);
    const centers =
      method === 'evidence'
        ? centersOf(mapSide(model.stem, model.inputSize ?? side), side)
        : squares.starts.map((start) => start + squares.side / 2);
    const scale = await scaleFor(target, options, opened, method);
    const notes: string[] = [...scale.notes];
    const names = uniqueSlugs();
    const labelNames = uniqueSlugs();
    const ofLabel = model.labels.map((label, i) => labelNames(label, `label${i + 1}`));
    const result: Explanation['images'] = [];
    const items: SheetItem[] = [];
    const kept: { image: SheetItem; maps: HeatMap[]; stem: string }[] = [];

    const draw = async ({ image, maps, stem }: (typeof kept)[number]): Promise<void> => {
      for (const [i, finding] of image.findings.entries()) {
        const value = scale.values[image.labels[i]];
        const text = scale.from === 'validation' ? 'scale from validation' : 'scale from these pictures';
        const png = await pictureOf({ ...image, side, channels }, finding, maps[i], { value, text }, method);
        finding.picture = path.join(folder, `${stem}_${ofLabel[image.labels[i]]}.png`);
        finding.map = path.join(folder, `${stem}_${ofLabel[image.labels[i]]}.npy`);
        await write(finding.picture, png);
        await write(finding.map, npyOf(maps[i]));
      }
      items.push({ ...image, maps });
      result.push({ image: image.name, findings: image.findings });
    };

    for await (const { names: images, pixels } of opened.batches) {
      for (const [i, name] of images.entries()) {
        const image = pixels.subarray(i * side * side * channels, (i + 1) * side * side * channels);
        const { odds, maps } = await mapsOf(image, target, opened, method);
        const scores = scoresOf(task, odds.logits, labelCount);
        const decided = decide(scores, labelCount, opened.thresholds ?? undefined, task);
        const labels = model.labels.flatMap((_, label) => (decided[label] === 1 ? [label] : []));
        const shown = labels.length > 0 ? labels : [scores.indexOf(Math.max(...scores))];
        const findings = shown.map((label) => ({
          label: model.labels[label],
          logit: odds.values[label],
          probability: scores[label],
          threshold: opened.thresholds?.[label] ?? null,
          above: decided[label] === 1,
          picture: '',
          map: '',
        }));
        const one = {
          image: { name, pixels: image.slice(), labels: shown, findings, maps: [] },
          maps: shown.map((label) => ({ values: maps[label], centers })),
          stem: names(path.basename(name).replace(/\.(png|jpe?g|tiff?|webp|dcm)$/i, ''), 'image'),
        };
        if (scale.from === 'validation') await draw(one);
        else kept.push(one);
      }
    }
    if (scale.from === 'pictures') {
      for (const label of model.labels.keys()) {
        const maps = kept.flatMap(({ image, maps }) =>
          image.labels.flatMap((of, i) => (of === label ? [maps[i].values] : [])),
        );
        scale.values[label] = maps.length > 0 ? scaleOf(maps) || 1 : 1;
      }
      for (const one of kept) await draw(one);
    }
    notes.unshift(...opened.notes());
    const page = path.join(folder, 'index.html');
    await write(page, renderSheet({ target, method, side, channels, scale, labels: model.labels, items, notes, task }));
    const { labels } = model;
    const stated = {
      ...{ method, labels, bias: method === 'evidence' ? biasesOf(model, task) : null, size: side, centers },
      ...{ scale: { from: scale.from, values: scale.values }, images: result, page, notes },
    };
    await write(path.join(folder, 'explain.json'), `${jsonText(stated, 1)}\n`);
    return { ...stated, skipped };
  } finally {
    await opened.dispose();
  }
}

/** The maps of all labels of one image, uint8 [side, side, channels], and its logits; `values` are those that maps are about. */
async function mapsOf(
  image: Uint8Array,
  target: string,
  { model, task, labelCount, side: size, channels, batchSize, signal, ...opened }: OpenedPictures,
  method: Method,
): Promise<{ odds: { logits: Float32Array; values: ArrayLike<number> }; maps: Float32Array[] }> {
  const exclusive = isExclusive(task);
  const trainers = await opened.trainers();
  if (method === 'evidence') {
    const view = viewOf({ images: image, count: 1, size, channels });
    const { logits, evidence, cancelled } = await trainers[0].predict({ images: view, batchSize, evidence: true });
    if (cancelled) signal.throwIfAborted();
    checkLogits(logits, model.labels, target);
    const values = exclusive ? logOdds(logits, labelCount) : logits;
    return { odds: { logits, values }, maps: mapsIn(evidence!, labelCount, exclusive) };
  }
  const squares = squaresOf(size);
  const images = occluded(image, size, channels, squares);
  const view = viewOf({ images, count: 1 + squares.starts.length ** 2, size, channels });
  const each = await eachLogits(model, target, (member) => trainers[member].predict({ images: view, batchSize }));
  if (!each) signal.throwIfAborted();
  const logits = meanLogits(task, each!, labelCount);
  const odds = exclusive ? logOdds(logits, labelCount) : logits;
  return {
    odds: { logits: logits.slice(0, labelCount), values: odds.slice(0, labelCount) },
    maps: falls(odds, labelCount),
  };
}

/** Of exclusive labels relative to their mean, as their maps are. */
function biasesOf({ states, labels }: Model, task: Task): number[] {
  const biases = biasOf(states[0]);
  const mean = isExclusive(task) ? biases.reduce((sum, value) => sum + value, 0) / labels.length : 0;
  return biases.map((value) => value - mean);
}

interface Scale {
  from: 'validation' | 'pictures';
  values: number[];
  notes: string[];
}

/** The scale of each label from the validation split; from the pictures themselves where there is none. */
async function scaleFor(
  target: string,
  options: ExplainOptions,
  opened: OpenedPictures,
  method: Method,
): Promise<Scale> {
  const { model, side, channels, signal } = opened;
  const itself = (reason: string): Scale => ({
    from: 'pictures',
    values: model.labels.map(() => 1),
    notes: [
      `${reason}: the colours have the scale of these pictures, so weak evidence may look strong; --data sets the data`,
    ],
  });
  const data = options.data ?? model.run?.config.data;
  if (data === undefined) return itself(`${target} does not state its data`);
  const { size, labelNames } = options;
  const loaded = await dataOf(model, target, {
    split: 'val',
    limit: SCALE_IMAGES,
    data: options.data,
    size,
    labelNames,
    signal,
  }).catch((error: unknown) => {
    if (options.data === undefined && error instanceof ChestMnistError && error.code === 'ERR_DATA_MISSING')
      return undefined;
    throw error;
  });
  if (!loaded) return itself(`the data of ${target} are not there`);
  const { val } = loaded.dataset.splits;
  if (val.size !== side || val.channels !== channels)
    return itself(`${loaded.dataset.name} has images of another kind`);
  const maps: Float32Array[][] = [];
  for (let i = 0; i < val.count; i++) {
    signal.throwIfAborted();
    const bytes = side * side * channels;
    maps.push((await mapsOf(val.images.subarray(i * bytes, (i + 1) * bytes), target, opened, method)).maps);
  }
  const values = model.labels.map((_, label) => scaleOf(maps.map((of) => of[label])) || 1);
  return { from: 'validation', values, notes: [] };
}

/** The folder for the results, made. Throws ERR_OUTPUT for one that holds something. */
async function emptyFolder(given: string): Promise<string> {
  const folder = absolute(given);
  await writing(folder, () => mkdir(folder, { recursive: true }));
  if ((await readdir(folder)).length > 0) {
    throw new ChestMnistError('ERR_OUTPUT', {
      found: `${folder} is not empty`,
      needed: 'a folder that is empty or does not exist yet',
      next: 'choose another --output',
    });
  }
  return folder;
}

const write = (file: string, content: string | Buffer): Promise<void> =>
  writeAtomically(file, async (handle) => {
    await handle.writeFile(content);
  });

function npyOf({ values, centers }: HeatMap): Buffer {
  const shape = [centers.length, centers.length];
  return Buffer.concat([
    formatNpyHeader('<f4', shape),
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  ]);
}
