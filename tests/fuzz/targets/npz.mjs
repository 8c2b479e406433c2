/** .npz: the zip and every array in it. An array may be as large as deflate can make it from the file. */
import { createRequire } from 'node:module';
import { mutate } from '../mutate.mjs';
import { mutateZip } from '../zip.mjs';
import { fixNpy, NPY_WORDS } from '../npy.mjs';
const { readNpz } = createRequire(import.meta.url)('../../../dist/base/npz.js');

export default {
  file: 'input.npz',
  fixtures: ['data/version_2.npz', 'data/version_3.npz'],
  vocabulary: ['PK\x01\x02', 'PK\x03\x04', 'PK\x05\x06', 'PK\x06\x06', 'PK\x06\x07', '.npy', '../', '/', ...NPY_WORDS],
  memory: (bytes) => 2 ** 22 + 2 * 1032 * bytes,
  mutate: (bytes, random, context) =>
    mutateZip(bytes, random, context, (content, ...rest) => fixNpy(mutate(content, ...rest), random)),
  parse: (file) => readNpz(file),
};
