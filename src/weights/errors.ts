/**
 * Errors about weight files. Names come from files that may be hostile, so they are shortened and stripped of control
 * characters before they reach a terminal.
 */
import { ChestMnistError, type ErrorParts } from '../base/errors';

/** ERR_WEIGHTS with the usual three parts. */
export function weightsError(parts: ErrorParts, cause?: unknown): ChestMnistError {
  return new ChestMnistError('ERR_WEIGHTS', parts, { cause });
}

/** A name from a file, safe to print: unchanged when plain, otherwise quoted and at most 80 characters. */
export function shown(name: string): string {
  if (/^[\w.:/-]{1,80}$/.test(name)) return name;
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name).replace(/[\x7f-\x9f\u2028\u2029]/g, '?');
}

/** The message of a thrown value. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
