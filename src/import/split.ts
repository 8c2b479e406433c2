/**
 * Splits: read from lists, checked for patients in two of them, or drawn by patient so that each label is as frequent in
 * each. Source of the drawing: iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011), over groups of images.
 */
import { readText } from '../base/atomic';
import { ChestMnistError } from '../base/errors';
import { absolute } from '../base/folders';
import { Random } from '../base/random';
import { listed } from '../base/text';
import { SPLIT_NAMES, type SplitName } from '../data/dataset';
import { findImage, findSplit } from './columns';
import { readTable } from './csv';

/** What --split says. */
export type SplitPlan =
  | { readonly kind: 'drawn'; readonly parts: readonly number[] }
  | { readonly kind: 'column'; readonly name: string | undefined }
  /** A table with a row per picture and a column of the split, as of MIMIC-CXR. */
  | { readonly kind: 'table'; readonly file: string }
  | { readonly kind: 'lists'; readonly files: ReadonlyMap<SplitName, string> };

/** Words for the splits in columns, folders and tables. */
export const SPLIT_WORDS: ReadonlyMap<string, SplitName> = new Map([
  ...(['train', 'training'] as const).map((word) => [word, 'train'] as const),
  ...(['val', 'valid', 'validate', 'validation', 'dev'] as const).map((word) => [word, 'val'] as const),
  ...(['test', 'testing'] as const).map((word) => [word, 'test'] as const),
]);

export const DEFAULT_PARTS = [70, 10, 20] as const;
/** Of train, where val is not given: 70/10/20 again where test is a fifth. */
const VAL_OF_TRAIN = [7, 1, 0] as const;

/** Throws ERR_CONFIG. */
export function planOf(text: string | undefined): SplitPlan {
  if (text === undefined) return { kind: 'column', name: undefined };
  const refuse = (needed: string): ChestMnistError =>
    new ChestMnistError('ERR_CONFIG', { found: `--split ${text}`, needed, next: 'for example --split 70/10/20' });
  if (/^[\d.]+(?:\/[\d.]+)+$/.test(text)) {
    const parts = text.split('/').map(Number);
    const sum = parts.reduce((a, b) => a + b, 0);
    const isWhole = Math.abs(sum - 100) < 1e-9 || Math.abs(sum - 1) < 1e-9;
    if (parts.length === 3 && parts.every((part) => part > 0) && isWhole) return { kind: 'drawn', parts };
    throw refuse('three parts above 0, of train, val and test, that sum to 100');
  }
  if (/\.(?:csv|tsv)$/i.test(text) && !text.includes('=')) return { kind: 'table', file: absolute(text) };
  if (!/^(?:train|val|test)=/.test(text)) return { kind: 'column', name: text };
  const files = new Map<SplitName, string>();
  for (const entry of text.split(',')) {
    const [, name, file] = /^(train|val|test)=(.+)$/.exec(entry.trim()) ?? [];
    if (file === undefined || files.has(name as SplitName)) throw refuse('train=FILE,val=FILE,test=FILE');
    files.set(name as SplitName, absolute(file));
  }
  if (!files.has('train') || !files.has('test')) throw refuse('a list for train and one for test');
  return { kind: 'lists', files };
}

/** The files that a name in a list or a table means. */
type Find = (name: string) => readonly string[];

/** The split of each image by a table; undefined for an image without a row. Throws ERR_DATA_SHAPE. */
export async function readSplitTable(file: string, find: Find): Promise<Map<string, SplitName>> {
  const table = await readTable(file);
  const [image, column] = [findImage(table), findSplit(table)];
  const refuse = (found: string, needed: string): ChestMnistError =>
    new ChestMnistError('ERR_DATA_SHAPE', { found, needed, next: 'correct the table, or choose another --split' });
  if (column === undefined || image.by === 'study') {
    const needed = 'a column of the pictures and one called split';
    throw refuse(`${file} has the columns ${listed(table.columns.slice(0, 20))}`, needed);
  }
  const splits = new Map<string, SplitName>();
  for (const { line, cells } of table.rows) {
    const [name, other] = find(cells[image.at]);
    if (name === undefined) continue; // it may be of more pictures than are here
    const split = SPLIT_WORDS.get(cells[column].toLowerCase());
    const at = `${file}, line ${line}`;
    if (split === undefined) throw refuse(`${at}: the split ${JSON.stringify(cells[column])}`, SPLIT_NAMES.join(', '));
    if (other !== undefined)
      throw refuse(`${at}: ${cells[image.at]} may be ${name} or ${other}`, 'one picture per row');
    if ((splits.get(name) ?? split) !== split) throw refuse(`${at}: ${name} is in two splits`, 'one split per picture');
    splits.set(name, split);
  }
  return splits;
}

/** The split of each image by lists of names, a line each; undefined for an image in none. Throws ERR_DATA_SHAPE. */
export async function readLists(files: ReadonlyMap<SplitName, string>, find: Find): Promise<Map<string, SplitName>> {
  const splits = new Map<string, SplitName>();
  for (const [split, file] of files) {
    const refuse = (what: string, cause?: unknown): ChestMnistError =>
      new ChestMnistError(
        'ERR_DATA_SHAPE',
        { found: `${file} ${what}`, needed: 'the name of a picture in each line', next: 'correct the list' },
        { cause },
      );
    const text = await readText(file, refuse);
    if (text === undefined) {
      const parts = { found: `${file} does not exist`, needed: `the list of ${split}`, next: 'correct --split' };
      throw new ChestMnistError('ERR_DATA_MISSING', parts);
    }
    for (const line of text.split(/\r?\n/).map((one) => one.trim())) {
      const found = line === '' ? [] : find(line);
      if (found.length > 1) throw refuse(`names ${line}, which may be ${listed(found.slice(0, 3))}`);
      if (found.length === 0) continue; // a list may be of more pictures than are here
      const other = splits.get(found[0]);
      if (other !== undefined && other !== split) throw refuse(`and the list of ${other} both name ${found[0]}`);
      splits.set(found[0], split);
    }
  }
  return splits;
}

