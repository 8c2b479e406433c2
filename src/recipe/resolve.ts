/**
 * Resolves options: fills in defaults, refuses wrong values, reads flags, and selects the fields for config.json and
 * for a native trainer. Not here: the options themselves (options.ts).
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { show } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import { nearest } from '../base/nearest';
import { defaultThreads } from '../base/processors';
import { OPTION_NAMES, TRAIN_OPTIONS, type OptionName, type OptionTable, type ResolvedOptions } from './options';
import type { OptionSpec } from './option';
import { lastLearningRate } from './schedule';

/** A row of the table, including the fields that not every option has. */
const specOf = (name: OptionName): OptionSpec => TRAIN_OPTIONS[name];

const schema = z.strictObject(
  Object.fromEntries(OPTION_NAMES.map((name) => [name, TRAIN_OPTIONS[name].schema])) as {
    [K in OptionName]: OptionTable[K]['schema'];
  },
);

/** Fills in the defaults. Throws ERR_CONFIG, which names each wrong option, its value and what it needs. */
export function resolveOptions(input: unknown): ResolvedOptions {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `options are ${show(input)}`,
      needed: 'an object',
      next: 'pass options by name',
    });
  }
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const parsed = schema.safeParse(given);
  if (parsed.success) return checkedTogether(parsed.data);
  const found: string[] = [];
  const needed: string[] = [];
  const next: string[] = [];
  const faults = new Set(
    parsed.error.issues.flatMap((i) => (i.code === 'unrecognized_keys' ? i.keys : [String(i.path[0])])),
  );
  for (const name of faults) {
    if (Object.hasOwn(TRAIN_OPTIONS, name)) {
      const { flag, needed: what } = specOf(name as OptionName);
      const word = flag.startsWith('--no-') ? name : flag.split(' ')[0];
      found.push(`${word} is ${show(given[name])}`);
      needed.push(`${word}: ${what}`);
      next.push(`correct ${word}`);
    } else {
      const near = nearest(name, OPTION_NAMES);
      found.push(`unknown option ${show(name)}`);
      needed.push(near ? `perhaps ${near}` : 'an option of the training run');
      next.push(`leave ${show(name)} out, or correct its name`);
    }
  }
  throw new ChestMnistError('ERR_CONFIG', {
    found: found.join('; '),
    needed: needed.join('; '),
    next: next.join('; '),
  });
}

/** Each option may be sound, and two of them together not. */
function checkedTogether(options: ResolvedOptions): ResolvedOptions {
  const { warmup, epochs, loss, focus, seeds } = options;
  const twice = seeds?.find((seed, i) => seeds.indexOf(seed) !== i);
  if (twice !== undefined) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--seeds has ${twice} twice`,
      needed: 'different seeds: two members of one seed are the same network',
      next: `leave one ${twice} out`,
    });
  }
  if (warmup >= epochs && warmup > 0) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--warmup is ${warmup}, --epochs is ${epochs}`,
      needed: 'a warm-up that ends before the run does',
      next: 'use a shorter --warmup or more --epochs',
    });
  }
  if (focus !== null && loss === 'bce') {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--focus is ${focus}, --loss is bce`,
      needed: 'a loss that has an exponent: focal or asl',
      next: 'leave --focus out, or pass --loss focal',
    });
  }
  const last = options.schedule === 'step' ? lastLearningRate(options) : 0;
  if (Number.isFinite(last)) return options;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `the learning rate of epoch ${options.epochs} is ${last}: lr is ${options.lr}, gamma is ${options.gamma}`,
    needed: 'learning rates that stay finite',
    next: 'use a lower gamma or fewer milestones',
  });
}

/** What options meant before they could be set; where it differs from their default. */
const FORMERLY = { decayNorms: true } as const;

/** Options saved by this version or an earlier one; missing ones get their former meaning. Throws as resolveOptions does. */
export const savedOptions = (saved: Readonly<Record<string, unknown>>): ResolvedOptions =>
  resolveOptions({ ...FORMERLY, ...saved });

/**
 * A flag's text as the option's value: text where the option accepts it, otherwise a number. Anything else stays text,
 * for the error message.
 */
export function readFlag(name: OptionName, value: string | boolean): unknown {
  if (typeof value === 'boolean') return value;
  const { schema, list } = specOf(name);
  const numberOf = (word: string): unknown =>
    word.trim() === '' || (Number.isNaN(Number(word)) && word !== 'NaN') ? word : Number(word);
  if (!list) return schema.safeParse(value).success ? value : numberOf(value);
  if (value.trim() === 'none' && schema.safeParse([]).success) return [];
  const words = value.split(',').map((word) => word.trim());
  return schema.safeParse(words).success ? words : words.map(numberOf);
}

/** The default of an option as the help shows it; undefined without a default and for switches. */
export function defaultText(name: OptionName): string | undefined {
  const value = resolveOptions({})[name];
  if (value === null || typeof value === 'boolean') return undefined;
  return Array.isArray(value) ? value.join(',') : String(value);
}

/** The number of threads: the given one, else what this machine allows. */
export const threadsOf = ({ threads }: Pick<ResolvedOptions, 'threads'>): number => threads ?? defaultThreads().threads;

/** Whether an option may differ on resume. */
export const isFree = (name: OptionName): boolean => specOf(name).free === true;

type NativeName<K extends OptionName> = OptionTable[K] extends { readonly native: infer N extends string } ? N : never;
/** The options of a native trainer, under its own field names. */
export type NativeFields = { [K in OptionName as NativeName<K>]: NonNullable<ResolvedOptions[K]> };

export function nativeFields(options: ResolvedOptions): NativeFields {
  const fields = OPTION_NAMES.flatMap((name) => {
    const { native } = specOf(name);
    return native === undefined ? [] : [[native, options[name]]];
  });
  return { ...(Object.fromEntries(fields) as NativeFields), threads: threadsOf(options) };
}

/**
 * What config.json holds: every option except those that apply to one run only, so that `--config` starts a new one.
 */
export function configOf(options: ResolvedOptions): Partial<ResolvedOptions> {
  const kept = OPTION_NAMES.filter((name) => specOf(name).runOnly !== true);
  return Object.fromEntries(kept.map((name) => [name, options[name]]));
}

/** The options that config.json keeps and that differ. */
export const differingOptions = (a: ResolvedOptions, b: ResolvedOptions): OptionName[] =>
  (Object.keys(configOf(a)) as OptionName[]).filter((name) => !isDeepStrictEqual(a[name], b[name]));

export const sameOptions = (a: ResolvedOptions, b: ResolvedOptions): boolean => differingOptions(a, b).length === 0;
