/** Where a result cannot be written: the code, the exit code and that nothing is left, for verbs that write where asked. */
import { spawnSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { chestmnist, eventsOf, MAIN, scratch, SMALL, type Finished } from '../support/chestmnist';
import { smallDisk, type SmallDisk } from '../support/small-disk';

const folder = scratch();
const at = (name: string): string => path.join(folder(), name);
/** 2.4 MB before it is compressed. */
const synthesize = (output: string): string[] => [
  'data',
  'synthesize',
  '--json',
  '--counts',
  '1000,999,999',
  '-o',
  output,
];

const outcome = ({ code, stdout }: Pick<Finished, 'code' | 'stdout'>): unknown => ({
  exit: code,
  code: eventsOf(stdout.replaceAll('\n', ' '))[0]?.code,
});
const ERR_DISK = { exit: 6, code: 'ERR_DISK' };
const ERR_OUTPUT = { exit: 2, code: 'ERR_OUTPUT' };

test('a name of 300 characters, of a file and of a run', async () => {
  const name = 'x'.repeat(300);
  expect(outcome(await chestmnist(synthesize(at(name))))).toEqual(ERR_DISK);
  expect(outcome(await chestmnist(['train', '--json', ...SMALL, '--out', at('runs'), '--name', name]))).toEqual(
    ERR_DISK,
  );
  expect(await readdir(folder())).toEqual([]);
});

test('a place below a file, and a file that is there', async () => {
  await writeFile(at('file'), 'kept');
  for (const place of ['file', 'file/x.npz'])
    expect(outcome(await chestmnist(synthesize(at(place))))).toEqual(ERR_OUTPUT);
  const run = ['train', '--json', ...SMALL, '--out', folder(), '--name', 'file'];
  expect(outcome(await chestmnist(run))).toEqual(ERR_OUTPUT);
  expect(await readdir(folder())).toEqual(['file']);
});

(process.platform === 'win32' ? test.skip : test)('a file larger than the limit of the shell', async () => {
  const command = ['-c', 'ulimit -f 100; exec "$@"', 'sh', process.execPath, MAIN, ...synthesize(at('large.npz'))];
  const { status: code, stdout, stderr } = spawnSync('sh', command, { encoding: 'utf8' });
  expect(outcome({ code, stdout })).toEqual(ERR_DISK);
  expect(stderr).toMatch(/larger than the limit .*\(EFBIG\)[^]*next +raise the limit.*ulimit -f unlimited/);
  expect(await readdir(folder())).not.toContain('large.npz');
});

const disk = smallDisk('1m');
(disk ? describe : describe.skip)('a disk (root on Linux only)', () => {
  const { path: small, remount } = disk ?? ({} as SmallDisk);

  test('that is full', async () => {
    expect(outcome(await chestmnist(synthesize(path.join(small, 'x.npz'))))).toEqual(ERR_DISK);
    expect(await readdir(small)).toEqual([]);
  });

  test('that is full, for the cache of set-up', () => {
    const env = { ...process.env, XDG_CACHE_HOME: small, CHESTMNIST_LIBTORCH: '' };
    const args = ['setup', '--json', '--from', MAIN];
    const { status: code, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { env, encoding: 'utf8' });
    expect(outcome({ code, stdout })).toEqual(ERR_DISK);
    expect(stderr).toMatch(/found +1\.\d MB free in [^]*needed +800\.0 MB[^]*next .*XDG_CACHE_HOME=FOLDER/);
  });

  test('that is read-only', async () => {
    remount('ro');
    expect(outcome(await chestmnist(synthesize(path.join(small, 'x.npz'))))).toEqual(ERR_DISK);
    expect(outcome(await chestmnist(['train', '--json', ...SMALL, '--out', path.join(small, 'runs')]))).toEqual(
      ERR_DISK,
    );
    remount('rw');
  });
});
