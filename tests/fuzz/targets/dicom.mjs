/** DICOM radiographs in every transfer syntax, as chestmnist predict takes them. */
import { parse } from '../picture.mjs';

const NAMES =
  'explicit implicit big-endian deflated no-preamble-implicit rle jpeg-extended jpeg-ls jpeg-lossless-1 jpeg-lossless-6 ' +
  'jpeg-2000 jpeg-baseline voi-lut frames-jpeg frames-rle rgb-planar palette signed';

export default {
  file: 'input.dcm',
  fixtures: NAMES.split(' ').map((name) => `dicom/${name}.dcm`),
  vocabulary: [
    'DICM',
    'SQ\0\0',
    '\xfe\xff\x00\xe0',
    '\xfe\xff\x0d\xe0',
    '\xfe\xff\xdd\xe0',
    '\xff\xff\xff\xff',
    '\xe0\x7f\x10\x00',
    '\x28\x00\x10\x00',
    '\x28\x00\x11\x00',
    '\x28\x00\x00\x01',
    '1.2.840.10008.1.2.5\0',
    '1.2.840.10008.1.2.4.50',
    '\xff\xd8',
    '\xff\xc1',
    '\xff\xc3',
    '\xff\xf7',
    '\xff\x4f\xff\x51',
  ],
  // A table for 16 bits, and what deflate, an empty block or a run of zeros becomes.
  memory: (bytes) => 2 ** 23 + 2 ** 15 * bytes,
  parse,
};
