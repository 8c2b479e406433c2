/** Writes PNG files for tests, of any depth and colour type; nothing of what is tested makes them. */
import { crc32, deflateSync } from 'node:zlib';

/** Channels by colour type. */
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 } as const;

export interface PngOptions {
  /** 8 or 16 bits. */
  depth?: 8 | 16;
  /** 0 gray, 2 RGB, 3 palette, 4 gray with alpha, 6 RGB with alpha. */
  colour?: keyof typeof CHANNELS;
  /** Chunks before the pixels, by name. */
  chunks?: Readonly<Record<string, Uint8Array>>;
}

function chunk(name: string, content: Uint8Array): Buffer {
  const named = Buffer.concat([Buffer.from(name, 'latin1'), content]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(content.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}

/** `samples` are [height, width, channels of the colour type]. */
export function png(
  width: number,
  height: number,
  samples: ArrayLike<number>,
  { depth = 8, colour = 0, chunks = {} }: PngOptions = {},
): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  head.set([depth, colour], 8);
  const [row, bytes] = [width * CHANNELS[colour], depth / 8];
  const rows = Buffer.alloc(height * (1 + row * bytes));
  for (let i = 0; i < row * height; i++) {
    rows.writeUIntBE(samples[i], Math.floor(i / row) * (1 + row * bytes) + 1 + (i % row) * bytes, bytes);
  }
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', head),
    ...Object.entries(chunks).map(([name, content]) => chunk(name, content)),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A gray picture by a function of its columns and rows. */
export const grayPng = (width: number, height: number, value: (x: number, y: number) => number): Buffer =>
  png(
    width,
    height,
    Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width))),
  );
