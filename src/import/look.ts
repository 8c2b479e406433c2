/**
 * What is to be imported: the folder, the table and the lists of a split, read and checked. Nothing is decoded or written.
 * Not here: what a column means (columns.ts), which file a row is about (sources.ts).
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { ChestMnistError } from '../base/errors';
import { absolute } from '../base/folders';
import type { ImportOptions } from './options';
import { finder, fromFolders, fromTable, isDicomPatient, picturesIn, type Missing, type Sources } from './sources';
import { readLists, readSplitTable, type SplitPlan } from './split';

/** Without zip64, so that an array has less than this. */
const MOST_BYTES = 2 ** 32 - 2 ** 16;

/** Throws ERR_CONFIG, ERR_DATA_MISSING, ERR_DATA_CORRUPT, ERR_DATA_SHAPE. `output` is no picture. */
export async function look(options: ImportOptions, plan: SplitPlan, output: string): Promise<Sources> {
  const folder = absolute(options.folder);
  await checkFolder(folder);
  const sources = await sourcesOf(options, folder, plan, output);
  const { size = 28, strict = false, onNote: note = () => {} } = options;
  for (const line of sources.found) note(line);
  checkCount(sources, size, options.output);
  if (strict) checkMissing(sources.missing);
  for (const line of summaryOf(sources.missing)) note(line);
  return sources;
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
  const column = plan.kind === 'column' ? plan.name : undefined;
  const { table, group } = options;
  if (table === undefined) {
    const alone =
      column !== undefined
        ? 'split'
        : group !== undefined && !isDicomPatient(group)
          ? 'group'
          : (['image', 'uncertain'] as const).find((name) => options[name] !== undefined);
    if (alone !== undefined) {
      throw new ChestMnistError('ERR_CONFIG', {
        found: `--${alone} ${String(options[alone])} without a table`,
        needed: alone === 'group' ? 'the table that has it, or "Patient ID" of DICOM files' : 'the table that has it',
        next: `pass the table before the folder, or leave --${alone} out`,
      });
    }
  }
  const files = await picturesIn(folder, output);
  const sources =
    table === undefined
      ? fromFolders(options, folder, files)
      : await fromTable(options, absolute(table), files, column, plan.kind !== 'column');
  if (plan.kind === 'drawn') return { ...sources, images: sources.images.map((one) => ({ ...one, split: undefined })) };
  if (plan.kind === 'column') return sources;
  const find = finder(files, path.basename(folder));
  const splits = plan.kind === 'table' ? await readSplitTable(plan.file, find) : await readLists(plan.files, find);
  const images = sources.images.flatMap((one) => {
    const split = splits.get(one.name);
    return split === undefined ? [] : [{ ...one, split }];
  });
  const unlisted = sources.images
    .filter(({ name }) => !splits.has(name))
    .map(({ name }) => ({
      what: name,
      why: `the picture is in no ${plan.kind === 'table' ? 'row' : 'list'} of --split`,
    }));
  return { ...sources, images, missing: [...sources.missing, ...unlisted] };
}

function checkCount({ images, missing }: Sources, size: number, output: string): void {
  if (images.length === 0) {
    throw new ChestMnistError('ERR_DATA_SHAPE', {
      found: `all ${missing.length} rows and pictures would be left out; the first: ${missing[0]?.what} (${missing[0]?.why})`,
      needed: 'pictures with labels and a split',
      next: 'check --split and --uncertain',
    });
  }
  if (images.length * size * size <= MOST_BYTES) return;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `${images.length} images of ${size} x ${size} pixels in ${output}`,
    needed: 'less than 4 GiB of pixels in one file',
    next: 'choose a smaller --size, or import fewer images',
  });
}

function checkMissing(missing: readonly Missing[]): void {
  const [first, ...others] = missing.filter(({ why }) => !why.startsWith('left out'));
  if (first === undefined) return;
  throw new ChestMnistError('ERR_DATA_MISSING', {
    found: `${first.what}: ${first.why}${others.length > 0 ? ` (and ${others.length} more)` : ''}`,
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
