/** config.json: the options of a run, written and read through the table of options. */
import { writeJson } from '../base/json';
import { ChestMnistError } from '../base/errors';
import { OPTION_NAMES, type ResolvedOptions } from '../recipe/options';
import { configOf, savedOptions } from '../recipe/resolve';
import { runFiles } from './directory';
import { readOwn, unexpected } from './own-json';

export const writeConfig = (directory: string, options: ResolvedOptions): Promise<void> =>
  writeJson(runFiles(directory).config, configOf(options));

/**
 * config.json, without options that this version does not know; undefined when it does not exist. Throws
 * ERR_DATA_CORRUPT.
 */
export async function readConfig(directory: string): Promise<ResolvedOptions | undefined> {
  const { config: file } = runFiles(directory);
  const value = await readOwn(directory, file);
  if (value === undefined) return undefined;
  try {
    return savedOptions(
      Object.fromEntries(OPTION_NAMES.flatMap((name) => (name in value ? [[name, value[name]]] : []))),
    );
  } catch (cause) {
    throw unexpected(directory, file, (cause as ChestMnistError).found, cause);
  }
}
