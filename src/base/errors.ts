/**
 * The package's error class. `code` is stable and documented; the message always states what was found, what is needed,
 * and the next command or step. Exit codes of the command line follow from the code.
 */
import { asInstalled } from './shell';
import { oneLine, printable } from './text';

/**
 * Every error code; each stands for one kind of failure. Scripts may branch on them; the texts may change.
 *
 * | code | exit code | what happened |
 * | --- | --- | --- |
 * | `ERR_CONFIG` | 2 | an option, an argument or a configuration file is wrong, or names a run or weights that do not exist |
 * | `ERR_OUTPUT` | 2 | a result cannot be written where asked: the place is taken, not permitted or not a folder |
 * | `ERR_NOTHING_TO_RESUME` | 2 | no run to continue, or a run that is finished |
 * | `ERR_CHECKPOINT_INCOMPATIBLE` | 2 | a run cannot be resumed: its checkpoint is damaged, or other options or data were given |
 * | `ERR_BUSY` | 2 | another process, run or call is using it |
 * | `ERR_DISPOSED` | 2 | a call on something that was closed |
 * | `ERR_DATA_MISSING` | 3 | a file to read is not there, or could not be downloaded |
 * | `ERR_DATA_CORRUPT` | 3 | a file of data, predictions or a run is damaged |
 * | `ERR_DATA_CHECKSUM` | 3 | a known file has another checksum |
 * | `ERR_DATA_SHAPE` | 3 | arrays of another shape, dtype or range than needed |
 * | `ERR_WEIGHTS` | 3 | weights are damaged, or of another network or label count |
 * | `ERR_NATIVE_MISSING` | 4 | no addon, or one that does not load |
 * | `ERR_LIBTORCH_NOT_FOUND` | 4 | no LibTorch, or one that is not whole |
 * | `ERR_LIBTORCH_MISMATCH` | 4 | a LibTorch that is not the one needed |
 * | `ERR_PLATFORM_UNSUPPORTED` | 4 | LibTorch does not exist for this system |
 * | `ERR_BUILD` | 4 | the addon could not be built: a compiler or CMake failed or is missing |
 * | `ERR_CUDA_UNAVAILABLE` | 4 | CUDA was asked for and cannot be used; see `reason` |
 * | `ERR_CUDA_OUT_OF_MEMORY` | 4 | the memory of the device is full |
 * | `ERR_RESOURCES` | 4 | a limit of the machine or of this process is reached: memory, threads, processes or open files |
 * | `ERR_NON_FINITE_LOSS` | 5 | the loss became infinite or NaN |
 * | `ERR_DISK` | 6 | the disk is full, read-only or broken, or a file is too large or its name too long for it |
 */
export type ErrorCode =
  | 'ERR_CONFIG'
  | 'ERR_OUTPUT'
  | 'ERR_NOTHING_TO_RESUME'
  | 'ERR_CHECKPOINT_INCOMPATIBLE'
  | 'ERR_BUSY'
  | 'ERR_DISPOSED'
  | 'ERR_DATA_MISSING'
  | 'ERR_DATA_CORRUPT'
  | 'ERR_DATA_CHECKSUM'
  | 'ERR_DATA_SHAPE'
  | 'ERR_WEIGHTS'
  | 'ERR_NATIVE_MISSING'
  | 'ERR_LIBTORCH_NOT_FOUND'
  | 'ERR_LIBTORCH_MISMATCH'
  | 'ERR_PLATFORM_UNSUPPORTED'
  | 'ERR_BUILD'
  | 'ERR_CUDA_UNAVAILABLE'
  | 'ERR_CUDA_OUT_OF_MEMORY'
  | 'ERR_RESOURCES'
  | 'ERR_NON_FINITE_LOSS'
  | 'ERR_DISK';

/** Exit codes of the command line by error code. The others: 0 done, 1 unexpected, 130 interrupted. */
const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  ERR_CONFIG: 2,
  ERR_OUTPUT: 2,
  ERR_NOTHING_TO_RESUME: 2,
  ERR_CHECKPOINT_INCOMPATIBLE: 2,
  ERR_BUSY: 2,
  ERR_DISPOSED: 2,
  ERR_DATA_MISSING: 3,
  ERR_DATA_CORRUPT: 3,
  ERR_DATA_CHECKSUM: 3,
  ERR_DATA_SHAPE: 3,
  ERR_WEIGHTS: 3,
  ERR_NATIVE_MISSING: 4,
  ERR_LIBTORCH_NOT_FOUND: 4,
  ERR_LIBTORCH_MISMATCH: 4,
  ERR_PLATFORM_UNSUPPORTED: 4,
  ERR_BUILD: 4,
  ERR_CUDA_UNAVAILABLE: 4,
  ERR_CUDA_OUT_OF_MEMORY: 4,
  ERR_RESOURCES: 4,
  ERR_NON_FINITE_LOSS: 5,
  ERR_DISK: 6,
};