/** Throws ERR_DATA_SHAPE when a patient is in two splits. The identities of patients are not printed. */
export function checkLeaks(images: readonly { group: string | undefined; split: SplitName | undefined }[]): void {
  const of = new Map<string, Set<SplitName>>();
  let known = 0;
  for (const { group, split } of images) {
    if (group === undefined || split === undefined) continue;
    known++;
    if (!of.has(group)) of.set(group, new Set());
    of.get(group)!.add(split);
  }
  const leaking = new Set([...of].flatMap(([group, splits]) => (splits.size > 1 ? [group] : [])));
  if (leaking.size === 0) return;
  const affected = images.filter(({ group }) => group !== undefined && leaking.has(group));
  const pairs = [
    ['train', 'val'],
    ['train', 'test'],
    ['val', 'test'],
  ] as const;
  const counts = pairs.flatMap(([a, b]) => {
    const both = [...leaking].filter((group) => of.get(group)!.has(a) && of.get(group)!.has(b)).length;
    return both === 0 ? [] : [`${both} in ${a} and ${b}`];
  });
  throw new ChestMnistError('ERR_DATA_SHAPE', {
    found: `the given split leaks: ${leaking.size} of ${of.size} patients are in two splits (${counts.join(', ')}), with ${affected.length} of ${known} images`,
    needed: 'each patient in one split',
    next: 'correct the split, or leave it to --split 70/10/20',
  });
}

/** Images that stay together, with how many of each kind of label they have. */
interface Group {
  readonly images: number[];
  readonly counts: number[];
}

/**
 * Draws a split for each of `groups` (equal values stay together): for the rarest label first, each group that has it goes
 * where most of it is still wanted. `vectors` are the labels as 0 and 1; an image without any counts as a label too.
 */
export function draw(
  groups: readonly (string | number)[],
  vectors: readonly Uint8Array[],
  parts: readonly number[],
  seed: number,
): SplitName[] {
  const width = (vectors[0]?.length ?? 0) + 1;
  const byKey = new Map<string | number, Group>();
  const totals = new Array<number>(width).fill(0);
  groups.forEach((key, image) => {
    if (!byKey.has(key)) byKey.set(key, { images: [], counts: new Array<number>(width).fill(0) });
    const group = byKey.get(key)!;
    group.images.push(image);
    const labels = vectors[image].includes(1) ? [...vectors[image]] : [...vectors[image].map(() => 0), 1];
    labels.forEach((value, label) => {
      group.counts[label] += value;
      totals[label] += value;
    });
  });
  const sum = parts.reduce((a, b) => a + b, 0);
  const wanted = parts.map((part) => totals.map((total) => (total * part) / sum));
  const room = parts.map((part) => (groups.length * part) / sum);
  const splits = new Array<SplitName>(groups.length);
  const random = new Random(seed, 0x5711, 0x13);
  const open = shuffled([...byKey.values()], random).sort((a, b) => b.images.length - a.images.length);
  const left = [...totals];
  const remaining = new Set(open);
  while (remaining.size > 0) {
    const rarest = left.reduce((best, n, label) => (n > 0 && (best < 0 || n < left[best]) ? label : best), -1);
    for (const group of open) {
      if (!remaining.has(group) || group.counts[rarest] === 0) continue;
      let to = -1;
      for (let s = 0; s < parts.length; s++) {
        if (parts[s] === 0) continue;
        const gain = to < 0 ? 1 : wanted[s][rarest] - wanted[to][rarest] || room[s] - room[to];
        if (gain > 0) to = s;
      }
      group.counts.forEach((count, label) => {
        wanted[to][label] -= count;
        left[label] -= count;
      });
      room[to] -= group.images.length;
      for (const image of group.images) splits[image] = SPLIT_NAMES[to];
      remaining.delete(group);
    }
  }
  return splits;
}

/** The same with val taken out of what is train. Groups stay together. */
export function drawVal(
  splits: readonly SplitName[],
  groups: readonly (string | number)[],
  vectors: readonly Uint8Array[],
  seed: number,
): SplitName[] {
  const train = splits.flatMap((split, i) => (split === 'train' ? [i] : []));
  const drawn = draw(
    train.map((i) => groups[i]),
    train.map((i) => vectors[i]),
    VAL_OF_TRAIN,
    seed,
  );
  const result = [...splits];
  train.forEach((image, i) => (result[image] = drawn[i]));
  return result;
}

/** Equal numbers for images that stay together: of one group, or `same` as an earlier one. */
export function together(groups: readonly (string | undefined)[], same: readonly number[]): number[] {
  const parent = same.map((_, i) => i);
  const rootOf = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]];
    return i;
  };
  const firstOf = new Map<string, number>();
  groups.forEach((group, i) => {
    parent[rootOf(i)] = rootOf(same[i]);
    if (group === undefined) return;
    if (firstOf.has(group)) parent[rootOf(i)] = rootOf(firstOf.get(group)!);
    else firstOf.set(group, i);
  });
  return groups.map((_, i) => rootOf(i));
}

function shuffled<T>(items: T[], random: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [items[i], items[j]] = [items[j], items[i]];
  }
  return items;
}
