/** The first frame of a DICOM file: its pixel cells, decoded by their transfer syntax. Not here: what the values mean. */
import type { Element } from 'dicom-parser';
import { corrupt } from '../picture';
import { decodeRaster } from '../raster';
import type { Header } from './header';
import { decodeJpeg, jpegFacts } from './jpeg';
import { decodeRle } from './rle';
import { decodeCoded, j2kFacts } from './wasm';

export interface Frame {
  /** [height, width, channels]: the stored bits of each sample, without sign or the bits around them. */
  readonly samples: Uint16Array;
  /** Whether the decoder has made RGB of luminance and chrominance. */
  readonly isRgb: boolean;
}

/** Cells of whole bytes, or samples of a picture decoder. */
interface Cells {
  readonly samples: ArrayLike<number>;
  readonly isPlanar: boolean;
  readonly isRgb?: boolean;
}

/** Throws ERR_DATA_CORRUPT. */
export async function readFrame(file: string, header: Header): Promise<Frame> {
  try {
    const { samples, isPlanar, isRgb = false } = await cellsOf(file, header);
    return { samples: storedOf(samples, header, isPlanar), isRgb };
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'ChestMnistError') throw cause;
    // Emscripten throws numbers and objects.
    const reason = cause instanceof Error ? cause.message : String((cause as { message?: unknown })?.message ?? cause);
    throw corrupt(file, `has pixels that cannot be decoded (${reason})`, { cause });
  }
}

async function cellsOf(file: string, header: Header): Promise<Cells> {
  const { set, coding, width, height, channels, bitsAllocated, isBigEndian, isPlanar } = header;
  const element = set.elements.x7fe00010;
  const bytesPerSample = bitsAllocated / 8;
  const length = width * height * channels * bytesPerSample;
  if (coding === 'native') {
    const cells = Buffer.from(set.byteArray.subarray(element.dataOffset, element.dataOffset + length)); // a copy
    const available = Math.min(element.length, cells.length);
    if (available < length)
      throw corrupt(file, `ends early: ${available} of the ${length} bytes of its pixels are there`);
    if (isBigEndian && (bytesPerSample === 2 || (element.vr === 'OW' && length % 2 === 0))) cells.swap16();
    return { samples: wordsOf(cells, bytesPerSample), isPlanar };
  }
  const bytes = await firstOf(header, element);
  if (coding === 'rle') {
    const cells = decodeRle(bytes, width * height, channels, bytesPerSample);
    return { samples: wordsOf(cells, bytesPerSample), isPlanar: false };
  }
  // Before memory is set aside for what the pixels say of themselves.
  const own = coding === 'jpeg-2000' ? j2kFacts(bytes) : jpegFacts(bytes);
  const [wanted, found] = [header, own].map(({ width, height, channels }) => `${width}x${height}x${channels}`);
  if (wanted !== found) throw new Error(`they are ${found} by their own header, ${wanted} by that of the file`);
  if (coding !== 'jpeg') {
    const { cells, precision, isPlanar } = await decodeCoded(coding, bytes);
    return { samples: wordsOf(cells, precision > 8 ? 2 : 1), isPlanar, isRgb: coding === 'jpeg-2000' };
  }
  // By its own header, since files of one process under another's transfer syntax exist.
  const { precision, process } = jpegFacts(bytes);
  if (process === 0xc3 || precision > 8) return { samples: decodeJpeg(bytes).samples, isPlanar: false };
  return { samples: (await decodeRaster(file, 'jpeg', bytes)).samples, isPlanar: false, isRgb: true };
}

/** The bytes of the first frame, which may be in several fragments. */
async function firstOf({ set, frames }: Header, element: Element): Promise<Buffer> {
  const parser = await import('dicom-parser');
  const fragments = element.fragments ?? [];
  if (fragments.length === 0) throw new Error('there are none');
  const all = (count: number): Uint8Array =>
    parser.readEncapsulatedPixelDataFromFragments(set, element, 0, count, fragments);
  if (frames === 1) return Buffer.from(all(fragments.length));
  if (fragments.length === frames) return Buffer.from(all(1));
  const table = element.basicOffsetTable?.length
    ? element.basicOffsetTable
    : parser.createJPEGBasicOffsetTable(set, element);
  return Buffer.from(parser.readEncapsulatedImageFrame(set, element, 0, table));
}

const wordsOf = (cells: Buffer, bytesPerSample: number): ArrayLike<number> =>
  bytesPerSample === 1 ? cells : new Uint16Array(new Uint8Array(cells).buffer);

/** The stored bits of each cell; others in it may hold an overlay. */
function storedOf(cells: ArrayLike<number>, header: Header, isPlanar: boolean): Uint16Array {
  const { width, height, channels, bitsStored, highBit } = header;
  const plane = width * height;
  const samples = new Uint16Array(plane * channels);
  const [shift, mask] = [highBit + 1 - bitsStored, (1 << bitsStored) - 1];
  const isApart = isPlanar && channels > 1;
  for (let i = 0; i < samples.length; i++) {
    const cell = isApart ? cells[(i % channels) * plane + Math.floor(i / channels)] : cells[i];
    samples[i] = (cell >> shift) & mask;
  }
  return samples;
}
