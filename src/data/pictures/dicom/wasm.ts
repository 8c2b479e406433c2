/**
 * JPEG-LS and JPEG 2000 by CharLS and OpenJPEG as WebAssembly. Loaded for such files alone. Not here: what the values mean.
 */

interface Decoder {
  getEncodedBuffer(length: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  decode(): void;
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number; isSigned?: boolean };
  /** JPEG-LS: 0 where the components follow each other. */
  getInterleaveMode?(): number;
  delete(): void;
}

interface Codec {
  getExceptionMessage?(thrown: unknown): string;
}

type Load<Name extends string> = (options: {
  print: (text: string) => void;
  printErr: (text: string) => void;
}) => Promise<Codec & Record<Name, new () => Decoder>>;

export interface Coded {
  readonly isPlanar: boolean;
  /** Little endian, one or two bytes per sample by `precision`. */
  readonly cells: Buffer;
  readonly precision: number;
}

/** What a codec prints while it works; the last error is the reason. */
let printed: string[] = [];
const silent = { print: () => {}, printErr: (text: string) => void printed.push(text) };

const LOADERS = {
  'jpeg-ls': async () => {
    // @ts-expect-error the package has no types
    const { default: load } = (await import('@cornerstonejs/codec-charls/decodewasmjs')) as {
      default: Load<'JpegLSDecoder'>;
    };
    const codec = await load(silent);
    return { codec, Decoder: codec.JpegLSDecoder };
  },
  'jpeg-2000': async () => {
    // @ts-expect-error the package has no types
    const { default: load } = (await import('@cornerstonejs/codec-openjpeg/decodewasmjs')) as {
      default: Load<'J2KDecoder'>;
    };
    const codec = await load(silent);
    return { codec, Decoder: codec.J2KDecoder };
  },
};
type Loaded = { codec: Codec; Decoder: new () => Decoder };
const loaded = new Map<keyof typeof LOADERS, Promise<Loaded>>();

/** What the header of a JPEG 2000 codestream says, after boxes that may be around it. T.800, A.5.1. Throws an Error. */
export function j2kFacts(bytes: Buffer): { width: number; height: number; channels: number } {
  const at = bytes.indexOf(Buffer.from('ff4fff51', 'hex'));
  if (at < 0 || at + 42 > bytes.length) throw new Error('no JPEG 2000 codestream begins here');
  const [right, bottom, left, top] = [8, 12, 16, 20].map((offset) => bytes.readUInt32BE(at + offset));
  return { width: right - left, height: bottom - top, channels: bytes.readUInt16BE(at + 40) };
}

/** Decodes one frame. Throws an Error. */
export async function decodeCoded(coding: keyof typeof LOADERS, bytes: Buffer): Promise<Coded> {
  if (!loaded.has(coding)) loaded.set(coding, LOADERS[coding]());
  const { codec, Decoder } = await loaded.get(coding)!;
  printed = [];
  const decoder = new Decoder();
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
    const { width, height, componentCount, bitsPerSample } = decoder.getFrameInfo();
    const cells = Buffer.from(decoder.getDecodedBuffer()); // a copy: the memory is the decoder's
    if (cells.length !== width * height * componentCount * (bitsPerSample > 8 ? 2 : 1) || cells.length === 0) {
      throw new Error(printed.at(-1) ?? 'the decoder gave no pixels');
    }
    const isPlanar = componentCount > 1 && decoder.getInterleaveMode?.() === 0;
    return { isPlanar, cells, precision: bitsPerSample };
  } catch (thrown) {
    if (thrown instanceof Error && typeof thrown.message === 'string') throw thrown;
    const reason = typeof thrown === 'number' ? codec.getExceptionMessage?.(thrown) : String(thrown);
    throw new Error(String(reason ?? 'the decoder failed'), { cause: thrown });
  } finally {
    decoder.delete();
  }
}
