/**
 * From stored values to gray: modality transformation, values of interest, MONOCHROME1. PS3.3, C.11.1, C.11.2 and C.7.6.3.
 * Not here: presentation states, overlays.
 */
import type { DataSet } from 'dicom-parser';
import type { VoiWindow } from '../options';
import type { Note } from '../picture';
import type { Header } from './header';

type Curve = (value: number) => number;

interface Lut {
  readonly first: number;
  readonly entries: Uint16Array;
  /** Bits of an entry. */
  readonly bits: number;
}

/** Gray bytes [height, width] for stored values. `window` replaces what the file says. */
export function grayOf(samples: Uint16Array, header: Header, window?: VoiWindow): { gray: Uint8Array; notes: Note[] } {
  const { set, bitsStored, isSigned, photometric } = header;
  const notes: Note[] = [];
  const modality = modalityOf(set, isSigned);
  const voi = voiOf(samples, header, modality, window, notes);
  const sign = isSigned ? 1 << (bitsStored - 1) : 0;
  const isInverse = photometric === 'MONOCHROME1';
  const table = Uint8Array.from({ length: 1 << bitsStored }, (_, bits) => {
    const value = (bits ^ sign) - sign;
    const white = Math.min(1, Math.max(0, voi(modality.curve(value))));
    return Math.round(255 * (isInverse ? 1 - white : white));
  });
  const gray = new Uint8Array(samples.length);
  for (let i = 0; i < gray.length; i++) gray[i] = table[samples[i]];
  return { gray, notes };
}

interface Modality {
  readonly curve: Curve;
  /** Of a lookup table: 0 to the highest value that its bits hold. */
  readonly most?: number;
  /** Whether values below 0 may come out. */
  readonly isSigned: boolean;
}

function modalityOf(set: DataSet, isSigned: boolean): Modality {
  const lut = lutOf(set, 'x00283000', isSigned);
  if (lut) return { curve: curveOf(lut), most: 2 ** lut.bits - 1, isSigned: false };
  const [slope, intercept] = [set.floatString('x00281053') ?? 1, set.floatString('x00281052') ?? 0];
  const isLine = Number.isFinite(slope) && slope !== 0 && Number.isFinite(intercept);
  const curve: Curve = isLine ? (value) => value * slope + intercept : (value) => value;
  return { curve, isSigned: isSigned || intercept < 0 || slope < 0 };
}

/** From values after the modality transformation to black, 0, and white, 1. */
function voiOf(
  samples: Uint16Array,
  header: Header,
  modality: Modality,
  stated: VoiWindow | undefined,
  notes: Note[],
): Curve {
  const { set } = header;
  const shape = set.string('x00281056')?.toUpperCase();
  if (stated) {
    notes.push({ kind: 'given-window', text: `is shown by the window that was given (${stated.join(', ')})` });
    return windowed(stated, shape);
  }
  const lut = lutOf(set, 'x00283010', modality.isSigned);
  if (lut) {
    notes.push({ kind: 'voi-lut', text: 'is shown by its own lookup table (VOI LUT)' });
    const [curve, most] = [curveOf(lut), 2 ** lut.bits - 1];
    return (value) => curve(value) / most;
  }
  const [center, width] = [set.floatString('x00281050'), set.floatString('x00281051')];
  const least = shape === 'LINEAR_EXACT' || shape === 'SIGMOID' ? Number.MIN_VALUE : 1;
  if (center !== undefined && width !== undefined && Number.isFinite(center) && width >= least && width < Infinity) {
    const values = `center ${center}, width ${width}`;
    notes.push({ kind: 'window', text: `is shown by its own window (${values})` });
    return windowed([center, width], shape);
  }
  return wholeRange(samples, header, modality, notes);
}

/** From the lowest to the highest value that the stored bits can have. */
function wholeRange(samples: Uint16Array, header: Header, modality: Modality, notes: Note[]): Curve {
  const { bitsStored, isSigned } = header;
  // 16 bits are often declared by default: then what is there decides.
  const bits = bitsStored === 16 ? bitsIn(samples, isSigned) : bitsStored;
  const stored = isSigned ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  if (bits > 8) {
    const what = bitsStored === 16 ? `${bits} bits by its values` : `${bits} bits stored`;
    notes.push({ kind: `range ${bits}`, text: `has no window: the whole range is shown (${what})` });
  }
  const ends = modality.most === undefined ? stored.map(modality.curve) : [0, modality.most];
  const [least, most] = [Math.min(...ends), Math.max(...ends)];
  return (value) => (value - least) / (most - least);
}

/** The least of the usual depths that holds all values. */
function bitsIn(samples: Uint16Array, isSigned: boolean): number {
  let highest = 0;
  for (let i = 0; i < samples.length; i++) {
    const value = isSigned ? (samples[i] & 0x8000 ? 0xffff - samples[i] : samples[i]) * 2 : samples[i];
    if (value > highest) highest = value;
  }
  return [8, 10, 12, 14].find((bits) => highest < 2 ** bits) ?? 16;
}

/** C.11.2.1.2 and C.11.2.1.3. */
function windowed([center, width]: VoiWindow, shape = 'LINEAR'): Curve {
  if (shape === 'SIGMOID') return (value) => 1 / (1 + Math.exp((-4 * (value - center)) / width));
  if (shape === 'LINEAR_EXACT') return (value) => (value - center) / width + 0.5;
  // A width of 1 is a step. No smaller one is defined.
  if (width <= 1) return (value) => (value <= center - 0.5 ? 0 : 1);
  return (value) => (value - (center - 0.5)) / (width - 1) + 0.5;
}

/** The first lookup table of a sequence; undefined without one that can be read. */
function lutOf(set: DataSet, sequence: string, isSigned: boolean): Lut | undefined {
  const item = set.elements[sequence]?.items?.[0]?.dataSet;
  const data = item?.elements.x00283006;
  const count = item?.uint16('x00283002', 0);
  const first = isSigned ? item?.int16('x00283002', 1) : item?.uint16('x00283002', 1);
  const bits = item?.uint16('x00283002', 2);
  if (!item || !data || count === undefined || first === undefined || bits === undefined || bits < 1 || bits > 16)
    return undefined;
  const length = count === 0 ? 65536 : count;
  // Entries of 8 bits may lie two to a word.
  if (data.length === length && bits <= 8) {
    return {
      first,
      bits,
      entries: Uint16Array.from(set.byteArray.subarray(data.dataOffset, data.dataOffset + length)),
    };
  }
  if (data.length < 2 * length) return undefined;
  return { first, bits, entries: Uint16Array.from({ length }, (_, i) => item.uint16('x00283006', i) ?? 0) };
}

/** Values beyond the table have its first or last entry. */
const curveOf =
  ({ first, entries }: Lut): Curve =>
  (value) =>
    entries[Math.min(entries.length - 1, Math.max(0, Math.round(value) - first))];
