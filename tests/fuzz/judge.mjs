/**
 * What an input may end in: a result, or a ChestMnistError that says what it should and hides nothing. And what it may
 * take: memory asked for through Buffer and typed arrays is counted.
 */
const CODES = new Set(
  `ERR_DATA_MISSING ERR_DATA_CORRUPT ERR_DATA_CHECKSUM ERR_DATA_SHAPE ERR_WEIGHTS ERR_CONFIG`.split(/\s+/),
);
const MAX_MESSAGE = 4000;
const OUR_FAULT = new Set(['TypeError', 'RangeError', 'ReferenceError']);

/** Why `error` is a finding; undefined when it is a refusal as it should be. */
export function complaint(error) {
  if (error?.name !== 'ChestMnistError') return `it throws ${error?.stack ?? String(error)}`;
  const { code, message, found, needed, next } = error;
  if (!CODES.has(code)) return `code ${code}: ${message}`;
  if (![found, needed, next].every((part) => typeof part === 'string' && part !== '') || /\bundefined\b/.test(needed))
    return `an error without its parts: ${message}`;
  if (message.length > MAX_MESSAGE) return `a message of ${message.length} characters: ${message.slice(0, 200)}`;
  if (/[\0-\x08\x0b-\x1f\x7f-\x9f]/.test(message)) return `control characters in a message: ${JSON.stringify(message)}`;
  for (let cause = error.cause; cause; cause = cause.cause) {
    if (cause.code === 'ERR_ACCESS_DENIED')
      return `it reaches out of its folder: ${cause.permission} ${cause.resource}`;
    if (cause.name === 'EvalError') return `it runs text as a program: ${cause.message}`;
    if (OUR_FAULT.has(cause.name) && !cause.code && /^$|[\\/]dist[\\/]/.test(firstPlace(cause)))
      return `a mistake of ours behind a refusal: ${cause.stack}`;
  }
  return undefined;
}

/** The first file in which an error arose; empty while stacks are not recorded. */
const firstPlace = ({ stack }) => /^\s+at .*[\\/].*$/m.exec(String(stack))?.[0] ?? '';

/** Counts the bytes asked for from now on; returns a function that gives the count and sets it back. */
export function countMemory() {
  let bytes = 0;
  const arrays = { ArrayBuffer: 1, Uint8Array: 1, Uint16Array: 2, Uint32Array: 4, Int32Array: 4, Float32Array: 4 };
  for (const [name, size] of Object.entries({ ...arrays, Float64Array: 8, BigInt64Array: 8, BigUint64Array: 8 })) {
    const counted = new Proxy(globalThis[name], {
      construct(target, args, newTarget) {
        if (typeof args[0] === 'number') bytes += args[0] * size;
        return Reflect.construct(target, args, newTarget === counted ? target : newTarget);
      },
    });
    globalThis[name] = counted;
  }
  for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow']) {
    const allocate = Buffer[name];
    Buffer[name] = (size, ...rest) => {
      bytes += size;
      return allocate(size, ...rest);
    };
  }
  return () => {
    const count = bytes;
    bytes = 0;
    return count;
  };
}
