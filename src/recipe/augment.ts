/**
 * What happens to each image in an epoch, as a pure function of the seed, the epoch and the image's index: the same for
 * any number of threads and processes, and after a resume. The trainer applies it on its device. Not here: how it is
 * applied (native/core/dataset.cc).
 */
import { Random } from '../base/random';
import type { ResolvedOptions } from './options';

/** Rows by image of the training split. A part that is absent does nothing; they apply in this order. */
export interface Augmentation {
  /**
   * [N, 6]: the affine map from a place in the result to its place in the image, row by row, in units of half a side around
   * the centre (torch's affine_grid, align_corners=False). Bilinear; outside, the value of the edge.
   */
  geometry?: Float32Array;
  /** [N, 2]: gain and offset of the normalised value, which stays within -1 and 1. */
  intensity?: Float32Array;
  /** [N, 4]: top, left, bottom and right of a rectangle of the network's input, in pixels, set to 0; the last two exclusive. */
  erased?: Int32Array;
  /** [N]: another image of the split, with its own augmentation. */
  partners?: Int32Array;
  /** [N]: the share of the image itself in the mixture of images and of labels. */
  shares?: Float32Array;
}

type Names = 'shift' | 'scale' | 'rotate' | 'crop' | 'flip' | 'brightness' | 'contrast' | 'erase' | 'mixup';
type Ranges = Pick<ResolvedOptions, Names>;

/** Of an erased rectangle: its part of the area, and the height over the width (torchvision's RandomErasing has .02 to .33). */
const ERASED_AREA = [0.02, 0.2] as const;
const ERASED_RATIO = 3.3;

/**
 * The augmentation of epoch `epoch` for `count` images with `side` pixels; undefined where nothing is to be done. Every
 * value is drawn whether it is used or not, so that one element more or less leaves the others as they are.
 */
export function augmentationOf(
  ranges: Ranges,
  { seed, epoch, count, side }: { seed: number; epoch: number; count: number; side: number },
): Augmentation | undefined {
  const { shift, scale, rotate, crop, flip, brightness, contrast, erase, mixup } = ranges;
  const moves = shift > 0 || scale > 0 || rotate > 0 || crop < 1 || flip > 0;
  const shades = brightness > 0 || contrast > 0;
  if (!moves && !shades && erase === 0 && mixup === 0) return undefined;
  const all: Augmentation = {
    ...(moves && { geometry: new Float32Array(count * 6) }),
    ...(shades && { intensity: new Float32Array(count * 2) }),
    ...(erase > 0 && { erased: new Int32Array(count * 4) }),
    ...(mixup > 0 && { partners: new Int32Array(count), shares: new Float32Array(count) }),
  };
  for (let i = 0; i < count; i++) {
    // Stream 1 of (seed, epoch) is that of the order.
    const random = new Random(seed % 2 ** 32, Math.floor(seed / 2 ** 32), epoch, i + 2);
    const within = (most: number): number => random.between(-most, most);
    const move = {
      angle: (within(rotate) * Math.PI) / 180,
      zoom: 1 + within(scale),
      shift: [within(shift), within(shift)] as const,
      kept: Math.sqrt(random.between(crop, 1)),
      corner: [within(1), within(1)] as const,
      mirrored: random.between(0, 1) < flip,
    };
    all.geometry?.set(affine(move), i * 6);
    // In the normalised value, the whole range is 2.
    const [gain, offset] = [1 + within(contrast), 2 * within(brightness)];
    all.intensity?.set([gain, offset], i * 2);
    const isErased = random.between(0, 1) < erase;
    const box = rectangle(random, side);
    if (isErased) all.erased?.set(box, i * 4);
    const partner = random.below(count);
    if (all.partners && all.shares) {
      all.partners[i] = partner;
      all.shares[i] = random.beta(mixup);
    }
  }
  return all;
}

/** From the result to the image: mirror, crop, then the inverse of shift, rotation and zoom. */
function affine(move: {
  angle: number;
  zoom: number;
  shift: readonly [number, number];
  kept: number;
  corner: readonly [number, number];
  mirrored: boolean;
}): number[] {
  const { angle, zoom, shift, kept, corner, mirrored } = move;
  const [cos, sin] = [Math.cos(angle) / zoom, Math.sin(angle) / zoom];
  // Where a place (x, y) of the result lies before the shift: (xx x + x0, kept y + y0). A side is 2 units.
  const xx = mirrored ? -kept : kept;
  const [x0, y0] = [corner[0] * (1 - kept) - 2 * shift[0], corner[1] * (1 - kept) - 2 * shift[1]];
  return [cos * xx, sin * kept, cos * x0 + sin * y0, -sin * xx, cos * kept, cos * y0 - sin * x0];
}

function rectangle(random: Random, side: number): number[] {
  const area = random.between(...ERASED_AREA);
  const ratio = Math.exp(random.between(-Math.log(ERASED_RATIO), Math.log(ERASED_RATIO)));
  const pixels = (part: number): number => Math.min(side, Math.max(1, Math.round(part * side)));
  const [height, width] = [pixels(Math.sqrt(area * ratio)), pixels(Math.sqrt(area / ratio))];
  const [top, left] = [random.below(side - height + 1), random.below(side - width + 1)];
  return [top, left, top + height, left + width];
}
