/**
 * Ranges of options: read, checked, and turned from points of the unit cube into options. Not here: which of these options
 * are good (tune/).
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { show } from '../base/arguments';
import { ChestMnistError, nameOptions } from '../base/errors';
import { expandHome } from '../base/folders';
import { haltonPoint, MOST_DIMENSIONS } from '../base/halton';
import { readJson } from '../base/json';
import { nearest } from '../base/nearest';
import { shellWord } from '../base/shell';
import { OPTION_NAMES, TRAIN_OPTIONS, type OptionName, type ResolvedOptions, type TrainOptions } from './options';
import type { OptionSpec } from './option';
import { resolveOptions } from './resolve';

nameOptions(['space', 'trials']);

const rangeSchema = z.strictObject({
  min: z.number(),
  max: z.number(),
  /** Even in the logarithm; `min` is then above 0. */
  log: z.boolean().default(false),
  /** Whole numbers. */
  integer: z.boolean().default(false),
});
type Range = z.output<typeof rangeSchema>;

/**
 * What a search varies: by the name of an option a range of numbers, both ends included, or a list of values. `log`: even
 * in the logarithm; `integer`: whole numbers.
 */
export type SearchSpace = {
  [K in OptionName]?:
    { min: number; max: number; log?: boolean; integer?: boolean } | readonly Exclude<TrainOptions[K], undefined>[];
};

/** The same, checked and with its defaults. */
export type Space = Record<string, Range | unknown[]>;
export const spaceSchema: z.ZodType<Space> = z.record(z.string(), z.union([rangeSchema, z.array(z.unknown())]));

/** Options of the data, of the judgement, and the budget: networks that differ in these cannot be compared. */
const FIXED: readonly OptionName[] = [
  ...(['recipe', 'size', 'task', 'labelNames', 'limitTrain', 'limitVal', 'limitTest'] as const),
  ...(['weightsKey', 'seed', 'select', 'patience', 'exact'] as const),
];
/** What a search decides itself, or what concerns a single finished run. */
export const NOT_SEARCHED = ['seeds', 'resume', 'report', 'resamples', 'calibrate', 'tensorboard', 'watch'] as const;
/** The options of `tune`, beside its own. */
export const TUNE_OPTIONS = OPTION_NAMES.filter((name) => !(NOT_SEARCHED as readonly string[]).includes(name));

const specOf = (name: string): OptionSpec => TRAIN_OPTIONS[name as OptionName];
const SEARCHED = OPTION_NAMES.filter((name) => !FIXED.includes(name) && !specOf(name).free && !specOf(name).runOnly);

const FOLDER = path.resolve(__dirname, '..', '..', 'examples', 'spaces');

/**
 * The ranges to search: those given, a JSON file of them, or what the package has for the recipe. Throws ERR_CONFIG.
 */
