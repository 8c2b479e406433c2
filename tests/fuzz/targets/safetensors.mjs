/** .safetensors: the length, the JSON header, the ranges. */
import { createRequire } from 'node:module';
import { mutate } from '../mutate.mjs';
const { readSafetensors } = createRequire(import.meta.url)('../../../dist/weights/safetensors.js');

/** Mutates the header as text and writes its length, or the bytes as they are. */
function change(bytes, random, context) {
  const length = bytes.length >= 8 ? Number(bytes.readBigUInt64LE(0)) : 0;
  if (length === 0 || length > bytes.length - 8 || random.chance(0.3)) return mutate(bytes, random, context);
  const header = mutate(bytes.subarray(8, 8 + length), random, { ...context, other: context.other.subarray(8) });
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([prefix, header, bytes.subarray(8 + length)]);
}

export default {
  file: 'input.safetensors',
  fixtures: ['weights/dtypes.safetensors', 'weights/views.safetensors'],
  vocabulary: [
    '"dtype"',
    '"shape"',
    '"data_offsets"',
    '"__metadata__"',
    '"F32"',
    '"F64"',
    '"F16"',
    '"BF16"',
    '"I64"',
    '"I32"',
    '[0,0]',
    '[0,4]',
    '[]',
    '{',
    '}',
    '"',
    ':',
    ',',
    '"__proto__"',
    '"constructor"',
    '\\u0000',
    '\\u001b',
    '\\"',
    '{"a":',
  ],
  memory: (bytes) => 2 ** 18 + 8 * bytes,
  mutate: change,
  parse: (file) => readSafetensors(file),
};
