/**
 * An interpreter of the pickle opcodes that Python writes (protocols 2 to 5), over a closed list of globals. It builds
 * plain values and calls only the functions it is given: what it does not know becomes an inert Instance with a name, so
 * nothing in a file is ever imported or executed. Tuples and lists become arrays, dicts become Maps, bytes Uint8Arrays.
 * Source: the opcode descriptions in CPython's Lib/pickletools.py.
 */

import { Cursor } from './cursor';

/** A global that REDUCE may call. */
export class Callable {
  constructor(readonly call: (args: readonly unknown[]) => unknown) {}
}

/** A class or function that is not in the list. */
export class Opaque {
  constructor(readonly name: string) {}
}

/** What an Opaque would have made, by its name; only the items set on it are kept. */
export class Instance {
  items?: Map<unknown, unknown>;
  constructor(readonly type: string) {}
}

/** The attributes that the pickle sets on an object (a state dict's _metadata, the fields of a class). */
export const attributesOf = (value: object): unknown => attributes.get(value);
const attributes = new WeakMap<object, unknown>();

/** More than any checkpoint of a resnet18 has: one with Adam's state has about 40,000. */
const MAX_OPERATIONS = 2 ** 21;

export interface PickleContext {
  /** Known globals by `module.name`; any other becomes an Opaque, and is reported. */
  readonly globals: ReadonlyMap<string, unknown>;
  onOpaque?(name: string): void;
  /** The object that a persistent id (a tuple) stands for. */
  persistent(id: readonly unknown[]): unknown;
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
  const map = target instanceof Instance ? (target.items ??= new Map()) : target;
  if (!(map instanceof Map) || items.length % 2 !== 0)
    throw new Error('the pickle sets items of something that is not a dict');
  for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
}

function append(target: unknown, items: readonly unknown[]): void {
  if (target instanceof Instance) return;
  if (!Array.isArray(target) || Object.isFrozen(target))
    throw new Error('the pickle appends to something that is not a list');
  for (const item of items) target.push(item);
}

function make(callable: unknown, args: unknown): unknown {
  if (!Array.isArray(args)) throw new Error('it calls something that is not a function');
  if (callable instanceof Callable) return callable.call(args as unknown[]);
  if (callable instanceof Opaque) return new Instance(callable.name);
  if (callable instanceof Instance) return new Instance(callable.type);
  throw new Error('it calls something that is not a function');
}

/** The value that `bytes` describe. Throws a plain Error on an opcode that Python does not write, or damage. */
export const unpickle = (bytes: Uint8Array, context: PickleContext): unknown => unpickleAt(bytes, 0, context).value;

/** The value that the pickle at `start` describes, and where it ends: old files are several pickles in a row. */
export function unpickleAt(bytes: Uint8Array, start: number, context: PickleContext): { value: unknown; end: number } {
  const cursor = new Cursor(bytes, start);
  const stack = new Stack();
  const memo = new Map<number, unknown>();
  const tuple = (items: unknown[]) => stack.push(Object.freeze(items));
  const recall = (index: number) => {
    if (!memo.has(index)) throw new Error('the pickle reads a memo entry that was never stored');
    stack.push(memo.get(index));
  };
  const global = (name: string) => {
    const isKnown = context.globals.has(name);
    if (!isKnown) context.onOpaque?.(name);
    stack.push(isKnown ? context.globals.get(name) : new Opaque(name));
  };

  for (let operations = 0; ; operations++) {
    if (operations === MAX_OPERATIONS) throw new Error(`its pickle has more than ${MAX_OPERATIONS} operations`);
    const opcode = cursor.byte();
    switch (opcode) {
      case 0x80: {
        const protocol = cursor.byte(); // PROTO
        if (protocol > 5) throw new Error(`pickle protocol ${protocol}, which is not known`);
        break;
      }
      case 0x95: // FRAME
        cursor.uint64();
        break;
      case 0x2e: // STOP
        return { value: stack.pop(), end: cursor.at };
      case 0x30: // POP
        stack.pop();
        break;
      case 0x31: // POP_MARK
        stack.sinceMark();
        break;
      case 0x32: // DUP
        stack.push(stack.top());
        break;

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
      case 0x8b: {
        const length = cursor.uint32(); // LONG4, which nothing here reads: kept as bytes when it is long
        stack.push(length > 255 ? cursor.take(length) : cursor.integer(length));
        break;
      }
      case 0x47: // BINFLOAT
        stack.push(cursor.float64());
        break;
      case 0x58: // BINUNICODE
        stack.push(cursor.text(cursor.uint32()));
        break;
      case 0x8c: // SHORT_BINUNICODE
        stack.push(cursor.text(cursor.byte()));
        break;
      case 0x8d: // BINUNICODE8
        stack.push(cursor.text(cursor.uint64()));
        break;
      case 0x55: // SHORT_BINSTRING
        stack.push(cursor.latin1(cursor.byte()));
        break;
      case 0x54: // BINSTRING
        stack.push(cursor.latin1(cursor.uint32()));
        break;
      case 0x43: // SHORT_BINBYTES
        stack.push(cursor.take(cursor.byte()));
        break;
      case 0x42: // BINBYTES
        stack.push(cursor.take(cursor.uint32()));
        break;
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        stack.push(cursor.take(cursor.uint64()));
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
      case 0x8f: // EMPTY_SET
        stack.push(new Instance('set'));
        break;
      case 0x91: // FROZENSET
        stack.sinceMark();
        stack.push(new Instance('frozenset'));
        break;
      case 0x28: // MARK
        stack.mark();
        break;
      case 0x61: {
        const item = stack.pop(); // APPEND
        append(stack.top(), [item]);
        break;
      }
      case 0x65: // APPENDS
      case 0x90: {
        const items = stack.sinceMark(); // ADDITEMS
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
      case 0x94: // MEMOIZE
        memo.set(memo.size, stack.top());
        break;
      case 0x68: // BINGET
        recall(cursor.byte());
        break;
      case 0x6a: // LONG_BINGET
        recall(cursor.uint32());
        break;

      case 0x63: // GLOBAL
        global(`${cursor.line()}.${cursor.line()}`);
        break;
      case 0x93: {
        const names = stack.last(2); // STACK_GLOBAL
        if (!names.every((name) => typeof name === 'string')) throw new Error('it names a global without text');
        global(names.join('.'));
        break;
      }
      case 0x51: {
        const id = stack.pop(); // BINPERSID
        if (!Array.isArray(id)) throw new Error('a persistent id that is not a tuple');
        stack.push(context.persistent(id as unknown[]));
        break;
      }
      case 0x52: // REDUCE
      case 0x81: {
        const [callable, args] = stack.last(2); // NEWOBJ
        stack.push(make(callable, args));
        break;
      }
      case 0x92: {
        const [callable, args] = stack.last(3); // NEWOBJ_EX
        stack.push(make(callable, args));
        break;
      }
      case 0x62: {
        const state = stack.pop(); // BUILD
        const target = stack.top();
        if (typeof target !== 'object' || target === null || Array.isArray(target))
          throw new Error('it sets attributes of something that is not a dict or an object');
        attributes.set(target, state);
        break;
      }
      default:
        throw new Error(`it uses pickle opcode 0x${opcode.toString(16)}, which Python does not write today`);
    }
  }
}
