/**
 * PNG, JPEG, TIFF and WebP by sharp (libvips), to the values that Pillow gives: colour profiles and gamma are not applied,
 * transparency is dropped, CMYK becomes RGB without a profile, EXIF orientation is applied. Not here: resizing, gray.
 */
import type { Metadata, Sharp } from 'sharp';
import { checkSize, corrupt, depthIn, depthNote, type Note, type Picture } from './picture';
import { significantBits } from './png';

/** A JPEG has at least one bit per block of 64 pixels. */
const MAX_JPEG_PIXELS_PER_BYTE = 1024;

/** Decodes the bytes of `file`. Throws ERR_DATA_CORRUPT. */
export async function decodeRaster(
  file: string,
  kind: 'png' | 'jpeg' | 'tiff' | 'webp',
  bytes: Buffer,
): Promise<Picture> {
  const declared = kind === 'png' ? significantBits(file, bytes) : undefined;
  const sharp = await load();
  // TIFF readers warn of tags that they do not know; in the others a warning means damaged pixels.
  const open = (): Sharp =>
    sharp(bytes, { limitInputPixels: false, ignoreIcc: true, failOn: kind === 'tiff' ? 'error' : 'warning' });
  try {
    const facts = await open().metadata();
    checkSize(file, facts.width, facts.height);
    if (kind === 'jpeg' && facts.width * facts.height > bytes.length * MAX_JPEG_PIXELS_PER_BYTE) {
      throw corrupt(
        file,
        `declares ${facts.width}x${facts.height} pixels, which cannot be in its ${bytes.length} bytes`,
      );
    }
    if (facts.depth !== 'uchar' && facts.depth !== 'ushort') {
      throw corrupt(file, `has samples of type ${facts.depth}`, {
        needed: 'unsigned samples of at most 16 bits',
        next: 'scale it to 8 or 16 bits, or save it as .npy',
      });
    }
    return await pixelsOf(open(), facts, declared);
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'ChestMnistError') throw cause;
    throw corrupt(file, `cannot be decoded (${reasonOf(cause)})`, { cause });
  }
}

let loaded: Promise<typeof import('sharp')> | undefined;

/** Pictures pass once, so nothing is gained by keeping them. */
function load(): Promise<typeof import('sharp')> {
  loaded ??= import('sharp').then(({ default: sharp }) => {
    sharp.cache(false);
    sharp.concurrency(1); // files are decoded side by side
    return sharp;
  });
  return loaded;
}

/** One line of what libvips says, which repeats itself. */
const reasonOf = (cause: unknown): string => {
  const lines = (cause instanceof Error ? cause.message : String(cause)).split('\n').map((line) => line.trim());
  return lines.findLast((line) => line !== '') ?? 'no reason given';
};

async function pixelsOf(input: Sharp, facts: Metadata, declared: number | undefined): Promise<Picture> {
  const isWide = facts.depth === 'ushort';
  const isCmyk = facts.space === 'cmyk';
  const isGray = facts.space === 'b-w' || facts.space === 'grey16';
  const oriented = input.autoOrient().removeAlpha();
  const raw = isCmyk
    ? oriented.pipelineColourspace('cmyk').toColourspace('cmyk')
    : isWide
      ? oriented.pipelineColourspace(isGray ? 'grey16' : 'rgb16').toColourspace(isGray ? 'grey16' : 'rgb16')
      : oriented.toColourspace(isGray ? 'b-w' : 'srgb');
  const { data, info } = await raw.raw({ depth: isWide ? 'ushort' : 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const given = isWide ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  const kept = isGray ? 1 : 3;
  const notes = notesOf(facts);
  if (channels !== (isCmyk ? 4 : kept)) throw new Error(`it has ${channels} channels`);
  const samples = isCmyk ? rgbOfCmyk(data) : given;
  if (!isWide) return { width, height, channels: kept, samples, depth: 8, notes };
  const used = depthIn(samples as Uint16Array);
  // By the standard the significant bits are the upper ones; values that fit into the lower ones were written as they are.
  const depth = declared !== undefined && declared < 16 ? (used <= declared ? declared : 16) : used;
  return { width, height, channels: kept, samples, depth, notes: [...notes, depthNote(depth)] };
}

function notesOf({ orientation = 1, hasAlpha, pages = 1 }: Metadata): Note[] {
  const notes: Note[] = [];
  if (orientation > 1) notes.push({ kind: 'orientation', text: 'is turned as its EXIF orientation says' });
  if (hasAlpha) notes.push({ kind: 'alpha', text: 'has an alpha channel, which is dropped' });
  if (pages > 1) notes.push({ kind: 'pages', text: `has ${pages} pictures; the first is taken` });
  return notes;
}

/** As Pillow: each of the three is the light that its ink leaves of what black leaves. */
function rgbOfCmyk(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let i = 0, o = 0; i < cmyk.length; i += 4) {
    const light = 255 - cmyk[i + 3];
    for (let c = 0; c < 3; c++) {
      const product = cmyk[i + c] * light + 128;
      rgb[o++] = light - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}
