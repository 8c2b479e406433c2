/**
 * Images as the network reads them, in three channels: a gray image seen as three equal ones (the 3x28x28 expansion), RGB
 * as it is. `viewOf` and `expandView` describe it without copying; `expandToRgb` writes the expansion out.
 */
import { types } from 'node:util';
import { checkArgument, integer, rule } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import type { Split } from './dataset';

/** A strided view of uint8 images, [count, 3, height, width]; strides in elements. The channel stride is 0 for gray. */
export interface ImageView {
  readonly data: Uint8Array;
  readonly shape: readonly [count: number, channels: 3, height: number, width: number];
  readonly strides: readonly [image: number, channel: 0 | 1, row: number, column: 1 | 3];
}

/** That of gray images. */
export type ExpandedView = ImageView & { readonly strides: readonly [number, 0, number, 1] };

const BYTES = rule('a Uint8Array', (value) => types.isUint8Array(value));

function checkLength(images: Uint8Array, count: number, height: number, width: number): void {
  checkArgument('images', images, BYTES, 'ERR_DATA_SHAPE');
  for (const [name, value] of Object.entries({ count, height, width })) {
    checkArgument(name, value, integer(0), 'ERR_DATA_SHAPE');
  }
  if (images.length !== count * height * width) {
    throw new ChestMnistError('ERR_DATA_SHAPE', {
      found: `${images.length} bytes of images for shape [${count}, ${height}, ${width}]`,
      needed: `${count * height * width} bytes (uint8, C order)`,
      next: 'pass the shape of the array',
    });
  }
}

/** The images of a split: gray ones expanded, RGB [count, size, size, 3] as they are. */
export function viewOf({ images, count, size, channels }: Omit<Split, 'truth' | 'labelCount'>): ImageView {
  if (channels === 1) return expandView(images, count, size);
  return { data: images, shape: [count, 3, size, size], strides: [3 * size * size, 1, 3 * size, 3] };
}

/** The zero-copy expansion of gray `images` [count, height, width] uint8 to [count, 3, height, width]. */
export function expandView(images: Uint8Array, count: number, height: number, width = height): ExpandedView {
  checkLength(images, count, height, width);
  return { data: images, shape: [count, 3, height, width], strides: [height * width, 0, width, 1] };
}

/**
 * Copies gray images [count, height, width] uint8 to [count, 3, height, width] uint8, C order, with three equal
 * channels. Throws ERR_DATA_SHAPE when the length and the shape disagree.
 */
export function expandToRgb(images: Uint8Array, count: number, height: number, width = height): Uint8Array {
  checkLength(images, count, height, width);
  const plane = height * width;
  const rgb = new Uint8Array(count * 3 * plane);
  for (let i = 0; i < count; i++) {
    const gray = images.subarray(i * plane, (i + 1) * plane);
    for (let c = 0; c < 3; c++) rgb.set(gray, (i * 3 + c) * plane);
  }
  return rgb;
}
