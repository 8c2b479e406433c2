/**
 * A result in the place that a user named. Links are followed, a file is replaced whole, a pipe or a device is written to.
 * Not here: the files of a run directory, which are never written through links (atomic.ts).
 */
import { constants, createReadStream, existsSync, write, type Stats } from 'node:fs';
import { access, mkdtemp, open as openFile, readlink, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { writeError } from './disk';
import { ChestMnistError } from './errors';
import { expandHome } from './folders';
import { kindOf } from './entry';

export interface Output {
  /** Absolute, links followed. */
  readonly path: string;
  /** In lower case, such as `.json`; '' without one. A pipe or a device has none that counts. */
  readonly extension: string;
  /** Whether a file stands there, which writing replaces. */
  readonly isFile: boolean;
  /** Whether it is a pipe or a device, beside which nothing can stand. */
  readonly isSink: boolean;
  /** `make` writes the file that it is given, at once and whole. */
  write(make: (file: string) => Promise<void>): Promise<void>;
}

/** The descriptor that a path such as /dev/stdout or /dev/fd/63 stands for; `-` is stdout. */
function descriptorOf(place: string): number | undefined {
  if (place === '-' || place === '/dev/stdout') return 1;
  if (place === '/dev/stderr') return 2;
  const [, number] = /^\/(?:dev|proc\/self)\/fd\/(\d{1,4})$/.exec(place) ?? [];
  return number === undefined ? undefined : Number(number);
}

/** Whether a result written to `place` goes to stdout, where then nothing else may be printed. */
export const isStdout = (place: string | undefined): boolean => place !== undefined && descriptorOf(place) === 1;

/**
 * The place that a user calls `given`, checked before any work: an extension must be one of `extensions`, or absent.
 * `waiting` is told that a pipe has no reader yet. Throws ERR_CONFIG for a path that is empty or has another extension,
 * ERR_OUTPUT or ERR_DISK for a place that cannot be written.
 */
export async function outputAt(
  given: string,
  extensions: readonly string[],
  waiting: (text: string) => void = () => {},
): Promise<Output> {
  if (given === '') throw refused('an empty path', 'the path of a file to write');
  const named = given === '-' ? '/dev/stdout' : path.resolve(expandHome(given));
  const place = await followed(named);
  const descriptor = descriptorOf(place);
  if (descriptor !== undefined) {
    const stream = { 1: process.stdout, 2: process.stderr }[descriptor];
    return sink(named, () => (stream ? toStream(stream) : toDescriptor(descriptor)));
  }
  const facts = await look(place);
  if (facts?.isDirectory() || /[\\/]$/.test(given)) throw impossible('EISDIR', place);
  if (facts?.isFIFO() || facts?.isCharacterDevice()) return sink(place, () => open(place, waiting));
  if (facts && !facts.isFile()) throw refused(`${given}, which is ${kindOf(facts)}`, 'a file, a pipe or a terminal');
  const extension = (path.extname(named) || path.extname(place)).toLowerCase();
  if (extension !== '' && !extensions.includes(extension)) {
    throw refused(`the file name ${path.basename(named)}`, `the extension ${extensions.join(' or ')}`);
  }
  return { path: place, extension, isFile: facts !== undefined, isSink: false, write: (make) => make(place) };
}

/**
 * Refuses to replace what the same command reads: one of the inputs, or a file in the folder `run`. Inputs that do not
 * exist are none. Throws ERR_CONFIG.
 */
export async function checkNotRead(
  output: Output,
  inputs: readonly (string | undefined)[],
  run: string,
): Promise<void> {
  if (!output.isFile) return;
  const real = await realpath(output.path);
  for (const input of inputs) {
    const read = input === undefined ? undefined : await realpath(expandHome(input)).catch(() => undefined);
    if (read !== undefined && (real === read || (input === run && real.startsWith(read + path.sep))))
      throw refused(`the output ${output.path}, which this command reads`, 'a file that is no input');
  }
}

const refused = (found: string, needed: string): ChestMnistError =>
  new ChestMnistError('ERR_CONFIG', { found, needed, next: 'choose another path' });

/** What the system would say of a place, where it would say it too late. */
const impossible = (code: string, place: string): unknown =>
  writeError(Object.assign(new Error(code), { code }), place);

/** Where a chain of links ends, whether something stands there or not. Descriptors are no files that links lead to. */
export async function followed(place: string): Promise<string> {
  let end = place;
  for (let links = 0; descriptorOf(end) === undefined; links++) {
    const target = await readlink(end).catch(() => undefined);
    if (target === undefined) return end;
    if (links === 40) throw impossible('ELOOP', place);
    end = path.resolve(path.dirname(end), target);
  }
  return end;
}

/** undefined when nothing stands there. Throws when this user cannot write there. */
async function look(place: string): Promise<Stats | undefined> {
  try {
    const facts = await stat(place).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
      return undefined;
    });
    // A file is made beside the old one, in a folder that may have to be made.
    let folder = path.dirname(place);
    while (!existsSync(folder) && path.dirname(folder) !== folder) folder = path.dirname(folder);
    if (!facts?.isDirectory()) await access(facts && !facts.isFile() ? place : folder, constants.W_OK);
    return facts;
  } catch (error) {
    throw writeError(error, place);
  }
}

interface Receiver {
  send(bytes: Uint8Array): Promise<void>;
  close?(): Promise<void>;
}

/** A place without room to go back, where many formats need it: the result is made in a temporary file, then sent. */
function sink(place: string, connect: () => Receiver | Promise<Receiver>): Output {
  const pass = async (file: string): Promise<void> => {
    const receiver = await connect();
    try {
      for await (const bytes of createReadStream(file)) await receiver.send(bytes as Buffer);
    } catch (error) {
      // Its reader has what it wanted, as with `| head`.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw writeError(error, place);
    } finally {
      await receiver.close?.();
    }
  };
  return {
    path: place,
    extension: '',
    isFile: false,
    isSink: true,
    async write(make) {
      const folder = await mkdtemp(path.join(tmpdir(), 'chestmnist-'));
      try {
        await make(path.join(folder, 'output'));
        await pass(path.join(folder, 'output'));
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

const toStream = (stream: NodeJS.WriteStream): Receiver => ({
  send: (bytes) =>
    new Promise((done, fail) => stream.write(bytes, (error?: Error | null) => (error ? fail(error) : done()))),
});

const toDescriptor = (descriptor: number): Receiver => ({
  async send(bytes) {
    for (let done = 0; done < bytes.length;) {
      const written = await promisify(write)(descriptor, bytes, done).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EAGAIN') throw error;
        return undefined; // the pipe is full
      });
      if (written) done += written.bytesWritten;
      else await sleep(10);
    }
  },
});

/** A named pipe or a device. Opening a pipe without a reader would block: it is tried until there is one. */
async function open(place: string, waiting: (text: string) => void): Promise<Receiver> {
  for (let tries = 0; ; tries++) {
    try {
      const handle = await openFile(place, constants.O_WRONLY | (constants.O_NONBLOCK ?? 0));
      return { ...toDescriptor(handle.fd), close: () => handle.close() };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO' || !(await stat(place)).isFIFO())
        throw writeError(error, place);
      if (tries === 0) waiting(`waiting for a program that reads ${place}`);
      await sleep(100);
    }
  }
}
