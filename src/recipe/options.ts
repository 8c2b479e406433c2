/**
 * Every option of a training run, in one table: name, flag, what it needs, what it does, its default. The API's types
 * and validation, the command line's flags and help, and config.json all come from it. Defaults are the MedMNIST protocol.
 */
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { ChestMnistError } from '../base/errors';
import { nearest } from '../base/nearest';

export interface OptionSpec<S extends z.ZodType = z.ZodType> {
  /** As commander takes it, e.g. `--lr <rate>`. */
  readonly flag: string;
  /** The `needed` of the error when a value is refused. */
  readonly needed: string;
  readonly help: string;
  readonly schema: S;
}

const option = <S extends z.ZodType>(flag: string, schema: S, needed: string, help: string): OptionSpec<S> => ({
  flag,
  needed,
  help,
  schema,
});

const count = z.int().min(1);
const side = z.int().min(28).max(1024).multipleOf(2);
const positive = z.number().positive();
const text = z.string().min(1);
const orNull = <S extends z.ZodType>(schema: S) => schema.nullable().default(null);

/** The table. A default is part of its schema; null means not set. */
export const TRAIN_OPTIONS = {
  /** Name of a known data set (`chestmnist`), path of an .npz file, or `synthetic`. */
  data: option(
    '--data <name|file>',
    text.default('chestmnist'),
    'a data set name, an .npz file or synthetic',
    'data set name, .npz file or synthetic',
  ),
  /** Side of the images in pixels, 28 unless the file says otherwise. */
  size: option(
    '--size <pixels>',
    orNull(side),
    'an even number of pixels from 28 to 1024',
    'which size of a known data set (28 unless --data is a file)',
  ),
  /** Side the network sees after nearest resizing, in pixels. */
  resize: option(
    '--resize <pixels>',
    orNull(side),
    'an even number of pixels from 28 to 1024',
    'resize (nearest) before the network',
  ),
  /** With `resume` another number than before: the run is extended, its milestones stay where they were. */
  epochs: option('--epochs <n>', count.default(100), 'a whole number from 1', 'passes over the training split'),
  /** Images in a step. At least 2: batch statistics of one image at 1x1 do not exist. */
  batchSize: option('--batch-size <n>', z.int().min(2).default(128), 'a whole number from 2', 'images in a step'),
  /** Learning rate of the first epoch. */
  lr: option('--lr <rate>', positive.default(1e-3), 'a finite number above 0', 'learning rate of the first epoch'),
  optimizer: option('--optimizer <name>', z.enum(['adam', 'adamw']).default('adam'), 'adam or adamw', 'adam or adamw'),
  weightDecay: option(
    '--weight-decay <rate>',
    z.number().min(0).default(0),
    'a finite number from 0',
    "decay: torch's weight_decay",
  ),
  /** Epochs after which the learning rate is multiplied by gamma: numbers, or percentages of `epochs` as text. */
  milestones: option(
    '--milestones <list>',
    z.array(z.union([count, z.string().regex(/^\d+(\.\d+)?%$/)])).default(['50%', '75%']),
    'epoch numbers from 1 or percentages, such as 50%,75% (or none)',
    'epochs, or shares of them, after which --gamma applies; or none',
  ),
  gamma: option(
    '--gamma <factor>',
    positive.default(0.1),
    'a finite number above 0',
    'factor on the learning rate at each milestone',
  ),
  loss: option(
    '--loss <name>',
    z.enum(['bce']).default('bce'),
    'bce',
    'bce: binary cross-entropy with logits, mean over labels',
  ),
  stem: option(
    '--stem <name>',
    z.enum(['torchvision', 'cifar']).default('torchvision'),
    'torchvision or cifar',
    'torchvision (7x7 stride 2, max-pool) or cifar (3x3 stride 1)',
  ),
  /** Initial weights: a .safetensors or torchvision .pth file, or `imagenet`. */
  weights: option(
    '--weights <file|imagenet>',
    orNull(text),
    'a .safetensors or .pth file, or imagenet',
    'initial weights: a file, or imagenet',
  ),
  device: option(
    '--device <name>',
    z
      .string()
      .regex(/^(auto|cpu|cuda(:\d{1,3})?)$/)
      .default('auto'),
    'auto, cpu, cuda or cuda:N',
    'auto, cpu, cuda or cuda:N',
  ),
  precision: option('--precision <name>', z.enum(['fp32', 'bf16']).default('fp32'), 'fp32 or bf16', 'fp32 or bf16'),
  /** LibTorch's plain operators, even where a faster execution of the same function exists. */
  exact: option(
    '--exact',
    z.boolean().default(false),
    'true or false',
    'plain LibTorch operators, without the faster execution of the same network',
  ),
  threads: option(
    '--threads <n>',
    z
      .int()
      .min(1)
      .max(1024)
      .default(() => availableParallelism()),
    'a whole number from 1 to 1024',
    'CPU threads',
  ),
  /** Seed of the initial weights and of the order of every epoch. */
  seed: option(
    '--seed <n>',
    z.int().min(0).default(0),
    'a whole number from 0',
    'seed of the initial weights and of the order',
  ),
  /** Folder that holds the runs. */
  out: option('--out <folder>', text.default('runs'), 'a folder', 'folder that holds the runs'),
  /** Name of the run's own folder; by default the time and the data's name. */
  name: option(
    '--name <name>',
    orNull(z.string().regex(/^[A-Za-z0-9_][\w.-]{0,199}$/)),
    'letters, digits, dots, dashes and underscores',
    "name of the run's folder (default: time and data)",
  ),
  /** A run directory to continue, or true for the newest unfinished one in `out`. */
  resume: option(
    '--resume [run]',
    z.union([z.boolean(), text]).default(false),
    'a run directory',
    'continue a run: its folder, or the newest unfinished one in --out; with more --epochs to extend it',
  ),
  /** Minutes between checkpoints inside an epoch; there is one after every epoch besides. */
  checkpointEvery: option(
    '--checkpoint-every <minutes>',
    positive.max(10_000).default(10),
    'a number of minutes above 0, at most 10000',
    'checkpoint inside a long epoch as well, every so many minutes',
  ),
  /** Ends the run after so many epochs without a better one. */
  patience: option(
    '--patience <n>',
    orNull(count),
    'a whole number from 1',
    'end after so many epochs without a better one',
  ),
  limitTrain: option('--limit-train <n>', orNull(count), 'a whole number from 1', 'only the first n training images'),
  limitVal: option('--limit-val <n>', orNull(count), 'a whole number from 1', 'only the first n validation images'),
  limitTest: option('--limit-test <n>', orNull(count), 'a whole number from 1', 'only the first n test images'),
  tensorboard: option(
    '--tensorboard',
    z.boolean().default(false),
    'true or false',
    'also write TensorBoard event files',
  ),
} as const;

