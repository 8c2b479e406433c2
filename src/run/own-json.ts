/** Reads a JSON file of the run: its absence is no fault, other content than expected is ERR_DATA_CORRUPT. */
import { z } from 'zod';
import { readJson } from '../base/json';
import type { ChestMnistError } from '../base/errors';
import { damaged } from './directory';
import { isThere } from './entries';

/** The object in the file; undefined when it does not exist. */
export async function readOwn(directory: string, file: string): Promise<Record<string, unknown> | undefined> {
  if (!(await isThere(directory, file))) return undefined;
  return readJson(file, (what, cause) => damaged(directory, file, what, cause));
}

/** The same through a schema. */
export async function readAs<S extends z.ZodType>(
  directory: string,
  file: string,
  schema: S,
): Promise<z.output<S> | undefined> {
  const value = await readOwn(directory, file);
  if (value === undefined) return undefined;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw unexpected(directory, file, z.prettifyError(parsed.error));
}

export const unexpected = (directory: string, file: string, what: string, cause?: unknown): ChestMnistError =>
  damaged(directory, file, `is not as expected: ${what.replaceAll('\n', ' ').slice(0, 400)}`, cause);
