/**
 * importImages: from pictures and a table, or folders of classes, to a data set of three splits. Read it top to bottom.
 * Before all that can be refused was checked, nothing is written but FILE.part/, from which an import goes on.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { ownSignal } from '../base/abort';
import { hashFile } from '../base/checksum';
import { ChestMnistError } from '../base/errors';
import { absolute } from '../base/folders';
import { withLock } from '../base/lock';
import { processorsToUse } from '../base/processors';
import { SPLIT_NAMES, type SplitName } from '../data/dataset';
import { Notes } from '../data/pictures/read';
import { alikes, firstOfEach, type Alike } from './duplicates';
import { checkOptions, type ImportOptions } from './options';
import { Part, type Entry } from './part';
import type { Facts, Preparing } from './picture';
import { askAll } from './pool';
import { fromFolders, fromTable, picturesIn, type Missing, type Source, type Sources } from './sources';
import { checkLeaks, DEFAULT_PARTS, draw, drawVal, planOf, readLists, type SplitPlan } from './split';
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

type Read = Source & { readonly id: number; readonly facts: Facts };

/** Without zip64, so that an array has less than this. */
const MOST_BYTES = 2 ** 32 - 2 ** 16;

/**
 * Makes an .npz file of pictures. An import that was interrupted goes on where it was when it is called again. Throws
 * ERR_CONFIG, ERR_OUTPUT, ERR_DATA_MISSING, ERR_DATA_CORRUPT, ERR_DATA_SHAPE, ERR_DISK.
 */
export async function importImages(options: ImportOptions): Promise<ImportResult> {
  checkOptions(options);
  const { size = 28, strict = false, onNote: note = () => {} } = options;
  const signal = ownSignal(options.signal);
  signal.throwIfAborted();
  const folder = absolute(options.folder);
  const plan = planOf(options.split);
  const places = await placesOf(options.output, options.force ?? false);
  await checkFolder(folder);

  const sources = await sourcesOf(options, folder, plan, places.npz);
  for (const line of sources.found) note(line);
  checkSize(sources.images.length, size, options.output);
  checkMissing(sources.missing, strict);
  for (const line of summaryOf(sources.missing)) note(line);
  checkLeaks(sources.images);

  const work = (): Promise<ImportResult> => readAndWrite(options, { folder, plan, places, sources, signal });
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
  readonly folder: string;
  readonly plan: SplitPlan;
  readonly places: Places;
  readonly sources: Sources;
  readonly signal: AbortSignal;
}

async function readAndWrite(
  options: ImportOptions,
  { folder, plan, places, sources, signal }: Checked,
): Promise<ImportResult> {
  const { size = 28, fit = 'crop', seed = 0, strict = false, onNote: note = () => {} } = options;
  const { names, kind } = sources.labels;
  const preparing: Preparing = { size, fit, channels: 1, ...(options.window && { window: options.window }) };
  const files = sources.images.map(({ name }) => path.join(folder, name));
  const part = await Part.open(places.part, await planOfPart(files, preparing), size * size);
  try {
    const resumed = part.entries.size;
    if (resumed > 0) note(`${resumed} of ${files.length} pictures were done before`);
    await readAll(part, files, preparing, strict, signal, options.onProgress);
    const missing = [...sources.missing, ...refusedIn(part, sources.images)];
    const unreadable = missing.length - sources.missing.length;
    if (unreadable > 0) note(`${unreadable} of ${files.length} pictures cannot be read and are left out`);
    const read = sources.images.flatMap((source, id): Read[] => {
      const entry = part.entries.get(id)!;
      return 'facts' in entry ? [{ ...source, id, facts: entry.facts }] : [];
    });
    const decided = notesOf(read, folder);
    for (const line of decided) note(line);

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
    await writeIndex(places.index, images);
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
      preprocessing: { size, channels: 1, fit, window: options.window, resize: 'bicubic as Pillow', decided },
      split: { ...shown(plan), seed },
      missing: missing.length,
      unreadable,
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
      unreadable,
    };
  } finally {
    await part.close();
  }
}

async function checkFolder(folder: string): Promise<void> {
  const facts = await stat(folder).catch((error: NodeJS.ErrnoException) => error);
  if (!(facts instanceof Error) && 'isDirectory' in facts && facts.isDirectory()) return;
  throw new ChestMnistError('ERR_DATA_MISSING', {
    found: facts instanceof Error ? `${folder} cannot be read (${facts.message})` : `${folder} is not a folder`,
    needed: 'the folder of the pictures',
    next: 'check the path: npx chestmnist import TABLE.csv FOLDER -o FILE.npz',
  });
}