/** Why CUDA cannot be used; the `reason` of ERR_CUDA_UNAVAILABLE. */
export type CudaUnavailableReason = 'cpu-build' | 'no-driver' | 'driver-too-old' | 'no-device';

/** The three parts of every message. */
export interface ErrorParts {
  /** What was found, e.g. `train_images has dtype <f4 in data.npz`. */
  found: string;
  /** What is needed instead, e.g. `uint8 (|u1)`. */
  needed: string;
  /** The next command or step, e.g. `npx chestmnist data verify data.npz`. */
  next: string;
}

/**
 * A message may quote a name from a file, which must not command the terminal or feign another line. Only messages about
 * the native side quote lines, those of a build.
 */
const partOf = (code: ErrorCode) => (text: string) =>
  asInstalled(EXIT_CODES[code] === 4 ? printable(text) : oneLine(text));

/** Flags of the command line (`batch-size`) that are options of the API, with their names there (`batchSize`). */
const API_NAMES = new Map<string, string>();

/** Makes errors name these options as the API does. */
export function nameOptions(names: readonly string[]): void {
  for (const name of names) {
    API_NAMES.set(
      name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
      name,
    );
  }
}

/**
 * Every message in src/ names an option as the command line does, `--batch-size`; an error names it as the API does,
 * `batchSize`, and the command line prints the flag. Commands and what is in quotes stay as they are. In `found`, which
 * may hold any path, an option is only what a clause starts with.
 */
const COMMAND_OR_QUOTE = /chestmnist(?: (?:'[^']*'|"[^"]*"|[^\s'"]*[^\s'",;:.)]))+|'[^'\n]*'|"[^"\n]*"/;
const OPTION = /--(no-)?([a-z]+(?:-[a-z]+)*)(?![\w-])/;
const [ANYWHERE, AT_A_START] = ['(?<=^|[\\s(])', '(?<=^|; )'].map(
  (before) => new RegExp(`${COMMAND_OR_QUOTE.source}|${before}${OPTION.source}`, 'g'),
);
const inApi = (text: string, where: RegExp): string =>
  text.replace(where, (all: string, no?: string, flag: string = '') => {
    const name = API_NAMES.get(flag);
    return name === undefined ? all : `${name}${no ? ': false' : ''}`;
  });

export class ChestMnistError extends Error {
  override readonly name = 'ChestMnistError';
  /** One of the codes of ErrorCode. */
  readonly code: ErrorCode;
  /** What was found. */
  readonly found: string;
  /** What is needed instead. */
  readonly needed: string;
  /** The next command or step. */
  readonly next: string;
  /** Only on ERR_CUDA_UNAVAILABLE. */
  readonly reason?: CudaUnavailableReason;
  readonly #parts: ErrorParts;

  constructor(code: ErrorCode, parts: ErrorParts, options: { cause?: unknown; reason?: CudaUnavailableReason } = {}) {
    const [found, needed, next] = [parts.found, parts.needed, parts.next].map(partOf(code));
    const api = { found: inApi(found, AT_A_START), needed: inApi(needed, ANYWHERE), next: inApi(next, ANYWHERE) };
    super(`${api.found}. Needed: ${api.needed}. Next: ${api.next}`, { cause: options.cause });
    this.code = code;
    this.found = api.found;
    this.needed = api.needed;
    this.next = api.next;
    this.#parts = { found, needed, next };
    if (options.reason !== undefined) this.reason = options.reason;
  }

  /**
   * The parts with the options as flags, for the command line.
   * @internal
   */
  static inFlags(error: ChestMnistError): ErrorParts {
    return error.#parts;
  }
}

/** The exit code of the command line for a thrown value. */
export const exitCodeOf = (error: unknown): number => (error instanceof ChestMnistError ? EXIT_CODES[error.code] : 1);
