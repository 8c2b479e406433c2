/** Small JSON files that hold an object. The caller makes the errors of reading; writing is atomic. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { readText, writeAtomically } from './atomic';
import { jsonText } from './text';
import type { ChestMnistError } from './errors';

/** The object in a JSON file; undefined when the file does not exist. `refuse` makes the error for other content. */
export async function readJson(
  file: string,
  refuse: (what: string, cause?: unknown) => ChestMnistError,
): Promise<Record<string, unknown> | undefined> {
  const text = await readText(file, refuse);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refuse(`is not JSON (${(cause as Error).message})`, cause);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw refuse('is not a JSON object');
}

/** Writes a JSON file atomically. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  await writeAtomically(file, (handle) => handle.writeFile(`${jsonText(value, 2)}\n`));
}

/** The same without waiting, for a process that exits: nothing is flushed, and a failure changes nothing. */
export function writeJsonNow(file: string, value: unknown): void {
  const temporary = `${file}.${process.pid.toString(16).padStart(8, '0')}.tmp`;
  try {
    writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { flag: 'wx' });
    renameSync(temporary, file);
  } catch {
    rmSync(temporary, { force: true });
  }
}
