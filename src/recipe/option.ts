/** What an option is, and the values that several options share. Not here: the options themselves (options.ts, elements.ts). */
import { z } from 'zod';
import { expandHome } from '../base/folders';

export interface OptionSpec<S extends z.ZodType = z.ZodType> {
  /** As commander expects it, e.g. `--lr <rate>`. */
  readonly flag: string;
  /** Allowed values and default; null means not set. */
  readonly schema: S;
  /** The `needed` of the error when a value is refused. */
  readonly needed: string;
  readonly help: string;
  /** The flag accepts several values, separated by commas. */
  readonly list?: true;
  /** Name of its field in a native trainer's configuration. */
  readonly native?: string;
  /** It does not change the result, so it may differ on resume. */
  readonly free?: true;
  /** It applies to one run only, so config.json does not hold it. */
  readonly runOnly?: true;
}

export const option = <S extends z.ZodType, const T extends OptionSpec<S>>(spec: T & { schema: S }): T => spec;

export const count = z.int().min(1);
export const side = z.int().min(28).max(1024).multipleOf(2);
export const positive = z.number().positive();
/** From 0 to 1. */
export const part = z.number().min(0).max(1);
export const text = z.string().min(1);
/** A path, or a name: `~` is written out, so that flags, JSON and programs mean the same place. */
export const place = text.transform(expandHome);
export const orNull = <S extends z.ZodType>(schema: S) => schema.nullable().default(null);

export const SIDE = 'an even number of pixels from 28 to 1024';
export const COUNT = 'a whole number from 1';
export const SWITCH = 'true or false';
export const PART = 'a number from 0 to 1';
