/** DICOM's run-length encoding: one PackBits segment per byte of a sample, the most significant first. PS3.5, annex G. */

/** The pixel cells, little endian and interleaved. Throws an Error. */
export function decodeRle(bytes: Buffer, pixels: number, channels: number, bytesPerSample: number): Buffer {
  const count = bytes.length >= 64 ? bytes.readUInt32LE(0) : 0;
  const expected = channels * bytesPerSample;
  if (count !== expected) throw new Error(`it has ${count} segments, not ${expected}`);
  // Two bytes are 128 at most.
  if (pixels * expected > bytes.length * 64) throw new Error(`${bytes.length} bytes cannot hold them`);
  const cells = Buffer.alloc(pixels * expected);
  for (let segment = 0; segment < count; segment++) {
    const [channel, byte] = [Math.floor(segment / bytesPerSample), segment % bytesPerSample];
    const start = bytes.readUInt32LE(4 + 4 * segment);
    const end = segment + 1 < count ? bytes.readUInt32LE(8 + 4 * segment) : bytes.length;
    const to = channel * bytesPerSample + bytesPerSample - 1 - byte;
    unpack(bytes.subarray(start, end), cells, to, expected, pixels);
  }
  return cells;
}

function unpack(packed: Buffer, cells: Buffer, to: number, step: number, pixels: number): void {
  let done = 0;
  for (let at = 0; done < pixels;) {
    if (at + 1 >= packed.length) throw new Error('it ends within its pixels');
    const control = packed.readInt8(at++);
    if (control === -128) continue;
    const isRun = control < 0;
    const length = Math.min(isRun ? 1 - control : control + 1, pixels - done);
    if (!isRun && at + length > packed.length) throw new Error('it ends within its pixels');
    for (let i = 0; i < length; i++, done++) cells[to + done * step] = packed[isRun ? at : at + i];
    at += isRun ? 1 : control + 1;
  }
}
