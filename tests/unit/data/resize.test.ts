/** The WebAssembly of resizing is that of its source. That it is Pillow's is shown by tests/parity/pictures.test.ts. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { resize } from '../../../src/data/pictures/resize';
import { REPOSITORY } from '../../support/reference';

test('rows.ts is compiled from rows.wat (npm run wasm)', () => {
  const made = path.join(os.tmpdir(), `rows-${process.pid}.ts`);
  const { status, stderr } = spawnSync(process.execPath, [path.join(REPOSITORY, 'scripts', 'wasm.mjs'), made]);
  expect({ status, stderr: stderr.toString() }).toEqual({ status: 0, stderr: '' });
  expect(readFileSync(path.join(REPOSITORY, 'src/data/pictures/rows.ts'), 'utf8')).toBe(readFileSync(made, 'utf8'));
});

/** The sum that WebAssembly makes, one product after the other. */
function slow(pixels: Uint8Array, width: number, toWidth: number): number[] {
  const stretch = Math.max(width / toWidth, 1);
  const cubic = (x: number): number => {
    const d = Math.abs(x);
    return d < 1 ? (1.5 * d - 2.5) * d * d + 1 : d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
  };
  return Array.from({ length: toWidth }, (_, i) => {
    const center = (i + 0.5) * (width / toWidth);
    const from = Math.max(0, Math.trunc(center - 2 * stretch + 0.5));
    const end = Math.min(width, Math.trunc(center + 2 * stretch + 0.5));
    let [sum, total] = [0, 0];
    for (let k = from; k < end; k++) {
      const weight = cubic((k - center + 0.5) / stretch);
      [sum, total] = [sum + weight * pixels[k], total + weight];
    }
    return Math.min(255, Math.max(0, sum / total));
  });
}

test.each([
  [1, 1, 3],
  [3, 5, 28],
  [9, 17, 4],
  [2, 1023, 28],
  [3, 600_000, 28], // more than is in WebAssembly's memory at a time
])('%i rows of %i become %i wide', (height, width, toWidth) => {
  const pixels = Uint8Array.from({ length: height * width }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 24) & 255);
  const result = resize(pixels, [height, width], [height, toWidth]);
  for (let y = 0; y < height; y++) {
    const expected = slow(pixels.subarray(y * width, (y + 1) * width), width, toWidth);
    // Rounding alone, once.
    expected.forEach((value, x) => expect(Math.abs(result[y * toWidth + x] - value)).toBeLessThanOrEqual(0.51));
  }
});
