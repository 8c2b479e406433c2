/** What may happen to a run from outside: to its disk, its files, its process. It goes on, or ends with one clear error. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chestmnist, eventsOf, MAIN, PACKAGE, scratch, start, type Finished, type Json } from '../support/chestmnist';
import { runsIn } from '../support/runs';

const folder = scratch();
const { file, expectSame, interrupt } = runsIn(folder);
const ARGS = [
  ...['--data', 'synthetic', '--limit-train', '128', '--limit-val', '32', '--limit-test', '32', '--epochs', '3'],
  ...['--batch-size', '16', '--device', 'cpu', '--threads', '1', '--no-report', '--resamples', '0'],
];
const at = (run: string): string => path.join(folder(), run);
const resume = (run: string): Promise<Finished> => chestmnist(['train', '--resume', at(run)]);
const epoch =
  (number: number) =>
  (event: Json): boolean =>
    event.type === 'epoch' && event.epoch === number;
const status = async (run: string): Promise<Json> => JSON.parse((await file(run, 'run.json')).toString()) as unknown;

beforeAll(async () => {
  expect(await chestmnist(['train', '--quiet', '--out', folder(), '--name', 'whole', ...ARGS])).toMatchObject({
    code: 0,
  });
});

/** Flips one bit of a file, at a share of its length. */
async function flip(name: string, share: number): Promise<void> {
  const handle = await open(name, 'r+');
  const position = Math.floor(share * (await handle.stat()).size);
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, position);
  await handle.write(Buffer.of(buffer[0] ^ 16), 0, 1, position);
  await handle.close();
}

test('every file of a run damaged: the checkpoint before is used and said, the rest is made again', async () => {
  const args = ['--name', 'damaged', ...ARGS];
  expect(await interrupt(args, 'SIGKILL', epoch(2))).toMatchObject({ signal: 'SIGKILL' });
  await flip(path.join(at('damaged'), 'checkpoint', 'state.safetensors'), 0.6);
  for (const name of ['history.csv', 'config.json', 'run.json', 'weights/best.safetensors'])
    await truncate(path.join(at('damaged'), name), 20);
  await writeFile(path.join(at('damaged'), 'checkpoint', 'state.safetensors.01234567.tmp'), 'left by a killed process');
  const { code, stderr } = await resume('damaged');
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('resumed in epoch 2 of 3') });
  expect(stderr).toMatch(/the newest checkpoint is damaged .*: continuing from the previous one, epoch 2/);
  expect(stderr).toContain('run.json is missing or damaged');
  await expectSame('damaged', 'whole');
  expect(JSON.parse((await file('damaged', 'config.json')).toString())).toMatchObject({ epochs: 3, batchSize: 16 });
  expect((await readdir(at('damaged'), { recursive: true })).filter((name) => /tmp$|^lock$/.test(name))).toEqual([]);
});

test('both checkpoints damaged: one clear error, and the weights are still there', async () => {
  const args = ['--name', 'both', ...ARGS];
  expect(await interrupt(args, 'SIGINT', epoch(1))).toMatchObject({ code: 130 });
  for (const name of ['state', 'previous'])
    await flip(path.join(at('both'), 'checkpoint', `${name}.safetensors`), 0.001);
  const { code, stderr } = await resume('both');
  expect(code).toBe(2);
  expect(stderr).toMatch(/ERR_CHECKPOINT_INCOMPATIBLE[^]*--weights .*best\.safetensors/);
});

test('the run directory removed while it runs is written again, and the result is the same', async () => {
  const removed = () => rm(at('removed'), { recursive: true, maxRetries: 5 });
  const { code, events } = await interrupt(['--name', 'removed', ...ARGS], removed, epoch(1));
  expect(code).toBe(0);
  expect(events).toContainEqual({ type: 'note', text: expect.stringContaining('removed or emptied') });
  await expectSame('removed', 'whole');
  expect(await status('removed')).toMatchObject({ status: 'finished', epochs: 3 });
});

