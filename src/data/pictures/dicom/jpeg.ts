/**
 * The JPEG processes of radiographs that sharp does not have: lossless (process 14), and DCT of 12 bits in gray (process 4).
 * Sources: ITU-T T.81, and libjpeg's jidctint.c, whose inverse DCT this is to the bit. Not here: 8 bits, progressive files,
 * arithmetic coding.
 */

export interface Jpeg {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** Bits per sample. */
  readonly precision: number;
  /** The start of frame: 0xc0 baseline, 0xc1 extended, 0xc2 progressive, 0xc3 lossless, 0xf7 JPEG-LS. */
  readonly process: number;
}

interface Component {
  readonly id: number;
  readonly quantization: number;
  /** Horizontal and vertical sampling, 4 bits each. */
  readonly sampling: number;
}

interface Frame extends Jpeg {
  readonly components: readonly Component[];
}

/** By every 16 bits that may come next: the length of the code at their start, and above 8 bits its value. */
type HuffmanTable = Uint16Array;

interface Tables {
  readonly dc: HuffmanTable[];
  readonly ac: HuffmanTable[];
  readonly quantization: Uint16Array[];
  restartInterval: number;
}

const [SOI, EOI, SOS, DHT, DQT, DRI] = [0xd8, 0xd9, 0xda, 0xc4, 0xdb, 0xdd];
/** Including that of JPEG-LS, whose headers are the same. */
const isFrame = (marker: number): boolean =>
  marker === 0xf7 || (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker));

/** The segments up to the first scan, and where it begins. Throws an Error. */
function* segmentsOf(bytes: Buffer): Generator<{ marker: number; body: Buffer; end: number }> {
  if (bytes.length < 4 || bytes[0] !== 0xff || bytes[1] !== SOI) throw new Error('no JPEG begins here');
  for (let at = 2; at + 4 <= bytes.length;) {
    if (bytes[at] !== 0xff) throw new Error(`no marker at byte ${at}`);
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === EOI) return;
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    if (end > bytes.length) break;
    yield { marker, body: bytes.subarray(at + 4, end), end };
    at = end;
  }
  throw new Error('it ends within its header');
}

function frameOf(marker: number, body: Buffer): Frame {
  if (body.length < 6 || body.length < 6 + 3 * body[5]) throw new Error('a frame header is too short');
  const [height, width] = [body.readUInt16BE(1), body.readUInt16BE(3)];
  const components = Array.from({ length: body[5] }, (_, i) => {
    const [id, sampling, quantization] = body.subarray(6 + 3 * i);
    return { id, sampling, quantization };
  });
  return { width, height, channels: components.length, precision: body[0], process: marker, components };
}

/** What the header of a JPEG or a JPEG-LS says. Throws an Error. */
export function jpegFacts(bytes: Buffer): Jpeg {
  for (const { marker, body } of segmentsOf(bytes)) if (isFrame(marker)) return frameOf(marker, body);
  throw new Error('it has no frame');
}

/** The samples, interleaved: [height, width, channels]. Throws an Error for what is damaged or of another process. */
export function decodeJpeg(bytes: Buffer): Jpeg & { samples: Uint16Array } {
  const tables: Tables = { dc: [], ac: [], quantization: [], restartInterval: 0 };
  let frame: Frame | undefined;
  for (const { marker, body, end } of segmentsOf(bytes)) {
    if (isFrame(marker)) frame = frameOf(marker, body);
    else if (marker === DHT) readHuffman(body, tables);
    else if (marker === DQT) readQuantization(body, tables);
    else if (marker === DRI) tables.restartInterval = body.readUInt16BE(0);
    else if (marker === SOS) {
      if (frame === undefined) throw new Error('a scan comes before its frame');
      // At least a bit per sample without loss, and two bits per block of 64.
      const most = (bytes.length - end) * 8 * (frame.process === 0xc3 ? 1 : 32);
      if (frame.width * frame.height * frame.channels > most) throw new Error(`${bytes.length} bytes cannot hold them`);
      const scan = { frame, tables, body, bits: new Bits(bytes, end) };
      if (frame.process === 0xc3) return { ...frame, samples: lossless(scan) };
      if (frame.process === 0xc1 && frame.channels === 1) return { ...frame, samples: extended(scan) };
      throw new Error(`process SOF${frame.process - 0xc0} of ${frame.precision} bits and ${frame.channels} channels`);
    }
  }
  throw new Error('it has no scan');
}

