/** Small .npz files in the layout of MedMNIST, sound ones and each with one fault, written byte by byte. */
import path from 'node:path';
import { writeZip } from '../../src/base/zip-writer';

export interface Npy {
  descr: string;
  shape: number[];
  data: Uint8Array;
  fortran?: boolean;
}

/** One array as .npy, format version 1.0. */
export function npy({ descr, shape, data, fortran = false }: Npy): Buffer {
  const dict = `{'descr': '${descr}', 'fortran_order': ${fortran ? 'True' : 'False'}, 'shape': (${shape.join(', ')},), }`;
  const header = dict.padEnd(Math.ceil((dict.length + 11) / 64) * 64 - 11) + '\n';
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(header), data]);
}

const bytes = (n: number, value: (i: number) => number): Uint8Array =>
  Uint8Array.from({ length: n }, (_, i) => value(i));
export const images = (n: number, side = 28): Npy => ({
  descr: '|u1',
  shape: [n, side, side],
  data: bytes(n * side * side, (i) => (i * 2654435761) >>> 24),
});
export const labels = (n: number, count = 14): Npy => ({
  descr: '|u1',
  shape: [n, count],
  data: bytes(n * count, (i) => Number(i % 3 === 0)),
});

/** The six arrays of a data set with these numbers of images. */
export const arrays = (train: number, val: number, test: number, side = 28): Record<string, Npy> => ({
  train_images: images(train, side),
  train_labels: labels(train),
  val_images: images(val, side),
  val_labels: labels(val),
  test_images: images(test, side),
  test_labels: labels(test),
});

/** Writes arrays as `folder/name`; returns the path. An undefined array is left out. */
export async function npz(folder: string, name: string, content: Record<string, Npy | undefined>): Promise<string> {
  const file = path.join(folder, name);
  const present = Object.entries(content).filter((entry): entry is [string, Npy] => entry[1] !== undefined);
  await writeZip(
    file,
    present.map(([key, array]) => ({ name: `${key}.npy`, parts: [npy(array)] })),
  );
  return file;
}
