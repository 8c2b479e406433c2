/** What the targets of pictures share: a file becomes a square as for `chestmnist predict`. */
import { createRequire } from 'node:module';
const { readPictures } = createRequire(import.meta.url)('../../dist/data/pictures/read.js');

export const parse = (file) => readPictures(file, { size: 28, fit: 'crop', channels: 1 });
/** Formats that have no limit on how little a picture of one colour may take: that on pixels is theirs. */
export const anyPicture = () => 2 ** 30;
