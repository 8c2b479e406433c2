/** TIFF radiographs, as chestmnist predict takes them. Decoding is libvips'. */
import { anyPicture, parse } from '../picture.mjs';

export default {
  file: 'input.tif',
  vocabulary: ['II*\0', 'MM\0*', '\x01\x01', '\x03\0', '\x04\0'],
  memory: anyPicture,
  parse,
};
