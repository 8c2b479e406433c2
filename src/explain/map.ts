/** A map of a finding, and where its values lie on the image. Not here: how it is made (occlusion.ts), its colours (picture.ts). */

export interface HeatMap {
  /** [n, n] row-major: positive speaks for the finding, negative against it. */
  values: Float32Array;
  /** Of rows, and of columns: where each value lies, in pixels of the image from its edge. */
  centers: readonly number[];
}

/** The share of values whose size is below the full colour. */
const PERCENTILE = 0.99;

/** The size of value that gets the full colour: a high percentile, so that one extreme does not wash out the others. */
export function scaleOf(maps: readonly Float32Array[]): number {
  const sizes = Float32Array.from(maps.flatMap((values) => Array.from(values, Math.abs))).sort();
  return sizes[Math.floor(PERCENTILE * (sizes.length - 1))];
}

/** The map at `size` x `size` places spread evenly over an image of `side` pixels, bilinear, its outer values extended. */
export function spreadOut({ values, centers }: HeatMap, side: number, size: number): Float32Array {
  const n = centers.length;
  const places = Array.from({ length: size }, (_, i) => {
    const x = ((i + 0.5) * side) / size;
    const after = centers.findIndex((center) => center >= x);
    if (after <= 0) return { from: after === 0 ? 0 : n - 1, to: after === 0 ? 0 : n - 1, part: 0 };
    const [a, b] = [centers[after - 1], centers[after]];
    return { from: after - 1, to: after, part: (x - a) / (b - a) };
  });
  const result = new Float32Array(size * size);
  for (let y = 0; y < size; y++) {
    const { from: top, to: bottom, part: down } = places[y];
    for (let x = 0; x < size; x++) {
      const { from: left, to: right, part: across } = places[x];
      const upper = values[top * n + left] * (1 - across) + values[top * n + right] * across;
      const lower = values[bottom * n + left] * (1 - across) + values[bottom * n + right] * across;
      result[y * size + x] = upper * (1 - down) + lower * down;
    }
  }
  return result;
}
