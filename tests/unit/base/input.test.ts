/** Inputs that are no files: nothing is waited for that may never come. */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { hashFile } from '../../../src/base/checksum';
import { openRegular, readInput } from '../../../src/base/input';
import { scratch } from '../../support/data-files';

const at = scratch();
const onPosix = process.platform === 'win32' ? describe.skip : describe;

test('a file is read; a folder and what is missing are named', async () => {
  writeFileSync(at('file'), 'text');
  expect((await readInput(at('file'))).toString()).toBe('text');
  expect(await hashFile(at('file'), 'md5')).toBe('1cb251ec0d568de6a929b520c4aed8d1');
  const handle = await openRegular(at('file'));
  expect((await handle.readFile()).equals(readFileSync(at('file')))).toBe(true);
  await handle.close();
  for (const read of [readInput, openRegular]) {
    await expect(read(at(''))).rejects.toThrow('it is a folder');
    await expect(read(at('none'))).rejects.toMatchObject({ code: 'ENOENT' });
  }
});

onPosix('pipes and devices (not on Windows)', () => {
  beforeAll(() => void execFileSync('mkfifo', [at('pipe')]));

  test('a pipe without a writer is refused at once, and so is a device without an end', async () => {
    await expect(readInput(at('pipe'))).rejects.toThrow('it is a pipe, and nothing writes to it');
    await expect(readInput('/dev/zero')).rejects.toThrow('it is a device');
    for (const read of [openRegular, (file: string) => hashFile(file, 'md5')]) {
      await expect(read(at('pipe'))).rejects.toThrow('it is a named pipe');
      await expect(read('/dev/zero')).rejects.toThrow('it is a device');
    }
  });

  test('a pipe is read to its end, however slow its writer is', async () => {
    const writer = spawn('sh', ['-c', `exec > "$1"; echo first; read _; head -c 300000 /dev/zero`, 'sh', at('pipe')], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    // It opens the pipe when a reader is there, so the first tries come too early.
    let read: Buffer | undefined;
    setTimeout(() => writer.stdin.end('go\n'), 50);
    while (!read) read = await readInput(at('pipe')).catch(() => undefined);
    expect(read.length).toBe('first\n'.length + 300_000);
  });
});
