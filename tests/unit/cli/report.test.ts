/** `chestmnist report`: what it draws, says and refuses. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { folder, makeRun, removeRuns } from '../../support/report-fixture';
import { chestmnist } from '../../support/in-process';

afterAll(removeRuns);

test('draws a run again; the page is the last word on stdout, what is missing goes to stderr', async () => {
  const run = await makeRun({ without: ['predictions'] });
  const { code, stdout, stderr } = await chestmnist(['report', run]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${path.join(run, 'report.html')}\n` });
  expect(stderr).toContain('predictions/test.npz is missing');
  expect(existsSync(path.join(run, 'plots', 'confusion-hernia.png'))).toBe(true);
});

test('--json prints one document', async () => {
  const run = await makeRun({ without: ['metrics', 'predictions'] });
  const { code, stdout } = await chestmnist(['--json', 'report', run]);
  expect(code).toBe(0);
  const { files, notes, report } = JSON.parse(stdout) as { files: string[]; notes: string[]; report: string };
  expect(report).toBe(path.join(run, 'report.html'));
  expect(files).toHaveLength(5);
  expect(notes).toHaveLength(1);
});

test('refuses what is no run, before it reads any data', async () => {
  const { code, stderr } = await chestmnist(['report', await folder(), '--data', 'no-such-file.npz']);
  expect(code).toBe(2);
  expect(stderr).toMatch(/ERR_CONFIG[\s\S]*has none of config\.json[\s\S]*needed[\s\S]*a run directory/);
});

test('says what is wrong with --data', async () => {
  const { code, stderr } = await chestmnist(['report', await makeRun(), '--data', 'no-such-file.npz']);
  expect(code).toBe(3);
  expect(stderr).toContain('no-such-file.npz');
});
