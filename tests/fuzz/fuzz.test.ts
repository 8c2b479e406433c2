/** The fuzzer in its short form: every parser, with a fixed seed; and that it finds what it should. */
import path from 'node:path';
import { REPOSITORY } from '../support/reference';
import { start } from '../support/chestmnist';

const fuzz = (...args: string[]) => start([path.join(REPOSITORY, 'tests', 'fuzz', 'main.mjs'), ...args]).done;

test('no parser is hurt by some thousands of mutated files', async () => {
  const { code, stdout } = await fuzz('--inputs', '3000', '--seed', '7');
  expect({ code, findings: stdout.match(/--replay .*/g) }).toEqual({ code: 0, findings: null });
  const parsers = 'config csv dicom history jpeg metrics npy npz png pth safetensors table thresholds tiff webp'.split(
    ' ',
  );
  for (const parser of parsers) expect(stdout).toMatch(new RegExp(`^${parser} +3000 `, 'm'));
}, 600_000);

test('every kind of mistake is found', async () => {
  const { code, stdout } = await fuzz('--mistakes', '--inputs', '300');
  expect(stdout).toContain('10 of 10 kinds of mistake are found');
  expect(code).toBe(0);
}, 600_000);
