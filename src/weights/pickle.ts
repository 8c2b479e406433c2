/**
 * An interpreter of the pickle opcodes that torch.save writes (protocol 2), over a closed list of globals.
 * It builds plain values and calls only the functions it is given: nothing in a file is ever executed.
 * Tuples and lists become arrays, dicts become Maps. Source: the opcode descriptions in CPython's Lib/pickletools.py.
 */

/** A global that REDUCE may call. */
export class Callable {
  constructor(readonly call: (args: readonly unknown[]) => unknown) {}
}

export interface PickleContext {
  /** Known globals by `module.name`; any other is an error. */
  readonly globals: ReadonlyMap<string, unknown>;
  /** The object that a persistent id (a tuple) stands for. */
  persistent(id: readonly unknown[]): unknown;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Little-endian reads with a bounds check. */
class Cursor {
  private readonly view: DataView;
  private at = 0;
  constructor(private readonly bytes: Uint8Array) {
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
  text = (length: number) => utf8.decode(this.take(length));
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

/** Pickle's stack with its marks. Values below the last mark cannot be popped. */
class Stack {
  private items: unknown[] = [];
  private readonly below: unknown[][] = [];
  push = (value: unknown) => void this.items.push(value);
  pop(): unknown {
    if (this.items.length === 0) throw new Error('the pickle pops an empty stack');
    return this.items.pop();
  }
  top(): unknown {
    const value = this.pop();
    this.items.push(value);
    return value;
  }
  last(count: number): unknown[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }
  mark(): void {
    this.below.push(this.items);
    this.items = [];
  }
  sinceMark(): unknown[] {
    const taken = this.items;
    const below = this.below.pop();
    if (!below) throw new Error('the pickle pops a missing mark');
    this.items = below;
    return taken;
  }
}

function setItems(target: unknown, items: readonly unknown[]): void {
  if (!(target instanceof Map) || items.length % 2 !== 0)
    throw new Error('the pickle sets items of something that is not a dict');
  for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
}

function append(target: unknown, items: readonly unknown[]): void {
  if (!Array.isArray(target) || Object.isFrozen(target))
    throw new Error('the pickle appends to something that is not a list');
  for (const item of items) target.push(item);
}

/** The value that `bytes` describe. Throws a plain Error on a global not listed, an opcode not of protocol 2, or damage. */
export function unpickle(bytes: Uint8Array, context: PickleContext): unknown {
  const cursor = new Cursor(bytes);
  const stack = new Stack();
  const memo = new Map<number, unknown>();
  const tuple = (items: unknown[]) => stack.push(Object.freeze(items));
  const recall = (index: number) => {
    if (!memo.has(index)) throw new Error('the pickle reads a memo entry that was never stored');
    stack.push(memo.get(index));
  };

  for (;;) {
    const opcode = cursor.byte();
    switch (opcode) {
      case 0x80: {
        const protocol = cursor.byte(); // PROTO
        if (protocol !== 2) throw new Error(`pickle protocol ${protocol}, not 2`);
        break;
      }
      case 0x2e: // STOP
        return stack.pop();

      case 0x4e: // NONE
        stack.push(null);
        break;
      case 0x88: // NEWTRUE
        stack.push(true);
        break;
      case 0x89: // NEWFALSE
        stack.push(false);
        break;
      case 0x4b: // BININT1
        stack.push(cursor.byte());
        break;
      case 0x4d: // BININT2
        stack.push(cursor.uint16());
        break;
      case 0x4a: // BININT
        stack.push(cursor.int32());
        break;
      case 0x8a: // LONG1
        stack.push(cursor.integer(cursor.byte()));
        break;
      case 0x47: // BINFLOAT
        stack.push(cursor.float64());
        break;
      case 0x58: // BINUNICODE
        stack.push(cursor.text(cursor.uint32()));
        break;

      case 0x29: // EMPTY_TUPLE
        tuple([]);
        break;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        tuple(stack.last(opcode - 0x84));
        break;
      case 0x74: // TUPLE
        tuple(stack.sinceMark());
        break;
      case 0x5d: // EMPTY_LIST
        stack.push([]);
        break;
      case 0x7d: // EMPTY_DICT
        stack.push(new Map());
        break;
      case 0x28: // MARK
        stack.mark();
        break;
      case 0x61: {
        const item = stack.pop(); // APPEND
        append(stack.top(), [item]);
        break;
      }
      case 0x65: {
        const items = stack.sinceMark(); // APPENDS
        append(stack.top(), items);
        break;
      }
      case 0x73: {
        const pair = stack.last(2); // SETITEM
        setItems(stack.top(), pair);
        break;
      }
      case 0x75: {
        const items = stack.sinceMark(); // SETITEMS
        setItems(stack.top(), items);
        break;
      }

      case 0x71: // BINPUT
        memo.set(cursor.byte(), stack.top());
        break;
      case 0x72: // LONG_BINPUT
        memo.set(cursor.uint32(), stack.top());
        break;
      case 0x68: // BINGET
        recall(cursor.byte());
        break;
      case 0x6a: // LONG_BINGET
        recall(cursor.uint32());
        break;

      case 0x63: {
        const name = `${cursor.line()}.${cursor.line()}`; // GLOBAL
        if (!context.globals.has(name)) throw new Error(`it refers to ${JSON.stringify(name.slice(0, 80))}`);
        stack.push(context.globals.get(name));
        break;
      }
      case 0x51: {
        const id = stack.pop(); // BINPERSID
        if (!Array.isArray(id)) throw new Error('a persistent id that is not a tuple');
        stack.push(context.persistent(id as unknown[]));
        break;
      }
      case 0x52: {
        const [callable, args] = stack.last(2); // REDUCE
        if (!(callable instanceof Callable) || !Array.isArray(args))
          throw new Error('it calls something that is not a function');
        stack.push(callable.call(args as unknown[]));
        break;
      }
      case 0x62: {
        // BUILD: attributes of an OrderedDict (state_dict's _metadata) do not affect the values
        stack.pop();
        if (!(stack.top() instanceof Map)) throw new Error('it sets attributes of something that is not a dict');
        break;
      }
      default:
        throw new Error(`it uses pickle opcode 0x${opcode.toString(16)}, which torch.save does not write`);
    }
  }
}
