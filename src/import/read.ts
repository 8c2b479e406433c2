/** Reads the pictures that are not done yet, side by side, into FILE.part/. Not here: one picture (picture.ts). */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { ChestMnistError } from '../base/errors';
import { processorsToUse } from '../base/processors';
import { Notes } from '../data/pictures/read';
import type { ImportOptions } from './options';
import { Part, type Entry } from './part';
import type { Facts, Preparing } from './picture';
import { askAll, type Settings } from './pool';
import type { Missing, Source } from './sources';

/** A picture that was read, with its number in the part. */
export type Read = Source & { readonly id: number; readonly facts: Facts };

export interface ReadAll {
  readonly read: readonly Read[];
  readonly refused: readonly Missing[];
  /** What was decided for them, a line per kind. */
  readonly decided: readonly string[];
}

/** What the pictures that are done depend on. A file that cannot be looked at is refused when it is read. */
export async function planOfPart(files: readonly string[], preparing: Preparing): Promise<unknown> {
  const facts: unknown[] = [];
  for (const file of files) {
    const known = await stat(file).catch(() => undefined);
    facts.push([file, known?.size, known?.mtimeMs]);
  }
  return { version: 2, preparing, facts };
}

/** Throws where none can be read, and with --strict at the first that cannot. */
export async function readAll(
  part: Part,
  images: readonly Source[],
  folder: string,
  settings: Settings,
  signal: AbortSignal,
  { strict, onProgress, onNote: note = () => {} }: ImportOptions,
): Promise<ReadAll> {
  // What the machine refuses is not the picture's fault.
  const stopAt = (entry: Entry): void => {
    if ('refused' in entry && (strict || !entry.refused.code.startsWith('ERR_DATA_')))
      throw new ChestMnistError(entry.refused.code, entry.refused);
  };
  if (part.entries.size > 0) note(`${part.entries.size} of ${images.length} pictures were done before`);
  for (const entry of part.entries.values()) stopAt(entry);
  const questions = images.flatMap(({ name }, id) =>
    part.entries.has(id) ? [] : [{ id, file: path.join(folder, name) }],
  );
  onProgress?.(part.entries.size, images.length);
  await askAll(
    questions,
    processorsToUse(),
    settings,
    async (answer) => {
      if ('failed' in answer) throw new Error(answer.failed);
      if ('refused' in answer) stopAt(answer);
      await part.add(answer);
      onProgress?.(part.entries.size, images.length);
    },
    signal,
  );
  const read: Read[] = [];
  const refused: Missing[] = [];
  const notes = new Notes();
  images.forEach((source, id) => {
    const entry = part.entries.get(id)!;
    if ('refused' in entry) refused.push({ what: source.name, why: entry.refused.found });
    else {
      read.push({ ...source, group: entry.facts.patient ?? source.group, id, facts: entry.facts });
      notes.add(path.join(path.basename(folder), source.name), entry.facts.notes);
    }
  });
  if (read.length === 0) {
    throw new ChestMnistError('ERR_DATA_CORRUPT', {
      found: `none of ${images.length} pictures can be read; the first: ${refused[0].why}`,
      needed: 'pictures that can be read',
      next: 'check the folder, and --group if it names the Patient ID of DICOM files',
    });
  }
  if (refused.length > 0) note(`${refused.length} of ${images.length} pictures cannot be read and are left out`);
  const decided = notes.lines();
  for (const line of decided) note(line);
  return { read, refused, decided };
}