async function sourcesOf(options: ImportOptions, folder: string, plan: SplitPlan, output: string): Promise<Sources> {
  const files = await picturesIn(folder, output);
  const column = plan.kind === 'column' ? plan.name : undefined;
  const ofTable = ['labels', 'image', 'group', 'uncertain'] as const;
  const alone = column === undefined ? ofTable.find((name) => options[name] !== undefined) : 'split';
  if (options.table === undefined && alone !== undefined) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--${alone} ${String(options[alone])} without a table`,
      needed: 'the table that has it',
      next: `pass the table before the folder, or leave --${alone} out`,
    });
  }
  const isDrawn = plan.kind !== 'column';
  const sources =
    options.table === undefined
      ? fromFolders(folder, files)
      : await fromTable(options, absolute(options.table), files, column, isDrawn);
  if (plan.kind === 'drawn') return { ...sources, images: sources.images.map((one) => ({ ...one, split: undefined })) };
  if (plan.kind === 'column') return sources;
  const splits = await readLists(plan.files, files);
  const images = sources.images.flatMap((one) => {
    const split = splits.get(one.name);
    return split === undefined ? [] : [{ ...one, split }];
  });
  const unlisted = sources.images
    .filter(({ name }) => !splits.has(name))
    .map(({ name }) => ({ what: name, why: 'the picture is in no list' }));
  return { ...sources, images, missing: [...sources.missing, ...unlisted] };
}

function checkSize(count: number, size: number, output: string): void {
  if (count * size * size <= MOST_BYTES) return;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `${count} images of ${size} x ${size} pixels in ${output}`,
    needed: 'less than 4 GiB of pixels in one file',
    next: 'choose a smaller --size, or import fewer images',
  });
}

function checkMissing(missing: readonly Missing[], strict: boolean): void {
  const [first] = missing.filter(({ why }) => !why.startsWith('left out'));
  if (!strict || first === undefined) return;
  throw new ChestMnistError('ERR_DATA_MISSING', {
    found: `${first.what}: ${first.why}${missing.length > 1 ? ` (and ${missing.length - 1} more)` : ''}`,
    needed: 'a picture for each row and a row for each picture, with --strict',
    next: 'correct the table or the folder, or leave --strict out',
  });
}

/** How many for each reason. */
function summaryOf(missing: readonly Missing[]): string[] {
  const counts = new Map<string, number>();
  for (const { why } of missing) {
    const kind = why.replace(/ as line \d+$/, ' as another');
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([why, count]) => `not imported: ${count}, ${why}`);
}

/** What the pictures that are done depend on. */
async function planOfPart(files: readonly string[], preparing: Preparing): Promise<unknown> {
  const facts: unknown[] = [];
  for (const file of files) {
    const { size, mtimeMs } = await stat(file);
    facts.push([file, size, mtimeMs]);
  }
  return { version: 1, preparing, facts };
}

async function readAll(
  part: Part,
  files: readonly string[],
  preparing: Preparing,
  strict: boolean,
  signal: AbortSignal,
  onProgress: ImportOptions['onProgress'],
): Promise<void> {
  const stopAt = (entry: Entry): void => {
    if (strict && 'refused' in entry) throw new ChestMnistError(entry.refused.code, entry.refused);
  };
  for (const entry of part.entries.values()) stopAt(entry);
  const questions = files.flatMap((file, id) => (part.entries.has(id) ? [] : [{ id, file }]));
  onProgress?.(part.entries.size, files.length);
  await askAll(
    questions,
    processorsToUse(),
    preparing,
    async (answer) => {
      if ('failed' in answer) throw new Error(answer.failed);
      await part.add(answer);
      stopAt(part.entries.get(answer.id)!);
      onProgress?.(part.entries.size, files.length);
    },
    signal,
  );
}

const refusedIn = (part: Part, images: readonly Source[]): Missing[] =>
  images.flatMap(({ name }, id) => {
    const entry = part.entries.get(id)!;
    return 'refused' in entry ? [{ what: name, why: entry.refused.found }] : [];
  });

function notesOf(images: readonly Read[], folder: string): string[] {
  const notes = new Notes();
  for (const { name, facts } of images) notes.add(path.join(path.basename(folder), name), facts.notes);
  return notes.lines();
}

/** The given splits; drawn where there are none, with equal pixels and pictures of one patient together. */
function splitsOf(
  images: readonly Read[],
  isClass: boolean,
  width: number,
  plan: SplitPlan,
  seed: number,
): SplitName[] {
  const groups = togetherOf(images);
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

/** Equal numbers for images that stay together: of one patient, or with the same pixels. */
function togetherOf(images: readonly Read[]): number[] {
  const parent = images.map((_, i) => i);
  const rootOf = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]];
    return i;
  };
  const firstOf = new Map<string, number>();
  const same = firstOfEach(images.map(({ facts }) => facts));
  images.forEach(({ group }, i) => {
    parent[rootOf(i)] = rootOf(same[i]);
    if (group === undefined) return;
    if (firstOf.has(group)) parent[rootOf(i)] = rootOf(firstOf.get(group)!);
    else firstOf.set(group, i);
  });
  return images.map((_, i) => rootOf(i));
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
  if (plan.kind === 'lists') {
    const files = Object.fromEntries([...plan.files].map(([split, file]) => [split, path.basename(file)]));
    return { kind: 'lists', files };
  }
  return plan;
};