export async function readSpace(given: unknown, recipe: string | null | undefined): Promise<Space> {
  if (typeof given === 'object' && given !== null) return checked(given, '--space');
  if (typeof given === 'string' && given !== '') {
    const file = expandHome(given);
    return readFile(file, `--space ${shellWord(file)}`);
  }
  if (given !== undefined) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--space is ${show(given)}`,
      needed: 'an object of ranges, or a JSON file of them',
      next: 'correct --space',
    });
  }
  const own = path.join(FOLDER, `${recipe}.json`);
  // A recipe that is a file has no ranges in the package.
  if (recipe && path.basename(recipe) === recipe && existsSync(own)) return readFile(own, `the ranges of ${recipe}`);
  throw new ChestMnistError('ERR_CONFIG', {
    found: recipe ? `the package has no ranges for the recipe ${recipe}` : 'neither --space nor a recipe with ranges',
    needed: 'the options to search, and their ranges',
    next: 'pass --recipe strong, whose ranges the package has, or a JSON file with --space',
  });
}

async function readFile(file: string, what: string): Promise<Space> {
  const refuse = (found: string, cause?: unknown): ChestMnistError =>
    new ChestMnistError(
      'ERR_CONFIG',
      { found: `${what}, which ${found}`, needed: 'a JSON object of ranges', next: 'correct the file or its path' },
      { cause },
    );
  const value = await readJson(file, refuse);
  if (value === undefined) throw refuse('does not exist');
  return checked(value, what);
}

const RANGE = 'a list of values, or {"min": 0.0001, "max": 0.01} with "log" or "integer" as true where wanted';

function checked(value: object, what: string): Space {
  const refuse = (found: string, needed: string, next: string): ChestMnistError =>
    new ChestMnistError('ERR_CONFIG', { found: `${what}: ${found}`, needed, next });
  const entries = Object.entries(value);
  if (entries.length === 0 || entries.length > MOST_DIMENSIONS)
    throw refuse(`${entries.length} ranges`, `1 to ${MOST_DIMENSIONS} of them`, 'name the options that matter most');
  const space = entries.map(([name, given]): [string, Range | unknown[]] => {
    if (!(SEARCHED as string[]).includes(name)) {
      const near = nearest(name, SEARCHED);
      const isOption = (OPTION_NAMES as string[]).includes(name);
      throw refuse(
        isOption ? `${name} is no matter of a search` : `unknown option ${show(name)}`,
        `options of ${SEARCHED.join(', ')}`,
        near !== undefined && !isOption ? `perhaps ${near}` : `leave ${show(name)} out`,
      );
    }
    const { schema, needed } = specOf(name);
    const isAllowed = (one: unknown): boolean => schema.safeParse(one).success;
    const wrong = (why: string, need: string): ChestMnistError =>
      refuse(`${name} is ${show(given)}${why}`, need, `correct the range of ${name}`);
    if (Array.isArray(given)) {
      if (given.length < 2) throw wrong('', 'at least two values to choose from');
      const bad: unknown = given.find((one) => !isAllowed(one));
      if (bad !== undefined || given.includes(undefined)) throw wrong(`, with ${show(bad)} in it`, needed);
      if (given.some((one, i) => given.findIndex((other) => isDeepStrictEqual(one, other)) !== i))
        throw wrong(', with one value twice', 'different values');
      return [name, given as unknown[]];
    }
    const parsed = rangeSchema.safeParse(given);
    if (!parsed.success) throw wrong('', RANGE);
    const { min, max, log, integer } = parsed.data;
    if (min >= max) throw wrong('', 'a min below max');
    if (log && min <= 0) throw wrong('', 'a min above 0: the logarithm of 0 has no value');
    if (integer && !(Number.isSafeInteger(min) && Number.isSafeInteger(max)))
      throw wrong('', 'whole numbers as min and max');
    const bad = [min, max].find((end) => !isAllowed(end));
    if (bad !== undefined) throw wrong(`, and ${bad} is not allowed`, needed);
    if (!integer && specOf(name).schema.safeParse(min + (max - min) / Math.PI).error)
      throw wrong(', and values between are not allowed', `${needed}: with "integer" as true, or a list of values`);
    return [name, parsed.data];
  });
  return Object.fromEntries(space);
}

/** Of numbers that are drawn: what a person can read and copy. */
const DIGITS = 4;

function valueAt(range: Range | unknown[], at: number): unknown {
  if (Array.isArray(range)) return range[Math.floor(at * range.length)];
  const { min, max, log, integer } = range;
  // Each whole number has a part of its own, also the ends.
  const [low, high] = integer ? (log ? [min - 0.5, max + 0.5] : [min, max + 1]) : [min, max];
  const value = log ? Math.exp(Math.log(low) + at * Math.log(high / low)) : low + at * (high - low);
  const shown = integer ? (log ? Math.round(value) : Math.floor(value)) : Number(value.toPrecision(DIGITS));
  return Math.min(max, Math.max(min, shown));
}

/** As many points are tried for each that is wanted: a list may give the same values twice. */
const TRIES = 100;

/**
 * `count` different points of the space, as options: low-discrepancy points that `options.seed` shifts. Each is checked
 * together with `options`. Throws ERR_CONFIG.
 */
export function pointsIn(space: Space, count: number, options: ResolvedOptions): Record<string, unknown>[] {
  const names = Object.keys(space);
  const points = new Map<string, Record<string, unknown>>();
  for (let i = 0; points.size < count && i < count * TRIES; i++) {
    const place = haltonPoint(i, names.length, options.seed);
    const point = Object.fromEntries(names.map((name, j) => [name, valueAt(space[name], place[j])]));
    const key = JSON.stringify(point);
    if (!points.has(key)) points.set(key, point);
  }
  if (points.size < count) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--trials is ${count}, and the ranges have ${points.size} different points`,
      needed: 'as many points as trials',
      next: points.size < 2 ? 'add ranges or values' : `use --trials ${points.size}, or add ranges or values`,
    });
  }
  for (const point of points.values()) at(options, point);
  return [...points.values()];
}

/** The options with those of a point. Throws ERR_CONFIG where they do not go together. */
export function at(options: ResolvedOptions, point: Readonly<Record<string, unknown>>): ResolvedOptions {
  try {
    return resolveOptions({ ...options, ...point });
  } catch (cause) {
    const { found, needed } = ChestMnistError.inFlags(cause as ChestMnistError);
    throw new ChestMnistError(
      'ERR_CONFIG',
      { found: `a point of the ranges, ${textOf(point)}: ${found}`, needed, next: 'narrow the ranges' },
      { cause },
    );
  }
}

/** `lr 0.001, mixup 0.2`. */
export const textOf = (point: Readonly<Record<string, unknown>>): string =>
  Object.entries(point)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
