/**
 * Every option of a training run, in one table. The API's types and validation, the command line's flags and help,
 * config.json, what may differ on resume and the native configuration all come from it. Defaults are the MedMNIST
 * protocol.
 */
import { z } from 'zod';
import { nameOptions } from '../base/errors';
import { MOST_THREADS } from '../base/processors';
import { TASKS } from '../base/task';
import { ELEMENTS } from './elements';
import { option, count, side, positive, text, place, orNull, SIDE, COUNT, SWITCH } from './option';

/** All but the elements. */
const PROTOCOL = {
  /**
   * Options from a file that these win over: the name of one that the package has (`medmnist`, `seed`, `fast`,
   * `strong`), or the path of a JSON file; null for none.
   */
  recipe: option({
    flag: '--recipe <name|file>',
    schema: orNull(place),
    needed: 'medmnist, seed, fast, strong or a JSON file of options',
    help: 'options from a recipe: medmnist, seed, fast, strong or a JSON file; flags win',
  }),
  /** Name of a known data set (`chestmnist`), path of an .npz file, or `synthetic`; default chestmnist. */
  data: option({
    flag: '--data <name|file>',
    schema: place.default('chestmnist'),
    needed: 'a data set name, an .npz file or synthetic',
    help: 'data set name, .npz file or synthetic',
    // The file may have moved: its MD5 is compared instead.
    free: true,
  }),
  /** Side of the images in pixels, even, 28 to 1024: which size of a known data set, 28 unless `data` is a file. */
  size: option({
    flag: '--size <pixels>',
    schema: orNull(side),
    needed: SIDE,
    help: 'side of the images: which size of a known data set (28 unless --data is a file)',
  }),
  /** Side the network sees after nearest resizing, in pixels, even, 28 to 1024; null for the size of the images. */
  resize: option({
    flag: '--resize <pixels>',
    schema: orNull(side),
    needed: SIDE,
    help: 'resize (nearest) before the network',
  }),
  /**
   * Passes over the training split; default 100. With `resume`, another number than before extends the run; its
   * milestones stay where they were.
   */
  epochs: option({
    flag: '--epochs <n>',
    schema: count.default(100),
    needed: COUNT,
    help: 'passes over the training split',
    free: true,
  }),
  /** Images per step; default 128. At least 2: a single image at 1x1 has no batch statistics. */
  batchSize: option({
    flag: '--batch-size <n>',
    schema: z.int().min(2).default(128),
    needed: 'a whole number from 2',
    help: 'images per step',
  }),
  /** Learning rate of the first epoch, above 0; default 0.001. */
  lr: option({
    flag: '--lr <rate>',
    schema: positive.default(1e-3),
    needed: 'a finite number above 0',
    help: 'learning rate of the first epoch',
    native: 'learningRate',
  }),
  /** `adam` or `adamw`; default adam. */
  optimizer: option({
    flag: '--optimizer <name>',
    schema: z.enum(['adam', 'adamw']).default('adam'),
    needed: 'adam or adamw',
    help: 'adam or adamw',
    native: 'optimizer',
  }),
  /** The weight_decay of PyTorch's optimizer, from 0, on convolution and fc weights; default 0. */
  weightDecay: option({
    flag: '--weight-decay <rate>',
    schema: z.number().min(0).default(0),
    needed: 'a finite number from 0',
    help: "decay of convolution and fc weights: torch's weight_decay",
    native: 'weightDecay',
  }),
  /**
   * Epochs after which the learning rate is multiplied by `gamma`: numbers, or percentages of `epochs` as text; default
   * 50%,75%. An empty array for none.
   */
  milestones: option({
    flag: '--milestones <list>',
    schema: z.array(z.union([count, z.string().regex(/^\d+(\.\d+)?%$/)])).default(['50%', '75%']),
    needed: 'epoch numbers from 1 or percentages, such as 50%,75% (or none)',
    help: 'epochs, or percentages of --epochs, after which --gamma applies; or none',
    list: true,
  }),
  /** Factor on the learning rate at each milestone, above 0; default 0.1. */
  gamma: option({
    flag: '--gamma <factor>',
    schema: positive.default(0.1),
    needed: 'a finite number above 0',
    help: 'factor on the learning rate at each milestone',
  }),
  /** First layers: `torchvision` (7x7 stride 2, max-pool) or `cifar` (3x3 stride 1); default torchvision. */
  stem: option({
    flag: '--stem <name>',
    schema: z.enum(['torchvision', 'cifar']).default('torchvision'),
    needed: 'torchvision or cifar',
    help: 'torchvision (7x7 stride 2, max-pool) or cifar (3x3 stride 1)',
    native: 'stem',
  }),
  /** Initial weights: a .safetensors or torchvision .pth file, or `imagenet`; null for random ones. */
  weights: option({
    flag: '--weights <file|imagenet>',
    schema: orNull(place),
    needed: 'a .safetensors or .pth file, or imagenet',
    help: 'initial weights: a file, or imagenet',
  }),
  /** Which of several networks in the file of `weights`, for example `ema`. */
  weightsKey: option({
    flag: '--weights-key <name>',
    schema: orNull(text),
    needed: 'the name of a network in the file of weights, such as ema',
    help: 'which of several networks in a file of weights, such as ema',
  }),
  /** `auto`, `cpu`, `cuda` or `cuda:N`; default auto. Only `auto` falls back to the CPU. */
  device: option({
    flag: '--device <name>',
    schema: z
      .string()
      .regex(/^(auto|cpu|cuda(:\d{1,3})?)$/)
      .default('auto'),
    needed: 'auto, cpu, cuda or cuda:N',
    help: 'auto, cpu, cuda or cuda:N',
    free: true,
  }),
  /** `fp32` or `bf16`, which on a CPU needs AMX and is float32 without it (docs/cpu.md); default fp32. */
  precision: option({
    flag: '--precision <name>',
    schema: z.enum(['fp32', 'bf16']).default('fp32'),
    needed: 'fp32 or bf16',
    help: 'fp32 or bf16',
    native: 'precision',
  }),
  /** Use LibTorch's plain operators, even where a faster execution of the same network exists; default false. */
  exact: option({
    flag: '--exact',
    schema: z.boolean().default(false),
    needed: SWITCH,
    help: 'plain LibTorch operators, without the faster execution of the same network',
    native: 'exact',
  }),
  /**
   * CPU threads, 1 to 1024. Not set, they are what the machine allows: CPU affinity, CPU quota, scheduler and
   * OMP_NUM_THREADS, in each process anew.
   */
  threads: option({
    flag: '--threads <n>',
    schema: orNull(z.int().min(1).max(MOST_THREADS)),
    needed: `a whole number from 1 to ${MOST_THREADS}`,
    help: 'CPU threads (default: as many as CPU affinity, CPU quota, scheduler and OMP_NUM_THREADS allow)',
    native: 'threads',
    free: true,
  }),
  /** Seed of the initial weights and of the order of every epoch, a whole number; default 0. */
  seed: option({
    flag: '--seed <n>',
    schema: z.int().min(0).default(0),
    needed: 'a whole number from 0',
    help: 'seed of the initial weights and of the image order',
    native: 'seed',
  }),
  /**
   * Seeds of an ensemble, two or more: one member for each, a run of its own in one directory; null for a single run. They
   * take the place of `seed`.
   */
  seeds: option({
    flag: '--seeds <list>',
    schema: orNull(z.array(z.int().min(0)).min(2)),
    needed: 'two or more different whole numbers from 0, such as 0,1,2,3,4',
    help: 'train an ensemble, one member for each of these seeds, in one directory',
    list: true,
    runOnly: true,
  }),
  /** Members of an ensemble that are trained at a time; they share `threads`; default 1. */
  jobs: option({
    flag: '--jobs <n>',
    schema: z.int().min(1).max(MOST_THREADS).default(1),
    needed: `a whole number from 1 to ${MOST_THREADS}`,
    help: 'members of an ensemble that are trained at a time; they share --threads',
    free: true,
    runOnly: true,
  }),
  /** Folder that holds the runs; default runs. */
  out: option({
    flag: '--out <folder>',
    schema: place.default('runs'),
    needed: 'a folder',
    help: 'folder that holds the runs',
    free: true,
  }),
  /**
   * Name of the run's own folder: letters, digits, dots, dashes and underscores; null for the time and the data's name.
   */
  name: option({
    flag: '--name <name>',
    schema: orNull(z.string().regex(/^[A-Za-z0-9_][\w.-]*$/)),
    needed: 'letters, digits, dots, dashes and underscores',
    help: "name of the run's folder (default: time and data)",
    free: true,
    runOnly: true,
  }),
  /** A run directory to continue, or true for the newest unfinished one in `out`; default false. */
  resume: option({
    flag: '--resume [run]',
    schema: z.union([z.boolean(), place]).default(false),
    needed: 'a run directory',
    help: 'continue a run: its folder, or the newest unfinished one in --out; with more --epochs to extend it',
    free: true,
    runOnly: true,
  }),
  /**
   * Minutes between checkpoints within an epoch, at most 10,000; default 10. Each epoch also ends with a checkpoint.
   */
  checkpointEvery: option({
    flag: '--checkpoint-every <minutes>',
    schema: positive.max(10_000).default(10),
    needed: 'a number of minutes above 0, at most 10000',
    help: 'minutes between checkpoints within a long epoch',
    free: true,
  }),
  /** Stop after this many epochs without a better one; null for all epochs. */
  patience: option({
    flag: '--patience <n>',
    schema: orNull(count),
    needed: COUNT,
    help: 'stop after this many epochs without a better one',
  }),
  /** Only the first n images of the training split; null for all. */
  limitTrain: option({
    flag: '--limit-train <n>',
    schema: orNull(count),
    needed: COUNT,
    help: 'only the first n training images',
  }),
  /** Only the first n images of the validation split; null for all. */
  limitVal: option({
    flag: '--limit-val <n>',
    schema: orNull(count),
    needed: COUNT,
    help: 'only the first n validation images',
  }),
  /** Only the first n images of the test split; null for all. */
  limitTest: option({
    flag: '--limit-test <n>',
    schema: orNull(count),
    needed: COUNT,
    help: 'only the first n test images',
  }),
  /** Names of the labels in column order, for data without names; `chestmnist` means its 14 labels. */
  labelNames: option({
    flag: '--label-names <list>',
    schema: orNull(z.array(text).min(1)),
    needed: 'names separated by commas, one per label',
    help: 'names of the labels, separated by commas, for data without names',
    list: true,
  }),
  /**
   * What the labels ask of an image: `multi-label`, `binary-class`, `multi-class` or `ordinal-regression`; null for what the
   * data suggest.
   */
  task: option({
    flag: '--task <name>',
    schema: orNull(z.enum(TASKS)),
    needed: TASKS.join(', '),
    help: `what the labels ask: ${TASKS.join(', ')} (default: what the data suggest)`,
  }),
  /** Also write TensorBoard event files; default false. */
  tensorboard: option({
    flag: '--tensorboard',
    schema: z.boolean().default(false),
    needed: SWITCH,
    help: 'also write TensorBoard event files',
    free: true,
  }),
  /**
   * Write report.html from the beginning and after each epoch; opened in a browser it reloads by itself until the run ends;
   * default false.
   */
  watch: option({
    flag: '--watch',
    schema: z.boolean().default(false),
    needed: SWITCH,
    help: 'report.html from the beginning on; opened in a browser it shows each new epoch by itself',
    free: true,
    runOnly: true,
  }),
  /**
   * Whether plots/ and report.html are drawn when the run ends; default true. To draw them later: `chestmnist report RUN`.
   */
  report: option({
    flag: '--no-report',
    schema: z.boolean().default(true),
    needed: SWITCH,
    help: 'do not draw plots and report.html at the end; draw them later with chestmnist report RUN',
    free: true,
  }),
  /**
   * Calibrate the probabilities of the best epoch: divide the logits of each label by a temperature fitted to the
   * validation split, before thresholds are tuned; default false.
   */
  calibrate: option({
    flag: '--calibrate',
    schema: z.boolean().default(false),
    needed: SWITCH,
    help: "divide each label's logits by a temperature fitted to the validation split",
    free: true,
  }),
  /**
   * Bootstrap resamples of the confidence intervals of the test split, 0 to 100,000; 0 for no intervals; default 2000.
   */
  resamples: option({
    flag: '--resamples <n>',
    schema: z.int().min(0).max(100_000).default(2000),
    needed: 'a whole number from 0 to 100000',
    help: 'bootstrap resamples of the confidence intervals of the test split; 0 for none',
    free: true,
  }),
};

// As an intersection it keeps the documentation of each row; a spread's own type would lose it.
export type OptionTable = typeof PROTOCOL & typeof ELEMENTS;
export const TRAIN_OPTIONS: OptionTable = { ...PROTOCOL, ...ELEMENTS };
export type OptionName = keyof OptionTable;

/** Options of `train`; every field is optional. Written over `keyof`, each field keeps its documentation. */
export type TrainOptions = { [K in keyof OptionTable]?: z.input<OptionTable[K]['schema']> };
/** The same with every default filled in; config.json holds it. */
export type ResolvedOptions = { [K in keyof OptionTable]: z.output<OptionTable[K]['schema']> };

export const OPTION_NAMES = Object.keys(TRAIN_OPTIONS) as OptionName[];
nameOptions(OPTION_NAMES);
