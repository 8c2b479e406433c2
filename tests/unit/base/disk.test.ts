/** What everything that writes says when the file system refuses: the code, the words and the next step of each kind. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { writeAtomically } from '../../../src/base/atomic';
import { systemError, writeError } from '../../../src/base/disk';
import { download } from '../../../src/base/download';
import { ChestMnistError } from '../../../src/base/errors';
import { readJson } from '../../../src/base/json';
import { withLock } from '../../../src/base/lock';
import { writeNpz } from '../../../src/base/npz';
import { checkOutput, createRunDirectory } from '../../../src/run/create';
import { TensorBoardWriter } from '../../../src/run/tensorboard';
import { saveWeights } from '../../../src/weights';
import { scratch } from '../../support/data-files';
import { smallDisk, type SmallDisk } from '../../support/small-disk';

const at = scratch();
const megabytes = 2 ** 20;

/** Each way to write something into a folder, under a name. */
const WRITERS: [string, (folder: string, name: string) => Promise<unknown>][] = [
  ['weights', (folder, name) => saveWeights(path.join(folder, `${name}.safetensors`), [weights()])],
  ['an .npz file', (folder, name) => writeNpz(path.join(folder, `${name}.npz`), { a: array() })],
  ['a download', (folder, name) => download(url, path.join(folder, name), { retryDelayMs: 1 })],
  ['a lock', (folder, name) => withLock(path.join(folder, name), () => Promise.resolve())],
  ['a run directory', (folder, name) => createRunDirectory(folder, name, 'x')],
];
const LARGE = WRITERS.slice(0, 3);
const weights = () => ({ name: 'a', dtype: 'F32', shape: [megabytes], data: new Float32Array(megabytes) }) as const;
const array = () => ({ shape: [4 * megabytes], data: randomBytes(4 * megabytes) });

