/**
 * The one error class of the package. `code` is stable and documented; the message always says what was found,
 * what is needed, and the next command or step. Exit codes of the command line follow from the code.
 */

/** Every code a caller may meet. Scripts may branch on them; the texts may change. */
export type ErrorCode =
  | 'ERR_NATIVE_MISSING'
  | 'ERR_LIBTORCH_NOT_FOUND'
  | 'ERR_LIBTORCH_MISMATCH'
  | 'ERR_PLATFORM_UNSUPPORTED'
  | 'ERR_CUDA_UNAVAILABLE'
  | 'ERR_CUDA_OUT_OF_MEMORY'
  | 'ERR_DATA_MISSING'
  | 'ERR_DATA_CORRUPT'
  | 'ERR_DATA_CHECKSUM'
  | 'ERR_DATA_SHAPE'
  | 'ERR_CHECKPOINT_INCOMPATIBLE'
  | 'ERR_NOTHING_TO_RESUME'
  | 'ERR_CONFIG'
  | 'ERR_NON_FINITE_LOSS'
  | 'ERR_BUSY'
  | 'ERR_DISPOSED';

/** Why CUDA cannot be used; the `reason` of ERR_CUDA_UNAVAILABLE. */
export type CudaUnavailableReason = 'cpu-build' | 'no-driver' | 'driver-too-old' | 'no-device';

/** The three parts every message has. */
export interface ErrorParts {
  /** What was found, e.g. `train_images has dtype <f4 in data.npz`. */
  found: string;
  /** What is needed instead, e.g. `uint8 (|u1)`. */
  needed: string;
  /** The next command or step, e.g. `chestmnist data verify data.npz`. */
  next: string;
}

/**
 * Parts of a file reach the message, and so a terminal that would obey them: control characters (line feed and tab
 * apart) and marks that reverse the direction of text become question marks.
 */
const printable = (text: string): string => text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, '?');

export class ChestMnistError extends Error {
  override readonly name = 'ChestMnistError';
  readonly code: ErrorCode;
  readonly found: string;
  readonly needed: string;
  readonly next: string;
  /** Only on ERR_CUDA_UNAVAILABLE. */
  readonly reason?: CudaUnavailableReason;

  constructor(code: ErrorCode, parts: ErrorParts, options: { cause?: unknown; reason?: CudaUnavailableReason } = {}) {
    const [found, needed, next] = [parts.found, parts.needed, parts.next].map(printable);
    super(`${found}. Needed: ${needed}. Next: ${next}`, { cause: options.cause });
    this.code = code;
    this.found = found;
    this.needed = needed;
    this.next = next;
    if (options.reason !== undefined) this.reason = options.reason;
  }
}

/** Exit codes of the command line: 0 done, 1 unexpected, 130 interrupted, and these. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof ChestMnistError)) return 1;
  switch (error.code) {
    case 'ERR_CONFIG':
    case 'ERR_CHECKPOINT_INCOMPATIBLE':
    case 'ERR_NOTHING_TO_RESUME':
    case 'ERR_BUSY':
    case 'ERR_DISPOSED':
      return 2;
    case 'ERR_DATA_MISSING':
    case 'ERR_DATA_CORRUPT':
    case 'ERR_DATA_CHECKSUM':
    case 'ERR_DATA_SHAPE':
      return 3;
    case 'ERR_NATIVE_MISSING':
    case 'ERR_LIBTORCH_NOT_FOUND':
    case 'ERR_LIBTORCH_MISMATCH':
    case 'ERR_PLATFORM_UNSUPPORTED':
    case 'ERR_CUDA_UNAVAILABLE':
    case 'ERR_CUDA_OUT_OF_MEMORY':
      return 4;
    case 'ERR_NON_FINITE_LOSS':
      return 5;
  }
}
