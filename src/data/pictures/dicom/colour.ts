/** RGB from the colour models of DICOM. PS3.3, C.7.6.3.1.2. Not here: what a decoder has made RGB already. */
import type { DataSet } from 'dicom-parser';
import { corrupt } from '../picture';
import type { Frame } from './frame';
import type { Header } from './header';

/** RGB bytes [height, width, 3]. Throws ERR_DATA_CORRUPT for a model that is not read. */
export function rgbOf(file: string, { samples, isRgb }: Frame, { photometric, bitsStored, set }: Header): Uint8Array {
  if (photometric === 'PALETTE COLOR') return ofPalette(file, samples, set);
  const known = ['RGB', 'YBR_FULL', ...(isRgb ? ['YBR_FULL_422', 'YBR_ICT', 'YBR_RCT', 'YBR_PARTIAL_420'] : [])];
  if (!known.includes(photometric) || bitsStored !== 8) {
    throw corrupt(file, `has the colours ${photometric} of ${bitsStored} bits`, {
      needed: 'MONOCHROME1, MONOCHROME2, PALETTE COLOR, or RGB or YBR_FULL of 8 bits',
      next: 'convert it to one of these',
    });
  }
  const rgb = Uint8Array.from(samples);
  if (isRgb || photometric === 'RGB') return rgb;
  const byte = (value: number): number => Math.min(255, Math.max(0, Math.round(value)));
  for (let i = 0; i < rgb.length; i += 3) {
    const [y, cb, cr] = [samples[i], samples[i + 1] - 128, samples[i + 2] - 128];
    rgb[i] = byte(y + 1.402 * cr);
    rgb[i + 1] = byte(y - 0.344136 * cb - 0.714136 * cr);
    rgb[i + 2] = byte(y + 1.772 * cb);
  }
  return rgb;
}

function ofPalette(file: string, samples: Uint16Array, set: DataSet): Uint8Array {
  const palettes = ['1', '2', '3'].map((n) => {
    const [descriptor, data] = [`x0028110${n}`, set.elements[`x0028120${n}`]];
    const [count, first, bits] = [0, 1, 2].map((i) => set.uint16(descriptor, i));
    const length = count === 0 ? 65536 : (count ?? 0);
    const isPacked = bits === 8 && data?.length < 2 * length;
    if (!data || first === undefined || data.length < length * (isPacked ? 1 : 2)) {
      throw corrupt(file, 'has no palette that can be read', { next: 'convert it to RGB' });
    }
    const entry = (i: number): number =>
      isPacked ? set.byteArray[data.dataOffset + i] : set.uint16(`x0028120${n}`, i)!;
    return { first, entries: Uint8Array.from({ length }, (_, i) => (bits === 16 ? entry(i) >> 8 : entry(i))) };
  });
  const rgb = new Uint8Array(samples.length * 3);
  samples.forEach((sample, i) =>
    palettes.forEach(({ first, entries }, c) => {
      rgb[3 * i + c] = entries[Math.min(entries.length - 1, Math.max(0, sample - first))];
    }),
  );
  return rgb;
}
