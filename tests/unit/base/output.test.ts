/** Where results go: through links, into pipes and devices, and what is refused before any work. */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { chmod, lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { writeAtomically } from '../../../src/base/atomic';
import { download } from '../../../src/base/download';
import { isStdout, outputAt } from '../../../src/base/output';
import { loadWeights, saveWeights } from '../../../src/weights';
import { refusal, scratch } from '../../support/data-files';
import { f32 } from '../../support/weights-fixtures';

const at = scratch();
const onPosix = process.platform === 'win32' ? describe.skip : describe;
const text = (content: string) => (file: string) => writeAtomically(file, (handle) => handle.writeFile(content));
const write = async (place: string, content = 'new\n', waiting?: (text: string) => void): Promise<string> => {
  const output = await outputAt(place, ['.csv', '.json'], waiting);
  await output.write(text(content));
  return output.path;
};
const read = (file: string): Promise<string> => readFile(file, 'utf8');

test('a file appears whole, in folders that are made; one that is there keeps its permissions', async () => {
  expect(await write(at('new/folder/a.csv'))).toBe(at('new/folder/a.csv'));
  await chmod(at('new/folder/a.csv'), 0o600);
  await write(at('new/folder/a.csv'), 'newer\n');
  expect(await read(at('new/folder/a.csv'))).toBe('newer\n');
  expect((await stat(at('new/folder/a.csv'))).mode & 0o777).toBe(process.platform === 'win32' ? 0o666 : 0o600);
  expect(await readdir(at('new/folder'))).toEqual(['a.csv']);
});

test('the extension is that of the name, in any case; none is as good', async () => {
  for (const [name, extension] of [
    ['b.CSV', '.csv'],
    ['b.json', '.json'],
    ['b', ''],
  ])
    expect(await outputAt(at(name), ['.csv', '.json'])).toMatchObject({ extension, isFile: false });
});

test.each([
  ['', 'ERR_CONFIG', /an empty path/],
  ['preds.npz', 'ERR_CONFIG', /the file name preds\.npz/],
  ['preds.csv.gz', 'ERR_CONFIG', /the file name preds\.csv\.gz/],
  ['folder', 'ERR_OUTPUT', /it is a folder/],
  ['to-come.csv/', 'ERR_OUTPUT', /it is a folder/],
  ['loop.csv', 'ERR_OUTPUT', /loop of links/],
])('%j is refused', async (name, code, found) => {
  await mkdir(at('folder'), { recursive: true });
  if (name === 'loop.csv') await symlink('loop.csv', at(name));
  const error = await refusal(outputAt(name === '' ? name : `${at('')}/${name}`, ['.csv']));
  expect(error).toMatchObject({ code, found: expect.stringMatching(found) });
});

onPosix('what stands there stays what it is (not on Windows)', () => {
  const pipe = (name: string): string => {
    execFileSync('mkfifo', [at(name)]);
    return at(name);
  };

  test('links are followed, also to files that are still to come', async () => {
    await mkdir(at('elsewhere'));
    await writeFile(at('elsewhere/a.csv'), 'old');
    await symlink('elsewhere/a.csv', at('link.csv'));
    await symlink('link.csv', at('link-to-link.csv'));
    await symlink('elsewhere/to/come.csv', at('dangling.csv'));
    expect(await write(at('link-to-link.csv'))).toBe(at('elsewhere/a.csv'));
    await write(at('dangling.csv'));
    for (const name of ['link.csv', 'link-to-link.csv', 'dangling.csv']) {
      expect((await lstat(at(name))).isSymbolicLink()).toBe(true);
      expect(await read(at(name))).toBe('new\n');
    }
  });

  test('so they are for weights and for a download', async () => {
    const weights = [f32('fc.weight', [2, 3])];
    for (const name of ['w.safetensors', 'w.pth']) {
      await symlink(`elsewhere/${name}`, at(name));
      await saveWeights(at(name), weights);
      expect(await readlink(at(name))).toBe(`elsewhere/${name}`);
      expect((await loadWeights(at(`elsewhere/${name}`)))[0].name).toBe('fc.weight');
    }
    await symlink('elsewhere/a.csv', at('kept.csv'));
    const md5 = '1b7c8fc6d4a2a8f3d0e0c0a1c3d7f0aa';
    // Nothing can be fetched here: the part and the message are about the place that the link leads to.
    const error = await refusal(download('http://127.0.0.1:9/x', at('kept.csv'), { md5, attempts: 1 }));
    expect(error.next).toContain(at('elsewhere/a.csv'));
  });

  test('a pipe gets it, and what it waits for is told', async () => {
    const place = pipe('fifo.csv');
    const told: string[] = [];
    const reader = new Promise<string>((done) => {
      void write(place, 'x'.repeat(300_000), (line) => {
        told.push(line);
        const child = spawn('cat', [place], { stdio: ['ignore', 'pipe', 'ignore'] });
        let got = '';
        child.stdout.on('data', (chunk: Buffer) => (got += chunk.toString()));
        child.on('close', () => done(got));
      });
    });
    expect((await reader).length).toBe(300_000);
    expect(told).toEqual([`waiting for a program that reads ${place}`]);
    expect((await lstat(place)).isFIFO()).toBe(true);
    expect((await readdir(at(''))).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('a reader that leaves early is no failure', async () => {
    const place = pipe('short.csv');
    const child = spawn('head', ['-c', '1', place], { stdio: 'ignore' });
    await write(place, 'x'.repeat(1_000_000));
    await new Promise((done) => (child.exitCode === null ? child.on('close', done) : done(0)));
  });

  test('a device, of any extension; a full one is ERR_DISK', async () => {
    expect(await write('/dev/null')).toBe('/dev/null');
    if (process.platform === 'linux')
      expect(await refusal(write('/dev/full'))).toMatchObject({
        code: 'ERR_DISK',
        found: expect.stringContaining('/dev/full'),
      });
  });

  test('a socket, and another user, are refused', async () => {
    const { createServer } = await import('node:net');
    const server = createServer();
    const place = path.join(os.tmpdir(), `chestmnist-${process.pid}.sock`);
    await new Promise<void>((done) => server.listen(place, done));
    expect((await refusal(outputAt(place, ['.csv']))).found).toContain('a socket');
    await new Promise((done) => server.close(done));
    expect((await refusal(outputAt('~nobody/x.csv', ['.csv']))).found).toContain('~nobody/x.csv');
  });

  test('-, /dev/stdout and /dev/fd/1 are stdout; an open descriptor is written to where it stands', async () => {
    for (const place of ['-', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1']) expect(isStdout(place)).toBe(true);
    for (const place of [undefined, 'a.csv', '/dev/stderr', './-']) expect(isStdout(place)).toBe(false);
    const descriptor = openSync(at('appended'), 'a');
    await symlink(`/dev/fd/${descriptor}`, at('link-to-descriptor'));
    writeSync(descriptor, 'first\n');
    await write(`/dev/fd/${descriptor}`);
    await write(at('link-to-descriptor'));
    closeSync(descriptor);
    expect(await read(at('appended'))).toBe('first\nnew\nnew\n');
  });
});