test('a second process on the run directory is refused, even while the first is suspended; not once it was killed', async () => {
  let second: Finished | undefined;
  const first = await interrupt(
    ['--name', 'busy', ...ARGS],
    async (pid) => {
      process.kill(pid, 'SIGSTOP');
      second = await resume('busy');
      process.kill(pid, 'SIGKILL');
    },
    epoch(1),
  );
  expect(second).toMatchObject({ code: 2, stderr: expect.stringMatching(/ERR_BUSY[^]*in use by process \d+/) });
  expect(first.signal).toBe('SIGKILL');
  expect(await resume('busy')).toMatchObject({ code: 0 });
  await expectSame('busy', 'whole');
});

test('in one process: a worker thread is terminated, the run resumed, and not twice at a time', async () => {
  const options = `{ data: 'synthetic', limitTrain: 128, limitVal: 32, limitTest: 32, epochs: 3, batchSize: 16, device: 'cpu', threads: 1, report: false, resamples: 0, out: ${JSON.stringify(folder())}, name: 'worker' }`;
  const worker = `const { parentPort } = require('worker_threads'); const { train } = require(${JSON.stringify(PACKAGE)});
    (async () => { for await (const event of train(${options})) if (event.type === 'epoch') parentPort.postMessage(event.epoch); })();`;
  const program = `const { Worker } = require('worker_threads'); const { train } = require(${JSON.stringify(PACKAGE)});
    const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
    worker.once('message', async () => {
      await worker.terminate();
      const resume = ${JSON.stringify(path.join(folder(), 'worker'))};
      const both = await Promise.allSettled([train({ resume }), train({ resume })]);
      console.log(JSON.stringify(both.map(({ status, reason }) => reason?.code ?? status).sort()));
    });`;
  const { code, stdout, stderr } = await start(['-e', program]).done;
  expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: '', stdout: '["ERR_BUSY","fulfilled"]\n' });
  await expectSame('worker', 'whole');
});

test('a parent that is killed and a reader that is gone do not end a run', async () => {
  const args = [MAIN, 'train', '--json', '--out', folder(), '--name', 'orphan', ...ARGS];
  const parent = spawn(process.execPath, [
    '-e',
    `const child = require('child_process').spawn(process.execPath, ${JSON.stringify(args)}, { stdio: ['ignore', 'pipe', 'pipe'] });
     child.stdout.on('data', (text) => String(text).includes('"epoch"') && process.kill(process.pid, 'SIGKILL'));`,
  ]);
  await new Promise((resolve) => parent.on('close', resolve));
  expect(parent.signalCode).toBe('SIGKILL');
  while ((await status('orphan')).status === 'running') await sleep(200);
  expect(await status('orphan')).toMatchObject({ status: 'finished' });
  await expectSame('orphan', 'whole');
});

test('a process that exits during a run leaves run.json stopped and no lock, and the run can be resumed', async () => {
  const program = `const { train } = require(${JSON.stringify(PACKAGE)});
    (async () => { for await (const event of train(JSON.parse(process.argv[1]))) if (event.type === 'epoch') process.exit(7); })();`;
  const options = { data: 'synthetic', limitTrain: 128, limitVal: 32, limitTest: 32, epochs: 3, batchSize: 16 };
  const rest = { device: 'cpu', threads: 1, report: false, resamples: 0, out: folder(), name: 'left' };
  expect(await start(['-e', program, JSON.stringify({ ...options, ...rest })]).done).toMatchObject({ code: 7 });
  expect(await status('left')).toMatchObject({ status: 'stopped', epochs: 1 });
  expect(existsSync(path.join(at('left'), 'lock'))).toBe(false);
  expect(await resume('left')).toMatchObject({ code: 0 });
  await expectSame('left', 'whole');
});

// util-linux: a terminal of its own, which closes when `script` is killed; a shell tells its children.
const terminal = spawnSync('script', ['--version']).stdout?.includes('util-linux') ? test : test.skip;
terminal('closing the terminal stops with a checkpoint and exit code 130', async () => {
  const args = [MAIN, 'train', '--out', folder(), '--name', 'hangup', ...ARGS, '--epochs', '50'];
  const code = at('hangup.code');
  const shell = `const child = require('child_process').spawn(process.execPath, ${JSON.stringify(args)}, { stdio: 'inherit' });
    process.on('SIGHUP', () => child.kill('SIGHUP'));
    child.on('exit', (code, signal) => require('fs').writeFileSync(${JSON.stringify(code)}, String(signal ?? code)));`;
  await writeFile(at('shell.js'), shell);
  const command = `exec '${process.execPath}' '${at('shell.js')}'`;
  const child = spawn('script', ['-qc', command, '/dev/null'], { stdio: ['pipe', 'ignore', 'ignore'] });
  while (!existsSync(path.join(at('hangup'), 'checkpoint', 'previous.safetensors'))) await sleep(50);
  child.kill('SIGKILL');
  while (!existsSync(code)) await sleep(100);
  expect((await file('.', 'hangup.code')).toString()).toBe('130');
  expect(await status('hangup')).toMatchObject({ status: 'stopped' });
});

