/**
 * Images for prediction: PNG, JPEG, .npy and .npz files of any size become uint8 squares of the model's size.
 * For a model of gray images colour becomes gray by ITU-R BT.601 (as with Pillow's "L"), 16 bits become 8, the largest central square is kept and
 * resized by averaging over areas. Not here: the data sets of a training run (load.ts).
 */
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { decode as decodeJpegData } from 'jpeg-js';
import { PNG } from 'pngjs';
import { expandHome } from '../base/folders';
import { openRegular } from '../base/input';
import { parseNpyHeader } from '../base/npy';
import { npzKeys, readNpz, type NpyArray } from '../base/npz';
import { ChestMnistError } from '../base/errors';

/** Images of one file, each `side` x `side` uint8. */
export interface ImageFile {
  /** One name per image: the file, or `file.npz#array[i]`. */
  names: string[];
  /** [names.length, side, side] uint8, or [names.length, side, side, 3] of RGB. */
  images: Uint8Array;
}

/** One channel. */
interface Plane {
  pixels: Uint8Array;
  width: number;
  height: number;
}

/** Larger images are refused before they are decoded. */
const MAX_PIXELS = 64_000_000;
/**
 * Deflate cannot expand by more (RFC 1951), and a JPEG needs at least one bit per block of 64 pixels. A header that
 * claims more is wrong.
 */
const MAX_DEFLATE_RATIO = 1032;
const MAX_JPEG_PIXELS_A_BYTE = 1024;

/** Reads one file as images of 1 channel (gray) or 3 (RGB). Throws ERR_DATA_MISSING, ERR_DATA_CORRUPT or ERR_DATA_SHAPE. */
export async function readImages(named: string, side: number, channels: 1 | 3 = 1): Promise<ImageFile> {
  const file = expandHome(named);
  const kind = await reading(file, kindOf);
  if (kind === 'png' || kind === 'jpeg') {
    const planes = decode(file, kind, await reading(file, (handle) => handle.readFile()), channels);
    return { names: [file], images: interleaved(planes, side) };
  }
  const names: string[] = [];
  const parts: Uint8Array[] = [];
  const arrays =
    kind === 'npz'
      ? await npzImages(file)
      : [['', npyOf(file, await reading(file, (handle) => handle.readFile()))] as const];
  for (const [key, array] of arrays) {
    const { count, height, width, stored, single } = imageShape(file, key, array, channels);
    const pixels = array.data as Uint8Array;
    const area = height * width;
    for (let i = 0; i < count; i++) {
      const image = pixels.subarray(i * area * stored, (i + 1) * area * stored);
      const plane = (c: number): Plane => ({
        pixels: stored === 1 ? image : Uint8Array.from({ length: area }, (_, at) => image[at * stored + c]),
        ...{ width, height },
      });
      parts.push(
        interleaved(
          Array.from({ length: channels }, (_, c) => plane(c)),
          side,
        ),
      );
      names.push(kind === 'npz' ? `${file}#${key}[${i}]` : single ? file : `${file}[${i}]`);
    }
  }
  const images = new Uint8Array(parts.length * side * side * channels);
  parts.forEach((part, i) => images.set(part, i * side * side * channels));
  return { names, images };
}

/** The central squares of the planes of one image, resized and with the channels of a pixel together. */
function interleaved(planes: readonly Plane[], side: number): Uint8Array {
  const squares = planes.map((plane) => resize(square(plane), side));
  if (squares.length === 1) return squares[0];
  return Uint8Array.from({ length: side * side * squares.length }, (_, i) => {
    return squares[i % squares.length][Math.floor(i / squares.length)];
  });
}

/** Passes an open file to `use`. Pipes and devices are refused: their ends are not known, and opening may block. */
async function reading<T>(file: string, use: (handle: FileHandle, file: string) => Promise<T>): Promise<T> {
  try {
    const handle = await openRegular(file);
    return await use(handle, file).finally(() => handle.close());
  } catch (cause) {
    if (cause instanceof ChestMnistError) throw cause;
    throw new ChestMnistError(
      'ERR_DATA_MISSING',
      {
        found: `${file} cannot be read (${(cause as Error).message})`,
        needed: 'a PNG, JPEG, .npy or .npz file',
        next: 'check the path',
      },
      { cause },
    );
  }
}

/** The kind by content, since file names may be wrong. */
async function kindOf(handle: FileHandle, file: string): Promise<'png' | 'jpeg' | 'npz' | 'npy'> {
  const start = Buffer.alloc(8);
  await handle.read(start, 0, 8, 0);
  if (start.toString('latin1') === '\x89PNG\r\n\x1a\n') return 'png';
  if (start[0] === 0xff && start[1] === 0xd8) return 'jpeg';
  if (start.toString('latin1', 0, 4) === 'PK\x03\x04') return 'npz';
  if (start.toString('latin1', 0, 6) === '\x93NUMPY') return 'npy';
  throw corrupt(file, 'is not a PNG, JPEG, .npy or .npz file by its first bytes');
}

function decode(file: string, kind: 'png' | 'jpeg', bytes: Buffer, channels: 1 | 3): Plane[] {
  try {
    const { data, width, height } = kind === 'png' ? decodePng(bytes) : decodeJpeg(bytes);
    const planes = Array.from({ length: channels }, () => new Uint8Array(width * height));
    for (let i = 0; i < width * height; i++) {
      const [red, green, blue] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
      if (channels === 1) planes[0][i] = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
      else [planes[0][i], planes[1][i], planes[2][i]] = [red, green, blue];
    }
    return planes.map((pixels) => ({ pixels, width, height }));
  } catch (cause) {
    throw corrupt(file, `cannot be decoded (${cause instanceof Error ? cause.message : String(cause)})`, cause);
  }
}

