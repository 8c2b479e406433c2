/** .npy files of images, as chestmnist predict takes them. */
import { mutate } from '../mutate.mjs';
import { fixNpy, NPY_WORDS } from '../npy.mjs';
import { parse } from '../picture.mjs';

export default {
  file: 'input.npy',
  vocabulary: NPY_WORDS,
  // Each image becomes 28 x 28 whatever its size was.
  memory: (bytes) => 2 ** 20 + 8192 * bytes,
  mutate: (bytes, random, context) => fixNpy(mutate(bytes, random, context), random),
  parse,
};