const shell = process.platform === 'win32' ? test.skip : test;
shell('a file-size limit ends a run with one clear error', async () => {
  const limited = ['-c', 'ulimit -f 120000; exec "$@"', 'sh', process.execPath, MAIN, 'train', '--json'];
  const { status: code, stdout } = spawnSync('sh', [...limited, '--out', folder(), '--name', 'limited', ...ARGS], {
    encoding: 'utf8',
  });
  expect({ code, last: eventsOf(stdout).at(-1) }).toMatchObject({
    code: 6,
    last: {
      type: 'error',
      code: 'ERR_DISK',
      found: expect.stringMatching(/limited cannot be written: .*EFBIG/),
      // There is no checkpoint yet to resume from.
      next: expect.stringMatching(/ulimit -f unlimited, then remove .*limited and start the run again/),
    },
  });
  expect(await status('limited')).toMatchObject({ status: 'failed' });
});

const full = existsSync('/dev/full') ? test : test.skip;
full('output that cannot be written, as a full disk behind > file, does not end a run', async () => {
  const args = [MAIN, 'train', '--out', folder(), '--name', 'deaf', ...ARGS];
  const { status: code } = spawnSync('sh', ['-c', 'exec "$@" > /dev/full 2>&1', 'sh', process.execPath, ...args]);
  expect(code).toBe(0);
  await expectSame('deaf', 'whole');
});

const mount = (...args: string[]): boolean => spawnSync('mount', args).status === 0;

/** Whether a tmpfs can be mounted, as root on Linux often can. */
function canMount(): boolean {
  const folder = mkdtempSync(path.join(tmpdir(), 'chestmnist-mount-'));
  const can = mount('-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder);
  if (can) spawnSync('umount', [folder]);
  rmdirSync(folder);
  return can;
}

(canMount() ? describe : describe.skip)('a small file system (a tmpfs that only root may mount)', () => {
  const disk = (): string => path.join(folder(), 'disk');
  beforeAll(async () => {
    await mkdir(disk());
    expect(mount('-t', 'tmpfs', '-o', 'size=400m', 'tmpfs', disk())).toBe(true);
  });
  afterAll(() => void spawnSync('umount', [disk()]));

  test('full: one clear error, all so far is kept; with room again it is resumed', async () => {
    const run = path.join(disk(), 'run');
    const args = ['train', '--json', '--out', disk(), '--name', 'run', ...ARGS];
    const failed = await chestmnist(args);
    const events = eventsOf(failed.stdout);
    expect({ code: failed.code, last: events.at(-1) }).toMatchObject({
      code: 6,
      last: {
        code: 'ERR_DISK',
        found: expect.stringMatching(/ENOSPC/),
        next: expect.stringContaining(`chestmnist train --resume ${run}`),
      },
    });
    const finished = events.filter(({ type }) => type === 'epoch').length;
    expect(finished).toBeGreaterThan(0);
    expect(JSON.parse(await readFile(path.join(run, 'run.json'), 'utf8'))).toMatchObject({
      status: 'failed',
      epochs: expect.any(Number),
    });
    expect((await readdir(run, { recursive: true })).filter((name) => /tmp$|^lock$/.test(name))).toEqual([]);
    expect(mount('-o', 'remount,ro', disk())).toBe(true);
    expect(await chestmnist(['train', '--resume', run])).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/ERR_DISK[^]*EROFS[^]*then npx chestmnist train --resume/),
    });
    expect(mount('-o', 'remount,rw,size=900m', disk())).toBe(true);
    expect(await chestmnist(['train', '--resume', run])).toMatchObject({ code: 0 });
    await expectSame('disk/run', 'whole');
  });
});
