/** IEEE 754 float16, which not every JavaScript engine knows: values read, and weights rounded to it. */
import type { StateDict, StateEntry } from '../engine/contract';
import { shown, weightsError } from './errors';

export function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The float16 nearest to a float32, ties to even, both as bits; what is too large becomes infinity. */
function halfOf(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const exponent = (word >>> 23) & 0xff;
  if (exponent >= 143) return sign | 0x7c00;
  // In steps of the last place: below 2^-14, where the exponent ends, these stay the same. A carry into the exponent is right.
  const steps = exponent < 113 ? (word & 0x7fffff) | 0x800000 : (word & 0x7fffff) + ((exponent - 112) << 23);
  const shift = exponent < 113 ? Math.min(126 - exponent, 30) : 13;
  return sign | ((steps + (1 << (shift - 1)) - 1 + ((steps >> shift) & 1)) >> shift);
}

/** The values of an entry as float16. Plain loops: there are 11 million. */
export function halfBits({ data }: StateEntry): Uint16Array {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const bits = new Uint16Array(words.length);
  for (let i = 0; i < bits.length; i++) bits[i] = halfOf(words[i]);
  return bits;
}

/** Convolutions and the head, which are all but 0.1 % of the values. The rest stays float32: variances may be tiny. */
export const isHalved = ({ dtype, shape }: StateEntry): boolean => dtype === 'F32' && shape.length > 1;

/** `state` with those weights rounded to float16, still kept as float32. ERR_WEIGHTS where one is too large for it. */
export const rounded = (state: StateDict): StateDict =>
  state.map((entry) => {
    if (!isHalved(entry)) return entry;
    const bits = halfBits(entry);
    const data = new Float32Array(bits.length);
    for (let i = 0; i < data.length; i++) data[i] = halfToFloat(bits[i]);
    const lost = data.findIndex((value) => !Number.isFinite(value));
    if (lost < 0) return { ...entry, data };
    throw weightsError({
      found: `${shown(entry.name)} has the value ${Number(entry.data[lost])}, beyond the range of float16`,
      needed: 'weights of at most 65504 in size for --half',
      next: 'leave --half out',
    });
  });
