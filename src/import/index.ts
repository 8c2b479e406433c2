/**
 * importImages: from pictures and a table, or folders of classes, to a data set of three splits. Read it top to bottom.
 * Before all that can be refused was checked, nothing is written but FILE.part/, from which an import goes on.
 */
import path from 'node:path';
import { ownSignal } from '../base/abort';
import { hashFile } from '../base/checksum';
import { ChestMnistError } from '../base/errors';
import { absolute } from '../base/folders';
import { withLock } from '../base/lock';
import { SPLIT_NAMES, type SplitName } from '../data/dataset';
import { alikes, firstOfEach, type Alike } from './duplicates';
import { look } from './look';
import { checkOptions, type ImportOptions } from './options';
import { Part } from './part';
import type { Preparing } from './picture';
import { planOfPart, readAll, type Read } from './read';
import type { Sources } from './sources';
import { checkLeaks, DEFAULT_PARTS, draw, drawVal, planOf, together, type SplitPlan } from './split';
import { placesOf, writeArrays, writeFacts, writeIndex, writeMissing, type Imported, type Places } from './write';

export type { ImportOptions } from './options';

/** What was imported. */
export interface ImportResult {
  /** The .npz file. */
  readonly path: string;
  /** The files beside it; `missing` is null when nothing was left out. */
  readonly json: string;
  readonly index: string;
  readonly missing: string | null;
  /** Names of the labels, or of the classes. */
  readonly labels: readonly string[];
  /** Images, patients (null where they are not known) and images with each label, by split. */
  readonly splits: Readonly<Record<SplitName, SplitFacts>>;
  /** Rows and pictures that were left out. */
  readonly leftOut: number;
  /** Pictures that could not be read. */
  readonly unreadable: number;
}

export interface SplitFacts {
  readonly count: number;
  readonly groups: number | null;
  readonly positives: readonly number[];
}

/**
 * Makes an .npz file of pictures. An import that was interrupted goes on where it was when it is called again. Throws
 * ERR_CONFIG, ERR_OUTPUT, ERR_DATA_MISSING, ERR_DATA_CORRUPT, ERR_DATA_SHAPE, ERR_DISK.
 */
export async function importImages(options: ImportOptions): Promise<ImportResult> {
  checkOptions(options);
  const signal = ownSignal(options.signal);
  signal.throwIfAborted();
  const plan = planOf(options.split);
  const places = await placesOf(options.output, options.force ?? false);
  const sources = await look(options, plan, places.npz);
  checkLeaks(sources.images);

  const work = (): Promise<ImportResult> => readAndWrite(options, { plan, places, sources, signal });
  const waiting = (holder: string): never => {
    throw new ChestMnistError('ERR_BUSY', {
      found: `${places.part} is in use by ${holder}`,
      needed: 'one import of a file at a time',
      next: 'wait for it or stop it, or choose another name with -o',
    });
  };
  return withLock(path.join(places.part, 'lock'), work, { waiting });
}

interface Checked {
  readonly plan: SplitPlan;
  readonly places: Places;
  readonly sources: Sources;
  readonly signal: AbortSignal;
}

