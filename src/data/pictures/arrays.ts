/**
 * Pictures in .npy and .npz files: what the axes of an array are, and what its values mean. Not here: the bytes of an array
 * (base/npy.ts), the data sets of a run (data/medmnist.ts).
 */
import { ChestMnistError } from '../../base/errors';
import type { NpyArray } from '../../base/npz';
import { LAYOUTS, type Layout } from './options';
import { checkSize, depthIn, depthNote, type Note, type Picture } from './picture';

/** What an array called `what` holds, picture by picture. Throws ERR_DATA_SHAPE. */
export function* picturesIn(what: string, array: NpyArray, layout: Layout): Generator<Picture> {
  const of = (axis: string): number => (layout.includes(axis) ? array.shape[layout.indexOf(axis)] : 1);
  const [count, height, width, channels] = [of('N'), of('H'), of('W'), of('C') as 1 | 3];
  if (count === 0) throw refused(`${what} has shape [${array.shape.join(', ')}]: no picture`, 'at least one picture');
  checkSize(what, width, height);
  const { samples, depth, notes } = samplesOf(what, array);
  const length = height * width * channels;
  for (let i = 0; i < count; i++) {
    const one = samples.subarray(i * length, (i + 1) * length);
    const isPlanar = channels === 3 && layout.endsWith('CHW');
    yield { width, height, channels, samples: isPlanar ? interleaved(one) : one, depth, notes };
  }
}

function interleaved(planar: Uint8Array | Uint16Array): Uint8Array | Uint16Array {
  const plane = planar.length / 3;
  return planar.map((_, i) => planar[(i % 3) * plane + Math.floor(i / 3)]);
}

/** No picture is that narrow, so an axis of this length is one of channels. */
const isChannels = (length: number): boolean => length === 1 || length === 3;
const MIN_SIDE = 8;

/**
 * The layout that a user states, or the only one that the shape allows. `inDataSet` is an array of MedMNIST's files, whose
 * first axis is always that of the pictures. Throws ERR_DATA_SHAPE.
 */
export function layoutOf(what: string, { shape }: NpyArray, stated: Layout | undefined, inDataSet: boolean): Layout {
  const possible = LAYOUTS.filter((layout) => layout.length === shape.length && mayBe(layout, shape));
  const text = `${what} has shape [${shape.join(', ')}]`;
  if (stated !== undefined) {
    const isRight = stated.length === shape.length && (!stated.includes('C') || isChannels(shape[stated.indexOf('C')]));
    if (isRight) return stated;
    throw refused(text, `${stated.length} axes for the layout ${stated}, with 1 or 3 channels`, 'correct --layout');
  }
  const likely = inDataSet && possible.length > 1 ? possible.filter((layout) => layout.startsWith('N')) : possible;
  if (likely.length === 1) return likely[0];
  if (likely.length === 0)
    throw refused(text, 'one of [H, W], [N, H, W], [H, W, C], [N, H, W, C] and [N, C, H, W], C of 1 or 3');
  throw refused(
    `${text}, which may be ${likely.join(' or ')} (N pictures, H rows, W columns, C channels)`,
    'the order of its axes',
    `--layout ${likely[0]}`,
  );
}

/** Whether an array of this shape may have this layout. */
function mayBe(layout: Layout, shape: readonly number[]): boolean {
  const of = (axis: string): number => shape[layout.indexOf(axis)];
  if (layout.includes('C')) return isChannels(of('C')) && Math.min(of('H'), of('W')) >= MIN_SIDE;
  return layout === 'HW' || !(isChannels(of('W')) && of('N') >= MIN_SIDE && of('H') >= MIN_SIDE);
}

/** The values as samples of a picture: 8 bits, 16 bits, or a fraction of white. */
function samplesOf(
  what: string,
  { dtype, data }: NpyArray,
): { samples: Uint8Array | Uint16Array; depth: number; notes: Note[] } {
  if (dtype === '|u1') return { samples: data as Uint8Array, depth: 8, notes: [] };
  const [least, most] = rangeOf(data);
  if (dtype === '|b1' || (most <= 1 && least >= 0 && dtype.includes('f'))) {
    const notes = [{ kind: 'fraction', text: `has values from 0 to 1 (${dtype}): 1 becomes white` }];
    return { samples: Uint8Array.from(data, (value) => Math.round(value * 255)), depth: 8, notes };
  }
  const range = `${what} (${dtype}) has values from ${least} to ${most}`;
  const needed = 'values from 0 to 1, or whole ones from 0 to 255 or 65535';
  if (!(least >= 0 && most <= 65535) || !data.every(Number.isInteger)) {
    throw refused(range, needed, 'save the pictures as they were before they were normalised');
  }
  if (most <= 255) return { samples: Uint8Array.from(data), depth: 8, notes: [] };
  const samples = Uint16Array.from(data);
  const depth = depthIn(samples);
  return { samples, depth, notes: [depthNote(depth)] };
}

function rangeOf(data: ArrayLike<number>): [least: number, most: number] {
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < data.length; i++) {
    if (Number.isNaN(data[i])) return [NaN, NaN];
    if (data[i] < least) least = data[i];
    if (data[i] > most) most = data[i];
  }
  return [least, most];
}

const refused = (found: string, needed: string, next = 'save the array in this form'): ChestMnistError =>
  new ChestMnistError('ERR_DATA_SHAPE', { found, needed, next });