let url = '';
/** Whether the server says how much it sends. */
let announced = true;
const server = http.createServer((_request, response) => {
  if (announced) response.setHeader('content-length', 4 * megabytes);
  response.write(randomBytes(4 * megabytes));
  response.end();
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function refusal(writing: () => Promise<unknown>): Promise<ChestMnistError> {
  const error: unknown = await writing().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ChestMnistError) return error;
  throw new Error(`expected a ChestMnistError, not ${String(error)}`);
}

const disk = smallDisk('1m');
const onDisk = disk ? describe : describe.skip;

onDisk('a file system (root on Linux only)', () => {
  const { path: folder, remount } = disk ?? ({} as SmallDisk); // skipped without one

  test.each(LARGE)('that is full, for %s: ERR_DISK, and nothing is left', async (_, write) => {
    for (announced of [true, false]) {
      const { code, found, next } = await refusal(() => write(folder, 'x'));
      expect({ code, found }).toEqual({ code: 'ERR_DISK', found: expect.stringMatching(/the disk is full|MB free/) });
      expect(next).toMatch(/^free some space on it/);
      expect(await readdir(folder)).toEqual([]);
    }
    announced = true;
  });

  test('that is full to the last byte takes no lock and no TensorBoard file either', async () => {
    await writeFile(path.join(folder, 'full'), Buffer.alloc(megabytes)).catch(() => undefined);
    const { code, found } = await refusal(() => withLock(path.join(folder, 'lock'), () => Promise.resolve()));
    expect({ code, found }).toEqual({ code: 'ERR_DISK', found: expect.stringContaining('the disk is full (ENOSPC)') });
    const writer = refusal(() => Promise.resolve().then(() => new TensorBoardWriter(folder)));
    expect((await writer).code).toBe('ERR_DISK');
    expect(await readdir(folder)).toEqual(['full']);
    await rm(path.join(folder, 'full'));
  });

  describe('that is read-only', () => {
    beforeAll(() => remount('ro'));
    afterAll(() => remount('rw'));

    test.each(WRITERS)('for %s: ERR_DISK', async (_, write) => {
      const { code, found, next } = await refusal(() => write(folder, 'x'));
      expect({ code, found }).toEqual({ code: 'ERR_DISK', found: expect.stringContaining('is read-only (EROFS)') });
      expect(next).toMatch(/^mount it as writable/);
    });

    test('is refused before a run', async () => {
      expect(await refusal(() => checkOutput(path.join(folder, 'runs'), null))).toMatchObject({
        code: 'ERR_DISK',
        // An error names options as the API does.
        next: 'mount it as writable, or choose another out',
      });
    });
  });
});

describe('a name of 300 characters', () => {
  const name = 'x'.repeat(300);

  test.each(WRITERS)('for %s: ERR_DISK', async (_, write) => {
    const { code, found, next } = await refusal(() => write(at(''), name));
    expect({ code, found }).toEqual({ code: 'ERR_DISK', found: expect.stringContaining('its name is too long') });
    expect(next).toBe('choose a shorter name');
  });

  test('of a run, or of the folder of runs, is refused before the run', async () => {
    for (const [out, run] of [
      [at(''), name],
      [at(name), null],
      [path.join(at(name), 'runs'), 'first'],
      [at('to/come'), name],
    ] as const)
      expect(await refusal(() => checkOutput(out, run))).toMatchObject({
        code: 'ERR_DISK',
        next: 'choose a shorter name',
      });
  });

  test('is one too long: the longest that a file system takes can be written', async () => {
    await saveWeights(at(`${'y'.repeat(255 - '.pth'.length)}.pth`), [
      { ...weights(), shape: [1], data: new Float32Array(1) },
    ]);
    await checkOutput(at(''), 'z'.repeat(255));
  });
});

describe('a place that is not to be had', () => {
  beforeAll(async () => {
    await writeFile(at('file'), '');
    await symlink('loop', at('loop'));
  });

  test.each(WRITERS)('below a file, for %s: ERR_OUTPUT', async (_, write) => {
    for (const place of ['file', 'file/a/b']) {
      const { code, found, next } = await refusal(() => write(at(place), 'x'));
      expect({ code, found }).toEqual({
        code: 'ERR_OUTPUT',
        found: expect.stringMatching(/cannot be written: .*(path is a file|is where a folder is needed) \(E/),
      });
      expect(next).toMatch(/^move that file away/);
    }
  });

  test.each(LARGE)('where a folder is, for %s: ERR_OUTPUT', async (_, write) => {
    const name = `taken-${WRITERS.length}`;
    for (const extension of ['', '.npz', '.safetensors'])
      await mkdir(at(`${name}${extension}/within`), { recursive: true });
    expect(await refusal(() => write(at(''), name))).toMatchObject({
      code: 'ERR_OUTPUT',
      found: expect.stringContaining('it is a folder'),
    });
  });

  test.each(WRITERS)('behind links that lead nowhere, for %s: ERR_OUTPUT', async (_, write) => {
    expect((await refusal(() => write(at('loop/x'), 'x'))).code).toBe('ERR_OUTPUT');
  });

  const asAnother = process.platform !== 'win32' && process.geteuid ? test : test.skip;
  asAnother.each(WRITERS)('that this user may not write, for %s: ERR_OUTPUT', async (_, write) => {
    const folder = at('mine');
    await mkdir(folder, { recursive: true, mode: 0o555 });
    const root = process.geteuid!() === 0;
    if (root) process.seteuid!(65534);
    try {
      const { code, found, next } = await refusal(() => write(folder, 'x'));
      expect({ code, found }).toEqual({ code: 'ERR_OUTPUT', found: expect.stringContaining('is not permitted (E') });
      expect(next).toMatch(/^allow this user to write there/);
    } finally {
      if (root) process.seteuid!(0);
    }
  });

  test('a run name that is taken: ERR_OUTPUT', async () => {
    await createRunDirectory(at('runs'), 'first', 'x');
    for (const refused of [() => checkOutput(at('runs'), 'first'), () => createRunDirectory(at('runs'), 'first', 'x')])
      expect(await refusal(refused)).toMatchObject({ code: 'ERR_OUTPUT', found: `${at('runs/first')} already exists` });
  });
});

test('a mistake in what is written is not taken for a refusal of the disk', async () => {
  const mistake = new TypeError('mine');
  await expect(writeAtomically(at('broken'), () => Promise.reject(mistake))).rejects.toBe(mistake);
});

describe('as a last resort, what nobody converted', () => {
  const raw = (code: string, syscall: string, file?: string): Error =>
    Object.assign(new Error(`${code}: said by the system, ${syscall}`), { code, syscall, path: file });

  const KNOWN: [Error, string, RegExp][] = [
    [raw('EMFILE', 'open', '/a'), 'ERR_RESOURCES', /ulimit -n/],
    [raw('EMFILE', 'spawn python3'), 'ERR_RESOURCES', /ulimit -n/],
    [raw('ENFILE', 'open', '/a'), 'ERR_RESOURCES', /close other programs/],
    [raw('ENOMEM', 'spawn'), 'ERR_RESOURCES', /ulimit -v/],
    [raw('EAGAIN', 'spawn python3'), 'ERR_RESOURCES', /fewer (--)?threads/],
    [new RangeError('Array buffer allocation failed'), 'ERR_RESOURCES', /ulimit -v/],
    [
      new RangeError('WebAssembly.instantiate(): Out of memory: Cannot allocate Wasm memory for new instance'),
      'ERR_RESOURCES',
      /ulimit -v/,
    ],
    [raw('EROFS', 'open', '/a'), 'ERR_DISK', /^mount it as writable, then run the same command again/],
    [raw('ENOSPC', 'write'), 'ERR_DISK', /^free some space on it/],
    [raw('EDQUOT', 'fsync'), 'ERR_DISK', /^remove files/],
    [raw('ENAMETOOLONG', 'stat', '/a'), 'ERR_DISK', /shorter name/],
    [raw('EIO', 'read', '/a'), 'ERR_DISK', /check the disk/],
    [raw('EACCES', 'mkdir', '/a'), 'ERR_OUTPUT', /allow this user to write there/],
    [raw('EACCES', 'open', '/a'), 'ERR_DATA_MISSING', /allow this user to read it/],
    [raw('ELOOP', 'stat', '/a'), 'ERR_DATA_MISSING', /fix the links/],
    [raw('ENOENT', 'uv_cwd'), 'ERR_CONFIG', /change to another folder/],
  ];
  test.each(KNOWN.map(([error, ...rest]) => [error.message, rest[0], error, rest[1]] as const))(
    '%s: %s and a next step',
    (_, code, error, next) => {
      expect(systemError(error)).toMatchObject({ code, next: expect.stringMatching(next), cause: error });
    },
  );

  test.each([
    new TypeError('mine'),
    new RangeError('Invalid array length'),
    raw('ENOENT', 'spawn cmake'),
    'text',
    null,
  ])('%s stays as it is', (error) => {
    expect(systemError(error)).toBe(error);
  });

  test('a limit of open files is no fault of the place that is written', () => {
    expect(writeError(raw('EMFILE', 'open', '/a'), '/a', { instead: 'choose another --out' })).toMatchObject({
      code: 'ERR_RESOURCES',
      next: 'raise the limit, for example with ulimit -n 4096',
    });
  });

  test('a file that may not be read keeps the code of its owner and gets the remedy of the cause', async () => {
    await symlink('loop.json', at('loop.json'));
    const refuse = (what: string): ChestMnistError =>
      new ChestMnistError('ERR_DATA_CORRUPT', { found: `the file ${what}`, needed: 'the file', next: 'restore it' });
    await expect(readJson(at('loop.json'), refuse)).rejects.toMatchObject({
      code: 'ERR_DATA_CORRUPT',
      next: 'fix the links',
    });
    await mkdir(at('folder.json'));
    await expect(readJson(at('folder.json'), refuse)).rejects.toMatchObject({ next: 'restore it' });
  });
});