interface Rgba {
  data: Uint8Array;
  width: number;
  height: number;
}

function decodePng(bytes: Buffer): Rgba {
  if (bytes.length < 33) throw new Error('it ends early');
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  if (width * height > MAX_PIXELS) throw new Error(`${width}x${height} pixels are more than ${MAX_PIXELS}`);
  // At least one channel, and a filter byte per row. pngjs allocates what the header claims.
  const claimed = height * (1 + Math.ceil((width * bytes[24]) / 8));
  if (width === 0 || claimed > bytes.length * MAX_DEFLATE_RATIO)
    throw new Error(`${width}x${height} pixels cannot be in ${bytes.length} bytes`);
  return PNG.sync.read(bytes);
}

function decodeJpeg(bytes: Buffer): Rgba {
  const pixels = Math.min(MAX_PIXELS, bytes.length * MAX_JPEG_PIXELS_A_BYTE);
  // Room for three components of four bytes, their samples and the image. Sampling factors could request far more.
  const megabytes = 1 + (pixels * 24) / 2 ** 20;
  return decodeJpegData(bytes, { useTArray: true, maxResolutionInMP: pixels / 1e6, maxMemoryUsageInMB: megabytes });
}

function npyOf(file: string, bytes: Buffer): NpyArray {
  const header = parseNpyHeader(bytes, 'of the file', file);
  const data = bytes.subarray(header.dataOffset);
  if (header.dtype === '|u1' && data.length !== header.length) {
    throw corrupt(file, `holds ${data.length} bytes for shape [${header.shape.join(', ')}]`);
  }
  return { ...header, data };
}

async function npzImages(file: string): Promise<[string, NpyArray][]> {
  const all = await npzKeys(file);
  const keys = all.filter((key) => key === 'images' || key.endsWith('_images'));
  if (keys.length > 0) return [...(await readNpz(file, { keys }))];
  throw shape(file, `has arrays ${all.join(', ') || 'none'}`, 'an array called images, or *_images');
}

function imageShape(
  file: string,
  key: string,
  { dtype, shape: s, fortranOrder }: NpyArray,
  channels: 1 | 3,
): { count: number; height: number; width: number; stored: 1 | 3; single: boolean } {
  const what = `${key ? `${key} ` : ''}has dtype ${dtype} and shape [${s.join(', ')}]`;
  const gray = '[H, W], [N, H, W] or [N, H, W, 1]';
  const needed = `${channels === 1 ? 'gray ' : ''}uint8 (|u1) images in C order, ${gray}${channels === 1 ? '' : ', or RGB [N, H, W, 3]'}`;
  const single = s.length === 2;
  const [count, height, width] = single ? [1, ...s] : s;
  const stored = channels === 3 && s.length === 4 && s[3] === 3 ? 3 : 1;
  const isGray = single || s.length === 3 || (s.length === 4 && s[3] === 1);
  const isImages = isGray || stored === 3;
  if (dtype !== '|u1' || fortranOrder || !isImages || count * height * width === 0) throw shape(file, what, needed);
  return { count, height, width, stored, single };
}

/** The largest central square, as MedMNIST crops images that are not square. */
function square({ pixels, width, height }: Plane): Plane {
  if (width === height) return { pixels, width, height };
  const side = Math.min(width, height);
  const [left, top] = [Math.floor((width - side) / 2), Math.floor((height - side) / 2)];
  const cut = new Uint8Array(side * side);
  for (let y = 0; y < side; y++) {
    const from = (top + y) * width + left;
    cut.set(pixels.subarray(from, from + side), y * side);
  }
  return { pixels: cut, width: side, height: side };
}

/** Resizes a square to `side` pixels: each new pixel is the mean of the area it covers. Same size, same array. */
function resize({ pixels, width }: Plane, side: number): Uint8Array {
  if (width === side) return pixels;
  const spans = Array.from({ length: side }, (_, i) => spanOf((i * width) / side, ((i + 1) * width) / side, width));
  const rows = new Float64Array(side * width); // [side, width]
  spans.forEach(({ from, weights }, y) => {
    weights.forEach((weight, k) => {
      for (let x = 0; x < width; x++) rows[y * width + x] += weight * pixels[(from + k) * width + x];
    });
  });
  const result = new Uint8Array(side * side);
  for (let y = 0; y < side; y++) {
    spans.forEach(({ from, weights }, x) => {
      const sum = weights.reduce((total, weight, k) => total + weight * rows[y * width + from + k], 0);
      result[y * side + x] = Math.round(sum);
    });
  }
  return result;
}

/** The old pixels between `begin` and `end`, and the weight of each in the new pixel. */
function spanOf(begin: number, end: number, width: number): { from: number; weights: number[] } {
  const from = Math.floor(begin);
  const to = Math.min(Math.ceil(end), width);
  const weights = Array.from(
    { length: to - from },
    (_, k) => (Math.min(from + k + 1, end) - Math.max(from + k, begin)) / (end - begin),
  );
  return { from, weights };
}

const corrupt = (file: string, what: string, cause?: unknown): ChestMnistError =>
  new ChestMnistError(
    'ERR_DATA_CORRUPT',
    {
      found: `${path.basename(file)} ${what}`,
      needed: 'an intact PNG, JPEG, .npy or .npz file',
      next: 'export the image again',
    },
    { cause },
  );

const shape = (file: string, what: string, needed: string): ChestMnistError =>
  new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${path.basename(file)}: ${what}`,
    needed,
    next: 'save the array in this form',
  });
