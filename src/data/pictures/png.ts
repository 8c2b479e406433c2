/** What sharp does not say of a PNG: its significant bits, and whether its size can be true. PNG, third edition, 5 and 11. */
import { corrupt } from './picture';

/** Deflate cannot expand by more (RFC 1951). */
const MAX_DEFLATE_RATIO = 1032;
const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** The bits that sBIT declares; undefined without it. Throws ERR_DATA_CORRUPT for a header that cannot be true. */
export function significantBits(file: string, bytes: Buffer): number | undefined {
  if (bytes.length < 33) throw corrupt(file, 'ends within its header');
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const bits = bytes[24] * (CHANNELS[bytes[25]] ?? 1);
  // A filter byte in each row. An interlaced picture has more.
  if (height * (1 + Math.ceil((width * bits) / 8)) > bytes.length * MAX_DEFLATE_RATIO) {
    throw corrupt(file, `declares ${width}x${height} pixels, which cannot be in its ${bytes.length} bytes`);
  }
  for (let at = 33; at + 12 <= bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (type === 'sBIT') return Math.max(...bytes.subarray(at + 8, at + 8 + Math.min(3, bytes.readUInt32BE(at))));
    if (type === 'IDAT' || type === 'IEND') break;
  }
  return undefined;
}