function readHuffman(body: Buffer, tables: Tables): void {
  for (let at = 0; at + 17 <= body.length;) {
    const counts = body.subarray(at + 1, at + 17);
    const table = new Uint16Array(1 << 16);
    let [code, value] = [0, at + 17];
    counts.forEach((count, i) => {
      const length = i + 1;
      for (let n = 0; n < count; n++, code += 1 << (16 - length), value++) {
        if (value >= body.length || code >= 1 << 16) throw new Error('a Huffman table is damaged');
        table.fill((body[value] << 8) | length, code, code + (1 << (16 - length)));
      }
    });
    (body[at] >> 4 === 0 ? tables.dc : tables.ac)[body[at] & 15] = table;
    at = value;
  }
}

function readQuantization(body: Buffer, tables: Tables): void {
  for (let at = 0; at < body.length;) {
    const size = body[at] >> 4 === 0 ? 1 : 2;
    const [start, id] = [at + 1, body[at] & 15];
    at = start + 64 * size;
    if (at > body.length) throw new Error('a quantization table is damaged');
    tables.quantization[id] = Uint16Array.from({ length: 64 }, (_, i) => body.readUIntBE(start + i * size, size));
  }
}

/** The bits of a scan, without stuffed bytes. */
class Bits {
  readonly #bytes: Buffer;
  #at: number;
  #held = 0;
  #count = 0;
  /** How many of the held bits, the last ones, are no bits of the scan. */
  #beyond = 0;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  #fill(): void {
    while (this.#count <= 24) {
      const byte = this.#bytes[this.#at];
      const isEnd = byte === undefined || (byte === 0xff && this.#bytes[this.#at + 1] !== 0);
      if (isEnd) this.#beyond += 8;
      else this.#at += byte === 0xff ? 2 : 1;
      this.#held = (this.#held << 8) | (isEnd ? 0 : byte);
      this.#count += 8;
    }
  }

  #take(count: number): void {
    this.#count -= count;
    if (this.#count < this.#beyond) throw new Error('it ends within its pixels');
  }

