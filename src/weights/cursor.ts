/** Numbers and texts one after the other out of bytes, as a pickle has them. Not here: the opcodes (pickle.ts). */

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Little-endian reads with a bounds check. */
export class Cursor {
  private readonly view: DataView;
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw new Error('the pickle ends early');
    return this.bytes.subarray(this.at, (this.at += length));
  }
  number(length: number, read: (view: DataView, at: number) => number): number {
    const at = this.at;
    this.take(length);
    return read(this.view, at);
  }
  byte = () => this.number(1, (view, at) => view.getUint8(at));
  uint16 = () => this.number(2, (view, at) => view.getUint16(at, true));
  int32 = () => this.number(4, (view, at) => view.getInt32(at, true));
  uint32 = () => this.number(4, (view, at) => view.getUint32(at, true));
  /** The only big-endian number of the format. */
  float64 = () => this.number(8, (view, at) => view.getFloat64(at, false));
  /** A length of 8 bytes; one that is not a safe number is beyond every file. */
  uint64 = () => this.number(8, (view, at) => Number(view.getBigUint64(at, true)));
  text = (length: number) => utf8.decode(this.take(length));
  /** A str of Python 2. */
  latin1 = (length: number) => Buffer.from(this.take(length)).toString('latin1');
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) throw new Error('the pickle ends early');
    const text = this.text(end - this.at);
    this.at = end + 1;
    return text;
  }
  /** A two's complement integer; a bigint when it is not a safe number. */
  integer(length: number): number | bigint {
    const value = this.take(length).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    const signed = BigInt.asIntN(length * 8, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }
}
