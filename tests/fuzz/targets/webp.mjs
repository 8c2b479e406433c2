/** WebP radiographs, as chestmnist predict takes them. Decoding is libvips'. */
import { anyPicture, parse } from '../picture.mjs';

export default {
  file: 'input.webp',
  vocabulary: ['RIFF', 'WEBP', 'VP8 ', 'VP8L', 'VP8X', 'ALPH'],
  memory: anyPicture,
  parse,
};
