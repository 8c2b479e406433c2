/**
 * The part of the protobuf wire format that an ONNX file needs: nested messages, strings, bytes, varints, floats.
 * Messages are lists of chunks, so that weights are written without being copied. Source: protobuf.dev, Encoding.
 */

/** An encoded message, or a field of one. */
export interface Encoded {
  readonly chunks: readonly Uint8Array[];
  readonly length: number;
}

const join = (parts: readonly Encoded[]): Encoded => ({
  chunks: parts.flatMap(({ chunks }) => chunks),
  length: parts.reduce((sum, { length }) => sum + length, 0),
});

/** A whole number; a negative one as its two's complement of 64 bits. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
const key = (field: number, wireType: number) => varint(field * 8 + wireType);
const encoded = (bytes: Uint8Array): Encoded => ({ chunks: [bytes], length: bytes.length });

/** A message made of these fields, in the given order. */
export const message = (...fields: (Encoded | readonly Encoded[])[]): Encoded => join(fields.flat());

/** An integer field (int32, int64, enum). */
export const integer = (field: number, value: number): Encoded =>
  encoded(Uint8Array.from([...key(field, VARINT), ...varint(value)]));

export function float(field: number, value: number): Encoded {
  const bytes = new Uint8Array(new Float32Array([value]).buffer);
  return encoded(Uint8Array.from([...key(field, FIXED32), ...bytes]));
}

/** A field that holds a nested message. */
export const nested = (field: number, body: Encoded): Encoded =>
  join([encoded(Uint8Array.from([...key(field, LENGTH_DELIMITED), ...varint(body.length)])), body]);

export const bytes = (field: number, value: Uint8Array): Encoded => nested(field, encoded(value));
export const string = (field: number, value: string): Encoded => bytes(field, Buffer.from(value));
