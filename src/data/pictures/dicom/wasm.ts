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
  readonly width: number;
  readonly height: number;
  readonly channels: number;
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
    return { width, height, channels: componentCount, isPlanar, cells, precision: bitsPerSample };
  } catch (thrown) {
    if (thrown instanceof Error && typeof thrown.message === 'string') throw thrown;
    const reason = typeof thrown === 'number' ? codec.getExceptionMessage?.(thrown) : String(thrown);
    throw new Error(String(reason ?? 'the decoder failed'), { cause: thrown });
  } finally {
    decoder.delete();
  }
}
