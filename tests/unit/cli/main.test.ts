/** The command line as a whole: help, usage errors, completion. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { eventsOf, scratch } from '../../support/chestmnist';
import { chestmnist } from '../../support/in-process';

const folder = scratch();

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

test.each([
  [['evaluate', ''], '<run|weights> is empty'],
  [['predict', 'run', 'a.png', ''], '<input> is empty'],
  [['report', ''], '<run> is empty'],
  [['predict', 'run', 'a.png', '-o', ''], '--output is empty'],
  [['evaluate', 'run', '-o', ''], '--output is empty'],
  [['export', 'run', '--format', 'pth', '-o', ''], '--output is empty'],
  [['data', 'synthesize', '--out='], '--out is empty'],
  [['data', 'fetch', '--out', ''], '--out is empty'],
  [['train', '--out', ''], '--out is empty'],
  [['train', '--config', ''], '--config is empty'],
  [['train', '--resume='], '--resume is empty'],
])('%j: an empty word is no folder and no file', async (args, found) => {
  const { code, stdout, stderr } = await chestmnist(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(`error ERR_CONFIG\n  found   ${found}\n`);
});

test.each([
  [['metrics', '~/no.npz']],
  [['metrics', 'a_test_x.csv', '--labels=~/no.npz']],
  [['evaluate', '~/no.npz']],
  [['report', '~/no.npz']],
  [['train', '--config=~/no.npz']],
  [['train', '--resume=~/no.npz']],
  [['train', '--data=~/no.npz']],
  [['data', 'verify', '~/no.npz']],
  [['setup', '--from=~/no.npz']],
])('%j: ~ is the home', async (args) => {
  if (args.includes('a_test_x.csv')) args[1] = await csv();
  const { code, stderr } = await chestmnist(args);
  expect(code).toBeGreaterThan(1);
  expect(stderr).toContain(path.join(homedir(), 'no.npz'));
});

async function csv(): Promise<string> {
  const file = path.join(folder(), 'a_test_x.csv');
  await writeFile(file, '0,0.5\n1,0.5\n');
  return file;
}

test('what a file name says cannot command the terminal, break a line of JSON or feign another line', async () => {
  const name = path.join(folder(), 'x\n  next    npx evil\x1b[2J\u202e.npz');
  const [people, machine] = [await chestmnist(['metrics', name]), await chestmnist(['--json', 'metrics', name])];
  expect(people.stderr.split('\n')).toHaveLength(5);
  expect(people.stderr).toContain('x?  next    npx evil?[2J?.npz');
  expect(people.stderr + machine.stdout).not.toMatch(/[\x1b\u202e]/);
  expect(eventsOf(machine.stdout)).toHaveLength(1);
});

test('an unknown option with a line feed is one error, and a likely one is named', async () => {
  const { stderr } = await chestmnist(['train', '--bad\n(x) y']);
  expect(stderr).toMatch(/found +unknown option '--bad\?\(x\) y'\n +needed +a command as its help/);
  expect((await chestmnist(['train', '--epoch', '3'])).stderr).toContain('needed  Did you mean --epochs?');
});

test('-o=FILE is the file, not one whose name begins with a sign', async () => {
  const file = path.join(folder(), 'out.npz');
  const { code } = await chestmnist(['data', 'synthesize', '--counts', '4,4,4', `-o=${file}`]);
  expect({ code, there: existsSync(file) }).toEqual({ code: 0, there: true });
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
      found: '--lr is NaN',
      needed: expect.any(String),
      next: expect.any(String),
    }),
  ]);
});