async function readAndWrite(options: ImportOptions, { plan, places, sources, signal }: Checked): Promise<ImportResult> {
  const { size = 28, fit = 'crop', seed = 0, window, onNote: note = () => {} } = options;
  const { names, kind } = sources.labels;
  const folder = absolute(options.folder);
  const preparing: Preparing = { size, fit, channels: 1, window, isByDicom: sources.isByDicom };
  const files = sources.images.map(({ name }) => path.join(folder, name));
  const part = await Part.open(places.part, await planOfPart(files, preparing), size * size);
  try {
    const salted = { ...preparing, salt: part.salt };
    const { read, refused, decided } = await readAll(part, sources.images, folder, salted, signal, options);
    const missing = [...sources.missing, ...refused];
    if (sources.isByDicom) checkLeaks(read);

    const splits = splitsOf(read, kind === 'class', names.length, plan, seed);
    const images = read.map((one, i): Imported => {
      return { id: one.id, source: one, split: splits[i], sha256: one.facts.sha256 };
    });
    const facts = factsOf(images, names, kind === 'class');
    checkSplits(facts);
    const pairs = await alikes(
      read.map((one) => one.facts),
      (a, b) => splits[a] !== splits[b],
      (i) => part.read(read[i].id),
    );
    const duplicates = duplicatesOf(pairs, images);
    for (const { text } of duplicates.slice(0, 5)) note(text);
    if (duplicates.length > 5) note(`${duplicates.length - 5} more such pairs are in ${path.basename(places.json)}`);
    signal.throwIfAborted();

    await writeArrays(places.npz, images, names, size, (id) => part.read(id));
    await writeIndex(places.index, images, part.salt);
    await writeMissing(places.missing, missing);
    await writeFacts(places.json, {
      labels: names,
      kind: { flags: 'labels', list: 'labels', class: 'classes' }[kind],
      splits: facts,
      source: options.table && {
        table: path.basename(options.table),
        sha256: await hashFile(absolute(options.table), 'sha256'),
        columns: sources.found,
        uncertain: { cells: sources.labels.uncertain, became: options.uncertain ?? 'zero' },
      },
      preprocessing: { size, channels: 1, fit, window, resize: 'bicubic as Pillow', decided },
      split: { ...shown(plan), seed },
      missing: missing.length,
      unreadable: refused.length,
      alike: duplicates.map(({ a, b, same }) => ({ a, b, same_pixels: same })),
      npz: { file: path.basename(places.npz), sha256: await hashFile(places.npz, 'sha256') },
      index: { file: path.basename(places.index), sha256: await hashFile(places.index, 'sha256') },
      license: options.license,
    });
    await part.close();
    await part.remove();
    return {
      path: places.npz,
      json: places.json,
      index: places.index,
      missing: missing.length > 0 ? places.missing : null,
      labels: names,
      splits: facts,
      leftOut: missing.length,
      unreadable: refused.length,
    };
  } finally {
    await part.close();
  }
}

/** The given splits; drawn where there are none, with equal pixels and pictures of one patient together. */
function splitsOf(
  images: readonly Read[],
  isClass: boolean,
  width: number,
  plan: SplitPlan,
  seed: number,
): SplitName[] {
  const groups = together(
    images.map(({ group }) => group),
    firstOfEach(images.map(({ facts }) => facts)),
  );
  const vectors = images.map(({ label }) => {
    if (!isClass) return label;
    const vector = new Uint8Array(width);
    vector[label[0]] = 1;
    return vector;
  });
  const isGiven = images.some(({ split }) => split !== undefined);
  if (!isGiven) return draw(groups, vectors, plan.kind === 'drawn' ? plan.parts : DEFAULT_PARTS, seed);
  const given = images.map(({ split }) => split!);
  return given.includes('val') ? given : drawVal(given, groups, vectors, seed);
}

function factsOf(
  images: readonly Imported[],
  names: readonly string[],
  isClass: boolean,
): Record<SplitName, SplitFacts> {
  const of = (split: SplitName): SplitFacts => {
    const rows = images.filter((image) => image.split === split);
    const groups = new Set(rows.map(({ source }) => source.group));
    const has = (label: Uint8Array, i: number): number => (isClass ? Number(label[0] === i) : label[i]);
    return {
      count: rows.length,
      groups: groups.has(undefined) ? null : groups.size,
      positives: names.map((_, i) => rows.reduce((sum, { source }) => sum + has(source.label, i), 0)),
    };
  };
  return { train: of('train'), val: of('val'), test: of('test') };
}

function checkSplits(facts: Readonly<Record<SplitName, SplitFacts>>): void {
  const empty = SPLIT_NAMES.filter((split) => facts[split].count === 0);
  if (empty.length === 0) return;
  const total = SPLIT_NAMES.reduce((sum, split) => sum + facts[split].count, 0);
  throw new ChestMnistError('ERR_DATA_SHAPE', {
    found: `of ${total} images ${empty.join(' and ')} would have none`,
    needed: 'at least one image in train, val and test',
    next: 'import more images or patients, or choose other parts: --split 60/20/20',
  });
}

function duplicatesOf(pairs: readonly Alike[], images: readonly Imported[]) {
  return pairs.map(({ a, b, isSame }) => {
    const [one, other] = [images[a], images[b]];
    const how = isSame ? 'has the same pixels as' : 'looks like';
    return {
      a: one.source.name,
      b: other.source.name,
      same: isSame,
      text: `${other.source.name} (${other.split}) ${how} ${one.source.name} (${one.split})`,
    };
  });
}

const shown = (plan: SplitPlan): object => {
  if (plan.kind === 'table') return { kind: plan.kind, file: path.basename(plan.file) };
  if (plan.kind === 'lists') {
    const files = Object.fromEntries([...plan.files].map(([split, file]) => [split, path.basename(file)]));
    return { kind: plan.kind, files };
  }
  return plan;
};
