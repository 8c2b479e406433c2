/**
 * Mutations of bytes that know no format: flip, insert, delete, copy, splice, interesting numbers at any width, words of
 * a format's own vocabulary, numbers in text, and deep repetition. What a format needs on top is in its target.
 */
const INTERESTING = [0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 63, 64, 127, 128, 255, 256, 512, 1023, 1024, 4095, 4096, 32767];
const LARGE = [32768n, 65535n, 65536n, 2n ** 24n, 2n ** 30n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n];
const HUGE = [2n ** 40n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
const NUMBERS = [...INTERESTING.map(BigInt), ...LARGE, ...HUGE];
const WORDS = ['-1', '-0', '1e309', '1e-400', 'NaN', 'null', 'true', '""', '[]', '{}', '0x10', '1.5', '9'.repeat(400)];
/** Longest input: small files find the same bugs as large ones, sooner. */
export const MAX_BYTES = 16_384;
const DEEP_BYTES = 131_072;

const cut = (bytes, from, to, middle = Buffer.alloc(0)) =>
  Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(to)]);

/** The mutations, each (bytes, random, {vocabulary, other}) -> bytes. */
const MUTATIONS = [
  (bytes, { below }) => {
    const copy = Buffer.from(bytes);
    if (copy.length) copy[below(copy.length)] ^= 1 << below(8);
    return copy;
  },
  (bytes, { below }) => {
    const copy = Buffer.from(bytes);
    if (copy.length) copy[below(copy.length)] = below(256);
    return copy;
  },
  number,
  number,
  (bytes, { below }) => {
    const at = below(bytes.length + 1);
    return cut(bytes, at, at, Buffer.from(Array.from({ length: 1 + below(8) }, () => below(256))));
  },
  (bytes, { below }) => {
    const at = below(bytes.length);
    return cut(bytes, at, at + 1 + below(below(64) + 1));
  },
  // A piece of the file again, elsewhere.
  (bytes, { below }) => {
    const from = below(bytes.length);
    const piece = bytes.subarray(from, from + 1 + below(64));
    const at = below(bytes.length + 1);
    return cut(bytes, at, at, piece);
  },
  // The start of this file and the end of another.
  (bytes, { below }, { other }) =>
    Buffer.concat([bytes.subarray(0, below(bytes.length)), other.subarray(below(other.length))]),
  (bytes, { below }) => bytes.subarray(0, below(bytes.length)),
  word,
  word,
  // A number written in digits becomes another.
  (bytes, random, { vocabulary }) => {
    const runs = [...bytes.toString('latin1').matchAll(/-?\d+(\.\d+)?/g)];
    if (runs.length === 0) return word(bytes, random, { vocabulary });
    const { index, 0: text } = random.pick(runs);
    const value = random.chance(0.7) ? String(random.pick(NUMBERS)) : random.pick(WORDS);
    return cut(bytes, index, index + text.length, Buffer.from(value));
  },
];

function number(bytes, { below, pick, chance }) {
  const copy = Buffer.from(bytes);
  const width = pick([1, 2, 4, 8]);
  if (copy.length < width) return copy;
  const at = below(copy.length - width + 1);
  let value = BigInt.asUintN(width * 8, pick(NUMBERS) * (chance(0.1) ? -1n : 1n));
  for (let i = 0; i < width; i++, value >>= 8n) copy[at + i] = Number(value & 255n);
  if (chance(0.3)) copy.subarray(at, at + width).reverse(); // big-endian
  return copy;
}

function word(bytes, { below, pick, chance }, { vocabulary }) {
  const at = below(bytes.length + 1);
  const text = pick(chance(0.7) && vocabulary.length ? vocabulary : WORDS);
  return cut(bytes, at, chance(0.5) ? at : at + text.length, Buffer.from(text, 'latin1'));
}

/** One piece so often, or one number so deep in brackets, that anything recursive would show it. */
function deepen(bytes, { below, pick, chance }) {
  const numbers = [...bytes.toString('latin1').matchAll(/\d+/g)];
  if (numbers.length > 0 && chance(0.5)) {
    const [{ index, 0: text }, [open, close]] = [pick(numbers), pick(['[]', ['{"a":', '}']])];
    const depth = DEEP_BYTES / 8;
    return cut(bytes, index, index + text.length, Buffer.from(`${open.repeat(depth)}1${close.repeat(depth)}`));
  }
  const from = below(bytes.length);
  const piece = bytes.subarray(from, from + 1 + below(12));
  const at = below(bytes.length + 1);
  return cut(bytes, at, at, Buffer.alloc(piece.length ? DEEP_BYTES : 0, piece));
}

/** `bytes` with one to eight mutations; `other` is another file of the corpus, for splicing. */
export function mutate(bytes, random, { vocabulary = [], other = bytes } = {}) {
  let result = bytes;
  for (let n = 1 + random.below(1 + random.below(8)); n > 0; n--) {
    result = random.pick(MUTATIONS)(result, random, { vocabulary, other });
  }
  if (result.length > MAX_BYTES) result = result.subarray(0, MAX_BYTES);
  return random.chance(0.001) ? deepen(result, random) : Buffer.from(result);
}