type Table = typeof TRAIN_OPTIONS;
export type OptionName = keyof Table;

/** What `train` takes: every field may be left out. Meaning and limits are those of the flags in `chestmnist train --help`. */
export type TrainOptions = { [K in OptionName]?: z.input<Table[K]['schema']> };
/** The same with every default filled in; config.json holds it. */
export type ResolvedOptions = { [K in OptionName]: z.output<Table[K]['schema']> };

export const OPTION_NAMES = Object.keys(TRAIN_OPTIONS) as OptionName[];

const schema = z.strictObject(
  Object.fromEntries(OPTION_NAMES.map((name) => [name, TRAIN_OPTIONS[name].schema])) as {
    [K in OptionName]: Table[K]['schema'];
  },
);

/** A value as an error shows it: short, and NaN stays NaN. */
export function show(value: unknown): string {
  const shown = typeof value === 'number' || value === undefined ? String(value) : (jsonOf(value) ?? typeof value);
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown;
}

/** Undefined for what JSON cannot hold: a function, a BigInt, a cycle, an array nested ten thousand deep. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}

/** Fills in the defaults. Throws ERR_CONFIG that names each option at fault, what it needs and what it got. */
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
  if (parsed.success) return parsed.data;
  const found: string[] = [];
  const needed: string[] = [];
  const faults = new Set(
    parsed.error.issues.flatMap((i) => (i.code === 'unrecognized_keys' ? i.keys : [String(i.path[0])])),
  );
  for (const name of faults) {
    if (Object.hasOwn(TRAIN_OPTIONS, name)) {
      found.push(`${name} is ${show(given[name])}`);
      needed.push(`${name}: ${TRAIN_OPTIONS[name as OptionName].needed}`);
    } else {
      const near = nearest(name, OPTION_NAMES);
      found.push(`there is no option ${show(name)}`);
      needed.push(near ? `perhaps ${near}` : 'an option of the training run');
    }
  }
  throw new ChestMnistError('ERR_CONFIG', {
    found: found.join('; '),
    needed: needed.join('; '),
    next: 'see the options: chestmnist train --help',
  });
}

/** A flag's text as the option's value: text where the option takes it, else a number; what is neither stays, for the error to show. */
export function readFlag(name: OptionName, value: string | boolean): unknown {
  const number = (word: string): unknown =>
    word.trim() === '' || (Number.isNaN(Number(word)) && word !== 'NaN') ? word : Number(word);
  if (typeof value === 'boolean') return value;
  if (name === 'milestones') return value.trim() === 'none' ? [] : value.split(',').map((word) => number(word.trim()));
  return TRAIN_OPTIONS[name].schema.safeParse(value).success ? value : number(value);
}

/** The default of an option as help shows it; undefined for none. */
export function defaultText(name: OptionName): string | undefined {
  const value = resolveOptions({})[name];
  return value === null || value === false ? undefined : Array.isArray(value) ? value.join(',') : String(value);
}

/** What config.json holds: every option but those that name the run (name, resume), so that `--config` starts a new one. */
export function configOf(options: ResolvedOptions): Omit<ResolvedOptions, 'name' | 'resume'> {
  const config: Partial<ResolvedOptions> = { ...options };
  delete config.name;
  delete config.resume;
  return config as Omit<ResolvedOptions, 'name' | 'resume'>;
}
