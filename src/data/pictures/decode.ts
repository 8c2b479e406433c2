/**
 * The one decoder of pictures, for `predict` and `import`: a file becomes pictures, whatever its kind. Not here: what a
 * network takes (prepare.ts).
 */
import { ChestMnistError } from '../../base/errors';
import { expandHome } from '../../base/folders';
import { openRegular } from '../../base/input';
import { elementsOf, parseNpyHeader } from '../../base/npy';
import { npzKeys, readNpz, type NpyArray } from '../../base/npz';
import { layoutOf, picturesIn } from './arrays';
import { decodeDicom } from './dicom';
import { insteadOf, kindIn, KINDS, HEAD_BYTES, type Kind } from './kinds';
import type { Layout, VoiWindow } from './options';
import { corrupt, type Picture } from './picture';
import { decodeRaster } from './raster';

export interface DecodeOptions {
  /** Instead of what a DICOM file says of its values. */
  window?: VoiWindow;
  /** The axes of arrays. */
  layout?: Layout;
  /** Told the bytes of the file, for those who hash them; not of an .npz, which may be large. */
  onBytes?: (bytes: Buffer) => void;
}

/** The picture in a file of one. Throws ERR_DATA_MISSING, ERR_DATA_CORRUPT or ERR_DATA_SHAPE. */
export async function decode(file: string, options: DecodeOptions = {}): Promise<Picture> {
  for await (const { picture } of decodeAll(file, options)) return picture;
  throw corrupt(file, 'has no picture');
}

/** The pictures of a file, each with a name: the file, `file.npy[i]` or `file.npz#array[i]`. Throws as above. */
export async function* decodeAll(
  named: string,
  options: DecodeOptions = {},
): AsyncGenerator<{ name: string; picture: Picture }> {
  const file = expandHome(named);
  const { kind, bytes } = await read(file);
  if (kind !== 'npz') options.onBytes?.(bytes);
  if (kind === 'npz') yield* ofArchive(file, options);
  else if (kind === 'npy') yield* ofArray(file, '', npyIn(file, bytes), options, file);
  else if (kind === 'dicom') yield { name: file, picture: await decodeDicom(file, bytes, options.window) };
  else yield { name: file, picture: await decodeRaster(file, kind, bytes) };
}

/** The bytes of a regular file; none of an .npz, which may be large. A pipe's end is not known, and opening it may block. */
async function read(file: string): Promise<{ kind: Kind; bytes: Buffer }> {
  try {
    const handle = await openRegular(file);
    try {
      const start = Buffer.alloc(HEAD_BYTES);
      const { bytesRead } = await handle.read(start, 0, HEAD_BYTES, 0);
      const head = start.subarray(0, bytesRead);
      const kind = kindIn(head);
      if (kind === undefined) throw corrupt(file, insteadOf(head), { needed: KINDS });
      return { kind, bytes: kind === 'npz' ? head : await handle.readFile() };
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof ChestMnistError) throw cause;
    throw new ChestMnistError(
      'ERR_DATA_MISSING',
      { found: `${file} cannot be read (${(cause as Error).message})`, needed: KINDS, next: 'check the path' },
      { cause },
    );
  }
}

function npyIn(file: string, bytes: Buffer): NpyArray {
  const header = parseNpyHeader(bytes, 'of the file', file);
  const content = bytes.subarray(header.dataOffset);
  const data = elementsOf(header, content, 'of the file', file);
  return { ...header, data };
}

/** MedMNIST's arrays of images, of any split. */
async function* ofArchive(file: string, options: DecodeOptions): ReturnType<typeof decodeAll> {
  const all = await npzKeys(file);
  const keys = all.filter((key) => key === 'images' || key.endsWith('_images'));
  if (keys.length === 0) {
    throw new ChestMnistError('ERR_DATA_SHAPE', {
      found: `${file} has arrays ${all.join(', ') || 'none'}`,
      needed: 'an array called images, or *_images',
      next: 'save the array under such a name, or as .npy',
    });
  }
  for (const [key, array] of await readNpz(file, { keys })) yield* ofArray(file, key, array, options, `${file}#${key}`);
}

function* ofArray(
  file: string,
  key: string,
  array: NpyArray,
  { layout: stated }: DecodeOptions,
  name: string,
): Generator<{ name: string; picture: Picture }> {
  const what = key === '' ? file : `${file}: ${key}`;
  const layout = layoutOf(what, array, stated, key !== '');
  const isOne = !layout.startsWith('N') && key === '';
  let index = 0;
  for (const picture of picturesIn(what, array, layout)) yield { name: isOne ? name : `${name}[${index++}]`, picture };
}
