/**
 * Checks what a caller of the API passes: arguments, and the fields of objects of options. TypeScript refuses the same
 * before a program runs; a JavaScript program gets a ChestMnistError that names the argument. Not here: the options of a
 * training run (recipe/).
 */
import { ChestMnistError, type ErrorCode } from './errors';
import { nearest } from './nearest';

/** What a value must be. */
export interface Rule {
  readonly is: (value: unknown) => boolean;
  /** The `needed` of the error. */
  readonly needed: string;
}

export const rule = (needed: string, is: Rule['is']): Rule => ({ needed, is });

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

export const TEXT = rule('text', (value) => typeof value === 'string' && value !== '');
export const SWITCH = rule('true or false', (value) => typeof value === 'boolean');
export const FUNCTION = rule('a function', (value) => typeof value === 'function');
export const SIGNAL = rule('an AbortSignal', (value) => value instanceof AbortSignal);
export const OBJECT = rule('an object', (value) => isObject(value) && !Array.isArray(value));
/** Checked elsewhere. */
export const ANY = rule('anything', () => true);
export const integer = (least: number, most = Number.MAX_SAFE_INTEGER): Rule =>
  rule(
    most === Number.MAX_SAFE_INTEGER ? `a whole number from ${least}` : `a whole number from ${least} to ${most}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  );

const NUMERIC = /^\[object (Uint|Int|Float)\d+(Clamped)?Array\]$/;

/** A typed array of numbers, or an array. The values of an array are checked where they are read. */
export const isNumbers = (value: unknown): value is ArrayLike<number> =>
  Array.isArray(value) || NUMERIC.test(Object.prototype.toString.call(value));

/** Throws `code` unless `value` is what `needed` says. */
export function checkArgument(
  name: string,
  value: unknown,
  { is, needed }: Rule,
  code: ErrorCode = 'ERR_CONFIG',
): void {
  if (is(value)) return;
  throw new ChestMnistError(code, { found: `${name} is ${show(value)}`, needed, next: `correct ${name}` });
}

/**
 * Checks an object of options called `name`: each field that is set by its rule, and no field without one. ERR_CONFIG.
 */
export function checkFields(name: string, given: unknown, rules: Readonly<Record<string, Rule>>): void {
  checkArgument(name, given, OBJECT);
  for (const [field, value] of Object.entries(given as object)) {
    if (Object.hasOwn(rules, field)) {
      if (value !== undefined) checkArgument(field, value, rules[field]);
      continue;
    }
    const near = nearest(field, Object.keys(rules));
    throw new ChestMnistError('ERR_CONFIG', {
      found: `unknown option ${show(field)}`,
      needed: near === undefined ? `one of ${Object.keys(rules).join(', ')}` : `perhaps ${near}`,
      next: `leave ${show(field)} out, or correct its name`,
    });
  }
}

/** A value as an error shows it: short, and NaN stays NaN. */
export function show(value: unknown): string {
  const shown = typeof value === 'number' || value === undefined ? String(value) : (shortOf(value) ?? typeof value);
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown;
}

/** Undefined for what JSON cannot hold: a function, a BigInt, a cycle, an array nested ten thousand deep. */
function shortOf(value: unknown): string | undefined {
  if (isNumbers(value) && value.length > 20) {
    return `${Array.isArray(value) ? 'an array' : `a ${value.constructor.name}`} of ${value.length} values`;
  }
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
