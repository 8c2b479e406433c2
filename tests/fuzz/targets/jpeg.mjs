/** JPEG radiographs, as chestmnist predict takes them. Decoding is libvips'; what is checked before it is ours. */
import { parse } from '../picture.mjs';

export default {
  file: 'input.jpg',
  vocabulary: [
    '\xff\xd8',
    '\xff\xd9',
    '\xff\xda',
    '\xff\xc0',
    '\xff\xc2',
    '\xff\xc4',
    '\xff\xdb',
    '\xff\xdd',
    '\xff\xee',
    'Adobe',
    'JFIF\0',
  ],
  // A bit for a block of 64 pixels, each with four bytes and three coefficients.
  memory: (bytes) => 2 ** 20 + 2 ** 15 * bytes,
  parse,
};
