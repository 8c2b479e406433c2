/** Small JSON files that hold an object: read with the error that the caller gives, written as a whole. */
import { readText, writeAtomically } from './atomic';
import type { ChestMnistError } from './errors';

/** The object in a JSON file; undefined when there is no such file. `refuse` makes the error of a file that has none. */
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

/** Replaces a JSON file as a whole. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  await writeAtomically(file, (handle) => handle.writeFile(`${JSON.stringify(value, null, 2)}\n`));
}
