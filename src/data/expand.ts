/**
 * The 3x28x28 expansion: a gray image seen as three equal channels.
 * `expandView` describes it without copying (channel stride 0); `expandToRgb` writes it out.
 */
import { types } from 'node:util';
import { checkArgument, integer, rule } from '../base/arguments';
import { ChestMnistError } from '../base/errors';

/** A strided view of uint8 images, [count, 3, height, width]; strides in elements. The channel stride is 0. */
export interface ExpandedView {
  readonly data: Uint8Array;
  readonly shape: readonly [count: number, channels: 3, height: number, width: number];
  readonly strides: readonly [number, 0, number, 1];
}

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
