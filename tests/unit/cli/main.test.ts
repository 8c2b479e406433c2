/** The command line as a whole: help, usage errors, completion. */
import { eventsOf } from '../../support/chestmnist';
import { chestmnist } from '../../support/in-process';

test('help names every verb', async () => {
  const { code, stdout } = await chestmnist(['--help']);
  expect(code).toBe(0);
  for (const verb of [
    'train',
    'evaluate',
    'metrics',
    'report',
    'predict',
    'export',
    'data',
    'setup',
    'doctor',
    'bench',
    'completion',
  ]) {
    expect(stdout).toMatch(new RegExp(`^  ${verb} `, 'm'));
  }
});

const VERBS = ['train', 'evaluate', 'metrics', 'report', 'predict', 'export', 'data', 'setup', 'doctor', 'bench'];
test.each([...VERBS, 'completion'])('%s --help shows its flags, the global ones and an example', async (verb) => {
  const { code, stdout, stderr } = await chestmnist([verb, '--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain(`Usage: chestmnist ${verb}`);
  expect(stdout).toContain('--json');
  expect(stdout).toMatch(new RegExp(`^Examples:\n  (.*\\W)?chestmnist ${verb}`, 'm'));
});

test('completion for fish and zsh knows every verb', async () => {
  for (const shell of ['fish', 'zsh']) {
    const { code, stdout } = await chestmnist(['completion', shell]);
    expect(code).toBe(0);
    for (const verb of VERBS) expect(stdout).toMatch(new RegExp(`\\b${verb}\\b`));
  }
});

test('--version', async () => {
  expect((await chestmnist(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test.each([
  [['train', '--epoch', '3'], '--epochs'],
  [['trian'], 'train'],
  [['evaluate'], 'run|weights'],
  [['evaluate', 'x', '--split', 'train'], 'val'],
  [['train', '--lr'], '--lr'],
  [['train', 'extra'], 'argument'],
])('%j is a usage error that names the remedy', async (args, remedy) => {
  const { code, stdout, stderr } = await chestmnist(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^error ERR_CONFIG\n {2}found {3}.+\n {2}needed {2}.+\n {2}next {4}.+\n$/);
  expect(stderr).toContain(remedy);
});

test('without a verb the help is shown and the exit code is 2', async () => {
  const { code, stdout, stderr } = await chestmnist([]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('Usage: chestmnist');
});

test('with --json an error is one JSON line on stdout as well', async () => {
  const { code, stdout } = await chestmnist(['train', '--lr', 'NaN', '--json']);
  expect(code).toBe(2);
  expect(eventsOf(stdout)).toEqual([
    expect.objectContaining({
      type: 'error',
      code: 'ERR_CONFIG',
      found: 'lr is NaN',
      needed: expect.any(String),
      next: expect.any(String),
    }),
  ]);
});
