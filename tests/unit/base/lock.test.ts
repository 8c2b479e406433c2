import assert from 'node:assert';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from '../../../src/base/lock';
import { temporaryFolder } from '../../support/setup-fakes';
import { smallDisk } from '../../support/small-disk';
import { NOT_FILES, othersFolder, replace, snapshot } from '../../support/strangers';

const folder = temporaryFolder();
let count = 0;
const newLock = (): string => path.join(folder, `lock-${count++}`);
function newFolder(): string {
  const made = newLock();
  mkdirSync(made);
  return made;
}

test('work of several holders never overlaps, and the file is gone afterwards', async () => {
  const file = newLock();
  let inside = 0;
  let worst = 0;
  const work = async (): Promise<void> => {
    worst = Math.max(worst, ++inside);
    await sleep(20);
    inside--;
  };
  await Promise.all(Array.from({ length: 5 }, () => withLock(file, work)));
  expect(worst).toBe(1);
  expect(existsSync(file)).toBe(false);
});

test('thirty at a time have one listener for the exit of the process, and none is left', async () => {
  const before = process.listenerCount('exit');
  const counts = Array.from({ length: 30 }, () =>
    withLock(newLock(), async () => {
      await sleep(20);
      return process.listenerCount('exit') - before;
    }),
  );
  expect(new Set(await Promise.all(counts))).toEqual(new Set([1]));
  expect(process.listenerCount('exit')).toBe(before);
});

test('it is given back when the work fails', async () => {
  const file = newLock();
  await expect(withLock(file, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(existsSync(file)).toBe(false);
  expect(await withLock(file, () => Promise.resolve(7))).toBe(7);
});

test('one left by a killed process is taken over at once', async () => {
  const file = newLock();
  const program = `require('fs').writeFileSync(${JSON.stringify(file)}, process.pid + ' ' + require('os').hostname() + ' 1'); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ['-e', program]);
  while (!existsSync(file)) await sleep(20);
  const holders: string[] = [];
  const taken = withLock(file, () => Promise.resolve(readFileSync(file, 'utf8')), {
    waiting: (who) => holders.push(who),
  });
  await sleep(400);
  expect(holders).toEqual([`process ${child.pid} on ${hostname()}`]); // alive: it waits, and says so once
  // Touched in an hour: whoever went by its age would wait for longer than this test may take.
  const later = new Date(Date.now() + 3_600_000);
  utimesSync(file, later, later);
  child.kill('SIGKILL');
  expect(await taken).toMatch(new RegExp(`^${process.pid} `));
});

const onLinux = process.platform === 'linux' ? test : test.skip;

test('one of another host is respected until it is no longer touched', async () => {
  const file = newLock();
  writeFileSync(file, '1 another-host 1');
  let untouched = false;
  const taken = withLock(file, () => Promise.resolve(untouched));
  await sleep(600);
  untouched = true;
  const old = new Date(Date.now() - 120_000);
  utimesSync(file, old, old);
  expect(await taken).toBe(true);
});

test('an empty one, left between creating and writing, does not block for ever', async () => {
  const file = newLock();
  writeFileSync(file, '');
  const old = new Date(Date.now() - 10_000);
  utimesSync(file, old, old);
  expect(await withLock(file, () => Promise.resolve('in'))).toBe('in');
});

test('waiting can be interrupted', async () => {
  const file = newLock();
  writeFileSync(file, `${process.pid} ${hostname()} 1`);
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 50);
  await expect(withLock(file, () => Promise.resolve(), { signal: stop.signal })).rejects.toThrow(/abort/i);
});

onLinux(
  'where the kernel can be asked, only whether the holder lives counts: not its age, not its number alone',
  async () => {
    const file = newLock();
    const old = new Date(Date.now() - 120_000);
    await withLock(file, async () => {
      const content = readFileSync(file, 'utf8');
      utimesSync(file, old, old); // as of a holder that was suspended
      const busy = { waiting: (): never => assert.fail('busy') };
      await expect(withLock(file, () => Promise.resolve(), busy)).rejects.toThrow('busy');
      // The same process number, started at another time: another process.
      writeFileSync(file, content.replace(/\d+$/, '1'));
      expect(await withLock(file, () => Promise.resolve('in'), busy)).toBe('in');
      // Of another boot or container nothing can be known: a minute is waited for.
      writeFileSync(file, content.replace(/pid:.\d+/, 'pid:[1'));
      await expect(withLock(file, () => Promise.resolve(), busy)).rejects.toThrow('busy');
      utimesSync(file, old, old);
      expect(await withLock(file, () => Promise.resolve('in'), busy)).toBe('in');
    });
  },
);

describe('what is not a lock at its place', () => {
  const others = othersFolder(newFolder());

  test.each(Object.entries(NOT_FILES))('%s: one error at once, and it stays', async (_, put) => {
    const file = newLock();
    replace(file, put, others);
    const before = snapshot(path.dirname(file));
    const next = { then: 'npx chestmnist train --resume RUN' };
    await expect(withLock(file, () => Promise.resolve('in'), { next })).rejects.toMatchObject({
      code: 'ERR_OUTPUT',
      found: expect.stringMatching(/is a (link|folder|named pipe), not a lock of chestmnist$/),
      next: `move ${file} away, then npx chestmnist train --resume RUN`,
    });
    expect(snapshot(path.dirname(file))).toEqual(before);
    rmSync(file, { recursive: true });
    expect(await withLock(file, () => Promise.resolve('in'), { next })).toBe('in');
  });

  test("somebody else's file, however old, and however large", async () => {
    for (const content of ['theirs', '1 2', `${'1'.repeat(2000)} host 1`]) {
      const file = newLock();
      writeFileSync(file, content);
      const old = new Date(Date.now() - 3_600_000);
      utimesSync(file, old, old);
      await expect(withLock(file, () => Promise.resolve())).rejects.toMatchObject({ code: 'ERR_OUTPUT' });
      expect(readFileSync(file, 'utf8')).toBe(content);
    }
  });

  test('a holder whose file is replaced neither touches nor removes what stands there now', async () => {
    const file = newLock();
    const target = path.join(others, 'lock');
    await withLock(file, (held) => {
      rmSync(file);
      symlinkSync(target, file);
      expect(held).toThrow(/is a link, not a lock/);
      return Promise.resolve();
    });
    expect(readFileSync(target, 'utf8')).toBe('theirs');
    expect(readlinkSync(file)).toBe(target);
  });
});

const disk = smallDisk('1m');
(disk ? test : test.skip)('a stale lock that cannot be removed is an error, and not waited for', async () => {
  const { path: place, remount } = disk!;
  const file = path.join(place, 'lock');
  writeFileSync(file, `${2 ** 22 + 1} ${hostname()} 1`); // no such process
  remount('ro');
  await expect(withLock(file, () => Promise.resolve())).rejects.toMatchObject({
    code: 'ERR_DISK',
    found: expect.stringContaining('is read-only (EROFS)'),
  });
  remount('rw');
  expect(await withLock(file, () => Promise.resolve('in'))).toBe('in');
});
