/**
 * DICOM radiographs: CR, DX, secondary capture and other single pictures. The values become gray as the file says: rescale,
 * its first lookup table or window, MONOCHROME1. Nothing of the header but that is read. Not here: series, presentation
 * states.
 */
import type { VoiWindow } from '../options';
import { checkSize, type Note, type Picture } from '../picture';
import { rgbOf } from './colour';
import { readFrame } from './frame';
import { grayOf } from './gray';
import { readHeader } from './header';

/** Decodes the bytes of `file`. Throws ERR_DATA_CORRUPT. */
export async function decodeDicom(file: string, bytes: Buffer, window?: VoiWindow): Promise<Picture> {
  const header = await readHeader(file, bytes);
  const { width, height, frames, photometric } = header;
  checkSize(file, width, height);
  const frame = await readFrame(file, header);
  const first: Note[] = frames > 1 ? [{ kind: 'frames', text: `has ${frames} frames; the first is taken` }] : [];
  if (photometric.startsWith('MONOCHROME')) {
    const { gray, notes } = grayOf(frame.samples, header, window);
    return { width, height, channels: 1, samples: gray, depth: 8, notes: [...first, ...notes] };
  }
  return { width, height, channels: 3, samples: rgbOf(file, frame, header), depth: 8, notes: first };
}
