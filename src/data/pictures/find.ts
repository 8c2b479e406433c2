/**
 * The files that the inputs of a user stand for: files as named, folders with all that is in them, patterns that no shell
 * expanded. Not here: what is in a file.
 */
import { opendir, readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { ChestMnistError } from '../../base/errors';
import { expandHome } from '../../base/folders';
import { openRegular } from '../../base/input';
import { HEAD_BYTES, kindIn, KINDS } from './kinds';

/** Files by these names are pictures, whatever is in them, so that a damaged one is reported. */
const EXTENSIONS = /\.(?:png|jpe?g|jfif|tiff?|webp|dcm|dicom|dic|npy|npz)$/i;
/** What systems and programs leave in folders: hidden files, thumbnails, the index of a medium. */
const LEFTOVER = /^(?:\..*|thumbs\.db|desktop\.ini|__MACOSX|DICOMDIR)$/i;

/** A file to read, or one that cannot be. */
export type Found = { file: string } | { file: string; error: ChestMnistError };

/** The files of `inputs` in their order; those of folders and patterns are sorted by name. */
export async function* findPictures(inputs: readonly string[]): AsyncGenerator<Found> {
  for (const input of inputs) {
    const named = expandHome(input);
    const facts = await stat(named).catch((error: NodeJS.ErrnoException) => error);
    const isMissing = facts instanceof Error || 'code' in facts;
    if (!isMissing && !facts.isDirectory()) yield { file: named };
    else if (!isMissing) yield* orNothing(named, filesIn(named, []), 'holds no picture');
    else if (/[*?[]/.test(named) && facts.code !== 'EACCES')
      yield* orNothing(named, matching(named), 'matches no file');
    else yield { file: named, error: missing(`${named} cannot be read (${facts.message})`) };
  }
}

/** What `found` yields; an error where that is nothing. */
async function* orNothing(named: string, found: AsyncGenerator<Found>, what: string): AsyncGenerator<Found> {
  let count = 0;
  for await (const one of found) {
    count++;
    yield one;
  }
  if (count === 0) yield { file: named, error: missing(`${named} ${what}`) };
}

const missing = (found: string): ChestMnistError =>
  new ChestMnistError('ERR_DATA_MISSING', { found, needed: KINDS, next: 'check the path' });

/** The pictures below a folder. A link back to a folder on the way, which would never end, is not followed. */
async function* filesIn(folder: string, above: readonly string[]): AsyncGenerator<Found> {
  let names: string[];
  try {
    const place = await realpath(folder);
    if (above.includes(place)) return;
    above = [...above, place];
    names = (await readdir(folder)).filter((name) => !LEFTOVER.test(name)).sort(inOrder);
  } catch (error) {
    yield { file: folder, error: missing(`${folder} cannot be read (${(error as Error).message})`) };
    return;
  }
  for (const name of names) {
    const file = path.join(folder, name);
    const facts = await stat(file).catch(() => undefined);
    if (facts?.isDirectory()) yield* filesIn(file, above);
    else if (EXTENSIONS.test(name) || (facts?.isFile() && (await isPicture(file)))) yield { file };
  }
}

/** By code units, which no country's settings change. */
const inOrder = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** Many DICOM files have no extension. */
async function isPicture(file: string): Promise<boolean> {
  try {
    const handle = await openRegular(file);
    try {
      const head = Buffer.alloc(HEAD_BYTES);
      const { bytesRead } = await handle.read(head, 0, HEAD_BYTES, 0);
      return kindIn(head.subarray(0, bytesRead)) !== undefined;
    } finally {
      await handle.close();
    }
  } catch {
    return false;
  }
}

/** What a pattern matches: `*`, `?` and `[...]` within a name, `**` for any number of folders. */
async function* matching(pattern: string): AsyncGenerator<Found> {
  const { root } = path.parse(pattern);
  const parts = pattern.slice(root.length).split(process.platform === 'win32' ? /[\\/]+/ : /\/+/);
  for await (const file of walk(root, parts, [])) {
    if ((await stat(file)).isDirectory()) yield* filesIn(file, []);
    else yield { file };
  }
}

async function* walk(
  folder: string,
  [part, ...rest]: readonly string[],
  above: readonly string[],
): AsyncGenerator<string> {
  if (part === undefined) {
    yield folder;
    return;
  }
  if (part === '**') {
    const place = await realpath(folder || '.').catch(() => undefined);
    if (place === undefined || above.includes(place)) return;
    if (rest.length === 0) {
      yield folder; // with all that is in it
      return;
    }
    yield* walk(folder, rest, []);
    for (const name of await namesIn(folder)) {
      const inner = path.join(folder, name);
      if (await isFolder(inner)) yield* walk(inner, [part, ...rest], [...above, place]);
    }
    return;
  }
  const isPattern = /[*?[]/.test(part);
  const names = isPattern ? (await namesIn(folder)).filter((name) => expressionOf(part).test(name)) : [part];
  for (const name of names) {
    const inner = path.join(folder, name);
    const facts = await stat(inner).catch(() => undefined);
    if (facts && (rest.length === 0 || facts.isDirectory())) yield* walk(inner, rest, []);
  }
}

const isFolder = async (place: string): Promise<boolean> =>
  stat(place).then(
    (facts) => facts.isDirectory(),
    () => false,
  );

/** The names in a folder, sorted, without hidden ones, as shells do; none where it cannot be read. */
async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(folder || '.')) if (!name.startsWith('.')) names.push(name);
  } catch {
    return [];
  }
  return names.sort(inOrder);
}

/** A part of a pattern as an expression for a whole name. */
function expressionOf(part: string): RegExp {
  const source = part.replace(/\[(!?)([^\]]+)\]|[*?]|[^*?[]+|\[/g, (piece: string, not?: string, set?: string) => {
    if (piece === '*') return '.*';
    if (piece === '?') return '.';
    if (set !== undefined) return `[${not === '!' ? '^' : ''}${set.replace(/[\\^[\]]/g, '\\$&')}]`;
    return piece.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  });
  try {
    return new RegExp(`^${source}$`, 'su');
  } catch {
    return /(?!)/; // a range that ends before it begins holds nothing
  }
}