  symbol(table: HuffmanTable): number {
    if (this.#count < 16) this.#fill();
    const entry = table[(this.#held >>> (this.#count - 16)) & 0xffff];
    if (entry === 0) throw new Error('a code is in no Huffman table');
    this.#take(entry & 0xff);
    return entry >> 8;
  }

  /** The next `count` bits, 1 to 16, as the signed number that they stand for. */
  signed(count: number): number {
    if (this.#count < 16) this.#fill();
    const value = (this.#held >>> (this.#count - count)) & ((1 << count) - 1);
    this.#take(count);
    return value < 1 << (count - 1) ? value - (1 << count) + 1 : value;
  }

  /** Goes on after the next restart marker. */
  restart(): void {
    this.#held = this.#count = this.#beyond = 0;
    const marker = this.#bytes[this.#at + 1];
    if (this.#bytes[this.#at] !== 0xff || marker < 0xd0 || marker > 0xd7)
      throw new Error('a restart marker is missing');
    this.#at += 2;
  }
}

interface Scan {
  readonly frame: Frame;
  readonly tables: Tables;
  readonly body: Buffer;
  readonly bits: Bits;
}

/** The tables of the components of a scan, in order. */
function huffmanOf({ frame, body, tables }: Scan): { dc: HuffmanTable; ac: HuffmanTable | undefined }[] {
  if (body.length < 4 + 2 * frame.channels || body[0] !== frame.channels) throw new Error('it has several scans');
  return frame.components.map((_, i) => {
    const ids = body[2 + 2 * i];
    const dc = tables.dc[ids >> 4];
    if (dc === undefined) throw new Error('a Huffman table is missing');
    return { dc, ac: tables.ac[ids & 15] };
  });
}

function lossless(scan: Scan): Uint16Array {
  const { frame, body, bits, tables } = scan;
  const { width, height, channels, precision } = frame;
  const huffman = huffmanOf(scan);
  if (channels > 1 && frame.components.some(({ sampling }) => sampling !== 0x11)) throw new Error('it is subsampled');
  const [predictor, , approximation] = body.subarray(1 + 2 * channels);
  const shift = approximation & 15;
  if (predictor < 1 || predictor > 7) throw new Error(`predictor ${predictor}`);
  const samples = new Uint16Array(width * height * channels);
  const row = width * channels;
  const start = 1 << (precision - shift - 1);
  // The first row of the scan and after a restart is predicted from the left alone.
  let [left, firstRow] = [tables.restartInterval, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (tables.restartInterval > 0 && left-- === 0) {
        bits.restart();
        [left, firstRow] = [tables.restartInterval - 1, y];
      }
      for (let c = 0; c < channels; c++) {
        const at = y * row + x * channels + c;
        let predicted: number;
        if (y === firstRow) predicted = x === 0 ? start : samples[at - channels];
        else if (x === 0) predicted = samples[at - row];
        else predicted = predict(predictor, samples[at - channels], samples[at - row], samples[at - row - channels]);
        const category = bits.symbol(huffman[c].dc);
        if (category > 16) throw new Error('a difference has too many bits');
        const difference = category === 0 ? 0 : category === 16 ? 32768 : bits.signed(category);
        samples[at] = predicted + difference;
      }
    }
  }
  return shift === 0 ? samples : samples.map((sample) => sample << shift);
}

/** T.81, table H.1: from the samples to the left, above, and above to the left. */
function predict(predictor: number, a: number, b: number, c: number): number {
  switch (predictor) {
    case 1:
      return a;
    case 2:
      return b;
    case 3:
      return c;
    case 4:
      return a + b - c;
    case 5:
      return a + ((b - c) >> 1);
    case 6:
      return b + ((a - c) >> 1);
    default:
      return (a + b) >> 1;
  }
}

// prettier-ignore
const ZIGZAG = Uint8Array.of(
   0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
);

function extended(scan: Scan): Uint16Array {
  const { frame, bits, tables } = scan;
  const { width, height, precision } = frame;
  const [{ dc, ac }] = huffmanOf(scan);
  const quantization = tables.quantization[frame.components[0].quantization];
  if (ac === undefined || quantization === undefined) throw new Error('a table is missing');
  const samples = new Uint16Array(width * height);
  const most = (1 << precision) - 1;
  const block = new Int32Array(64);
  let [left, predicted] = [tables.restartInterval, 0];
  for (let top = 0; top < height; top += 8) {
    for (let from = 0; from < width; from += 8) {
      if (tables.restartInterval > 0 && left-- === 0) {
        bits.restart();
        [left, predicted] = [tables.restartInterval - 1, 0];
      }
      block.fill(0);
      const category = bits.symbol(dc);
      if (category > 16) throw new Error('a coefficient has too many bits');
      if (category > 0) predicted += bits.signed(category);
      block[0] = predicted * quantization[0];
      for (let k = 1; k < 64; k++) {
        const symbol = bits.symbol(ac);
        const [zeros, size] = [symbol >> 4, symbol & 15];
        if (size === 0 && zeros < 15) break;
        k += zeros;
        if (k > 63) throw new Error('a block has too many coefficients');
        if (size > 0) block[ZIGZAG[k]] = bits.signed(size) * quantization[k];
      }
      inverseDct(block);
      for (let y = top; y < Math.min(top + 8, height); y++) {
        for (let x = from; x < Math.min(from + 8, width); x++) {
          const value = block[(y - top) * 8 + x - from] + ((most + 1) >> 1);
          samples[y * width + x] = Math.min(most, Math.max(0, value));
        }
      }
    }
  }
  return samples;
}

/** libjpeg's accurate integer method: columns, then rows, in fixed point. */
function inverseDct(block: Int32Array): void {
  // 12-bit samples leave room for one bit between the passes.
  for (let x = 0; x < 8; x++) inverseLine(block, x, 8, 13 - 1);
  for (let y = 0; y < 8; y++) inverseLine(block, y * 8, 1, 13 + 1 + 3);
}

function inverseLine(block: Int32Array, from: number, step: number, shift: number): void {
  const at = (i: number): number => block[from + i * step];
  const common = (at(2) + at(6)) * 4433;
  const [even2, even3] = [common - at(6) * 15137, common + at(2) * 6270];
  const [even0, even1] = [(at(0) + at(4)) * 8192, (at(0) - at(4)) * 8192];
  const evens = [even0 + even3, even1 + even2, even1 - even2, even0 - even3];

  const [a, b, c, d] = [at(7), at(5), at(3), at(1)];
  const z5 = (a + c + b + d) * 9633;
  const [z1, z2] = [(a + d) * -7373, (b + c) * -20995];
  const [z3, z4] = [(a + c) * -16069 + z5, (b + d) * -3196 + z5];
  const odds = [d * 12299 + z1 + z4, c * 25172 + z2 + z3, b * 16819 + z2 + z4, a * 2446 + z1 + z3];

  const half = 2 ** (shift - 1);
  for (let i = 0; i < 4; i++) {
    block[from + i * step] = Math.floor((evens[i] + odds[i] + half) / 2 ** shift);
    block[from + (7 - i) * step] = Math.floor((evens[i] - odds[i] + half) / 2 ** shift);
  }
}
