/** PNG radiographs, as chestmnist predict takes them. Decoding is libvips'; what is checked before it is ours. */
import { crc32 } from 'node:zlib';
import { mutate } from '../mutate.mjs';
import { parse } from '../picture.mjs';

/** Mutates, and mostly makes the sums of all chunks right again. */
function change(bytes, random, context) {
  const copy = mutate(bytes, random, context);
  if (random.chance(0.3)) return copy;
  for (let at = 8; at + 12 <= copy.length;) {
    const end = at + 8 + copy.readUInt32BE(at);
    if (end + 4 > copy.length) break;
    copy.writeUInt32BE(crc32(copy.subarray(at + 4, end)), end);
    at = end + 4;
  }
  return copy;
}

export default {
  file: 'input.png',
  vocabulary: ['IHDR', 'IDAT', 'IEND', 'PLTE', 'tRNS', 'gAMA', 'sBIT', '\x89PNG\r\n\x1a\n', '\0\0\0\0', '\0\0\0\r'],
  // One bit a pixel, deflated as far as it goes, becomes four bytes a pixel and more.
  memory: (bytes) => 2 ** 20 + 2 ** 16 * bytes,
  mutate: change,
  parse,
};
