/**
 * The built command line on poor and strange machines: no home, no memory, no threads, no current folder, another
 * LibTorch in front of ours. What a test needs of the system and does not get, it is skipped by name for.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { chestmnist, MAIN, QUICK, scratch, type Json } from '../support/chestmnist';
import { REPOSITORY } from '../support/reference';
import { runsIn } from '../support/runs';
import { smallDisk } from '../support/small-disk';

const folder = scratch();
const { file } = runsIn(folder);
const json = async (name: string): Promise<Json> => JSON.parse(await readFile(path.join(folder(), name), 'utf8'));
const isLinux = process.platform === 'linux';
const isRoot = process.getuid?.() === 0;
const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const test_ = (needed: string, there: boolean): jest.It =>
  there ? test : (((name: string, ...rest: [never]) => test.skip(`${name} (needs ${needed})`, ...rest)) as jest.It);
const onLinux = test_('Linux', isLinux);

/** Runs the command line after a line of shell, such as a limit. */
function inShell(before: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env, cwd = folder()) {
  const words = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(' ');
  const { status, stdout, stderr } = spawnSync('bash', ['-c', `${before}\n${words}`], { env, cwd, encoding: 'utf8' });
  return { code: status, stdout, stderr };
}
const without = (...names: string[]): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !names.includes(name)));

const BOUND = QUICK.slice(0, QUICK.indexOf('--threads'));
const FREE = [...BOUND, ...QUICK.slice(QUICK.indexOf('--threads') + 2)];

describe('the number of threads', () => {
  const train = (name: string, env: NodeJS.ProcessEnv, ...more: string[]) =>
    inShell('', ['train', ...FREE, '--epochs', '1', '--out', folder(), '--name', name, ...more], env);
  const plain = without('OMP_NUM_THREADS', 'NSLOTS');

  test('is the least of the machine, in one line; no part of the run, and of its result', async () => {
    const { code, stderr } = train('limited', { ...plain, OMP_NUM_THREADS: '1,2' });
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining('threads: 1, from OMP_NUM_THREADS=1,2 (--threads sets another number)\n'),
    });
    expect((await json('limited/config.json')).threads).toBeNull();
    expect((await json('limited/run.json')).threads).toBe(1);

    // Elsewhere it goes on with what that machine has.
    const two = inShell('', ['train', '--resume', 'limited', '--epochs', '2', '--threads', '2'], plain);
    expect(two).toMatchObject({ code: 0, stderr: expect.not.stringContaining('OMP') });
    expect((await json('limited/run.json')).threads).toBe(2);

    // One that was given stays with the run.
    const given = train('given', { ...plain, NSLOTS: '1' }, '--threads', '2');
    expect(given).toMatchObject({ code: 0, stderr: expect.not.stringContaining('NSLOTS') });
    expect(inShell('', ['train', '--resume', 'given', '--epochs', '2'], { ...plain, NSLOTS: '1' }).code).toBe(0);
    expect((await json('given/config.json')).threads).toBe(2);
    expect((await json('given/run.json')).threads).toBe(2);

    const best = 'weights/best.safetensors';
    expect((await file('limited', best)).equals(await file('given', best))).toBe(true);
  });

  test('doctor and predict name the limit too', () => {
    const env = { ...plain, SLURM_CPUS_PER_TASK: '1', NSLOTS: 'all' };
    expect(JSON.parse(inShell('', ['doctor', '--json'], env).stdout)).toMatchObject({
      cpu: { threads: 1, limit: 'SLURM_CPUS_PER_TASK=1', ignored: ['NSLOTS=all'] },
    });
    expect(inShell('', ['evaluate', 'given', '--limit', '8', '--device', 'cpu'], env).stderr).toContain(
      'threads: 1, from SLURM_CPUS_PER_TASK=1; NSLOTS=all ignored',
    );
  });
});

describe('another LibTorch', () => {
  /** Libraries with the names of LibTorch's and nothing in them. */
  const alien = (): string => {
    const place = path.join(folder(), 'alien');
    if (existsSync(place)) return place;
    mkdirSync(place);
    writeFileSync(path.join(place, 'empty.cc'), '');
    for (const name of ['libc10.so', 'libtorch_cpu.so', 'libgomp.so.1'])
      execFileSync(process.env.CXX ?? 'c++', [
        ...['-shared', '-fPIC', `-Wl,-soname,${name}`, '-o', path.join(place, name), path.join(place, 'empty.cc')],
      ]);
    return place;
  };
  const withCompiler = test_('Linux and a C++ compiler', isLinux && has(process.env.CXX ?? 'c++'));
  const report = (env: NodeJS.ProcessEnv): Json => JSON.parse(inShell('', ['doctor', '--json'], env).stdout);

  withCompiler('in LD_LIBRARY_PATH changes nothing: ours is loaded by its full path', () => {
    const env = { ...process.env, LD_LIBRARY_PATH: alien() };
    expect(report(env)).toMatchObject({ usable: true });
    expect(inShell('', ['evaluate', 'given', '--limit', '8', '--device', 'cpu'], env).code).toBe(0);
  });

  test_('Linux', isLinux)('one library of the same release in LD_PRELOAD is used, and not loaded twice', () => {
    const libtorch = path.join(REPOSITORY, 'libtorch');
    const twin = path.join(folder(), 'twin');
    mkdirSync(path.join(twin, 'lib'), { recursive: true });
    for (const name of readdirSync(libtorch))
      if (name !== 'lib') symlinkSync(path.join(libtorch, name), path.join(twin, name));
    for (const name of readdirSync(path.join(libtorch, 'lib')))
      if (name !== 'libc10.so') symlinkSync(path.join(libtorch, 'lib', name), path.join(twin, 'lib', name));
    const library = path.join(twin, 'lib', 'libc10.so');
    copyFileSync(path.join(libtorch, 'lib', 'libc10.so'), library);
    const env = { ...process.env, LD_PRELOAD: library };
    expect(inShell('', ['evaluate', 'given', '--limit', '8', '--device', 'cpu'], env)).toMatchObject({ code: 0 });
  });

  withCompiler.each([
    ['in LD_PRELOAD', () => ({ LD_PRELOAD: path.join(alien(), 'libc10.so') })],
    ['in LD_PRELOAD by name', () => ({ LD_PRELOAD: 'libtorch_cpu.so', LD_LIBRARY_PATH: alien() })],
  ])('%s: doctor, train and setup name the variable, and nothing is built', (_, variables) => {
    const env = { ...process.env, ...variables() };
    const refused = {
      code: 'ERR_LIBTORCH_MISMATCH',
      found: expect.stringMatching(/^\S*\/alien\/lib\S+\.so takes the place of .*: LD_PRELOAD leads to it$/),
      next: expect.stringMatching(/^unset LD_PRELOAD, or take \S+ out of it, then run the same command again$/),
    };
    expect(report(env)).toMatchObject({ usable: false, problem: refused });
    for (const args of [['train', ...QUICK, '--out', folder()], ['setup']]) {
      const { code, stdout } = inShell('', [...args, '--json'], env);
      expect({ code, ...JSON.parse(stdout.trim().split('\n').at(-1)!) }).toMatchObject({
        ...refused,
        code: refused.code,
      });
    }
    expect(existsSync(path.join(REPOSITORY, 'build', 'Release', 'chestmnist.node'))).toBe(true);
  });
});

describe('the poorest environment', () => {
  // The package and LibTorch where everybody may read them.
  const nobody = test_('root on Linux, setpriv', isLinux && isRoot && has('setpriv'));
  const PROGRESS = [
    'cli-progress',
    'string-width',
    'strip-ansi',
    'ansi-regex',
    'is-fullwidth-code-point',
    'emoji-regex',
  ];
  const everyone = (): string => {
    const place = path.join(folder(), 'package');
    if (existsSync(place)) return place;
    for (const name of ['dist', 'build/Release', 'package.json', 'CMakeLists.txt', 'native'])
      cpSync(path.join(REPOSITORY, name), path.join(place, name), { recursive: true });
    for (const name of ['commander', 'zod', 'yauzl', 'pend', 'node-gyp-build', 'undici', ...PROGRESS])
      cpSync(path.join(REPOSITORY, 'node_modules', name), path.join(place, 'node_modules', name), { recursive: true });
    cpSync(realpathSync(path.join(REPOSITORY, 'libtorch')), path.join(place, 'libtorch'), { recursive: true });
    execFileSync('chmod', ['-R', 'a+rX', folder()]);
    return place;
  };
  const asNobody = (limits: string, env: string, args: readonly string[]) => {
    const main = path.join(everyone(), 'dist', 'cli', 'main.js');
    const user = 'setpriv --reuid 54321 --regid 54321 --clear-groups';
    const words = args.map((word) => `'${word}'`).join(' ');
    const line = `${limits} ${user} env -i ${env} '${process.execPath}' '${main}' ${words}`;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', line], { cwd: '/', encoding: 'utf8' });
    return { code: status, stdout, stderr };
  };

  nobody('an unknown user without HOME, PATH and any other variable: doctor works, and messages too', () => {
    const { code, stdout } = asNobody('', '', ['doctor', '--json']);
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, usable: true, caches: [] });
    const fetched = asNobody('', '', ['data', 'fetch', 'chestmnist']);
    expect(fetched.code).toBe(2);
    expect(fetched.stderr).toMatch(/error ERR_CONFIG\n.*no home folder.*\n.*\n.*XDG_CACHE_HOME=FOLDER/);
    expect(asNobody('', '', ['train']).stderr).toMatch(/^error ERR_/);
  });

  nobody('no more threads for this user: ERR_RESOURCES, before OpenMP would end the process', () => {
    const out = path.join(folder(), 'open');
    mkdirSync(out, { mode: 0o777 });
    execFileSync('chmod', ['777', out]);
    const args = ['train', ...BOUND, '--threads', '64', '--out', out, '--no-report', '--json'];
    const { code, stdout } = asNobody('ulimit -u 40;', '', args);
    expect({ exit: code, ...JSON.parse(stdout.trim().split('\n').at(-1)!) }).toMatchObject({
      exit: 4,
      code: 'ERR_RESOURCES',
      next: expect.stringContaining('threads'),
    });
  });

  test.each(['', '/dev/null', '/nonexistent', 'relative'])('HOME=%s: doctor works', (HOME) => {
    expect(inShell('', ['doctor', '--json'], { ...process.env, HOME, TMPDIR: '/nonexistent' }).code).toBe(0);
  });

  test('stdin, stdout and stderr are closed: exit codes are the same', () => {
    const closed = (args: readonly string[]) =>
      spawnSync('bash', ['-c', `'${process.execPath}' '${MAIN}' ${args.join(' ')} 0<&- 1>&- 2>&-`]).status;
    expect(closed(['doctor'])).toBe(0);
    expect(closed(['train', '--lr', 'x'])).toBe(2);
  });

  onLinux('few open files: doctor names the limit', () => {
    const { code, stdout } = inShell('ulimit -n 20', ['doctor', '--json']);
    expect({ exit: code, ...JSON.parse(stdout).problem }).toMatchObject({
      exit: 4,
      code: 'ERR_RESOURCES',
      next: expect.stringContaining('ulimit -n'),
    });
  });
});

describe('little memory', () => {
  onLinux('4 GB of addresses are enough for doctor and train: no verb loads what it does not use', () => {
    expect(inShell('ulimit -v 4000000', ['doctor', '--json']).code).toBe(0);
    const args = ['train', ...QUICK, '--epochs', '1', '--out', folder(), '--name', 'small'];
    expect(inShell('ulimit -v 4000000', args)).toMatchObject({ code: 0 });
  });

  onLinux('a download takes more, and says so', () => {
    const { stdout } = inShell('ulimit -v 4000000', ['data', 'fetch', 'chestmnist', '--out', 'fetched', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ code: 'ERR_RESOURCES', next: expect.stringContaining('ulimit -v') });
  });

  /** The most addresses that a Node process takes which runs this, in kB. */
  const addresses = (program: string): number => {
    const line = `${program}; require('fs').readFileSync('/proc/self/status', 'utf8').match(/^VmPeak:\\s+(\\d+)/m)[1]`;
    return Number(execFileSync(process.execPath, ['-p', line], { encoding: 'utf8' }));
  };

  const at = (...names: string[]): string => JSON.stringify(path.join(path.dirname(MAIN), '..', ...names));
  const LOADED = `require(${at('engine', 'addon.js')}).native()`;

  onLinux('too few for the libraries of LibTorch: train and doctor say so', () => {
    const limit = `ulimit -v ${addresses(LOADED) - 150_000}`;
    const problem = { code: 'ERR_RESOURCES', found: expect.stringContaining('no more memory') };
    const { stdout } = inShell(limit, ['train', ...QUICK, '--out', folder(), '--json']);
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject(problem);
    expect(JSON.parse(inShell(limit, ['doctor', '--json']).stdout)).toMatchObject({ usable: false, problem });
  });

  onLinux('too few for a tensor: an error of the trainer, with a next step', () => {
    // The limit is set once everything is loaded, from what this very process then holds: its last layer alone takes
    // 130 MB, and 90 MB are left.
    const program = `${LOADED};
      const { makeTrainer } = require(${at('engine', 'trainer.js')});
      const status = require('fs').readFileSync('/proc/self/status', 'utf8');
      const limit = Number(status.match(/^VmSize:\\s+(\\d+)/m)[1]) * 1024 + 90e6;
      require('child_process').execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + limit]);
      try { makeTrainer({ labelCount: 65536, imageSize: 28, threads: 1 }); }
      catch ({ code, found }) { console.log(JSON.stringify({ code, found })); }`;
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
    expect({ stdout: stdout && JSON.parse(stdout), stderr }).toEqual({
      stdout: { code: 'ERR_RESOURCES', found: expect.stringMatching(/no more memory \(.*alloc/) },
      stderr: '',
    });
  });
});

describe('a current folder that was removed', () => {
  const gone = (...args: string[]) => {
    const place = path.join(folder(), 'gone');
    mkdirSync(place);
    return inShell(`cd '${place}' && rmdir '${place}'`, args);
  };

  onLinux.each([
    [['train', ...QUICK]],
    [['train', ...QUICK, '--out', '/tmp']],
    [['evaluate', 'given']],
    [['predict', 'given', 'x.png']],
    [['metrics', 'x.npz']],
    [['report', 'given']],
    [['export', 'given', '--format', 'pth', '-o', 'x.pth']],
    [['data', 'verify', 'x.npz']],
    [['data', 'synthesize', '-o', 'x.npz']],
    [['setup']],
    [['bench', '--device', 'cpu']],
  ])('%j: the cause and where to go', (args) => {
    const { code, stderr } = gone(...args);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(
        /error ERR_CONFIG\n {2}found {3}the current folder does not exist.*\n.*\n {2}next {4}change to another folder/,
      ),
    });
  });

  onLinux('doctor reports everything else', () => {
    const { code, stdout } = gone('doctor', '--json');
    expect({ exit: code, ...JSON.parse(stdout) }).toMatchObject({
      exit: 4,
      libtorch: { version: expect.any(String) },
      problem: { code: 'ERR_CONFIG' },
    });
  });
});

const disk = smallDisk('64m');
test_('root on Linux, to mount a disk', disk !== undefined)(
  'a run on a read-only disk: report says how to go on, and evaluate needs to write nothing',
  async () => {
    const run = path.join(disk!.path, 'run');
    const isSmall = (name: string): boolean => !/checkpoint|last\.safetensors/.test(name);
    cpSync(path.join(folder(), 'given'), run, { recursive: true, filter: isSmall });
    disk!.remount('ro');
    const drawn = await chestmnist(['report', run, '--json']);
    expect({ exit: drawn.code, ...JSON.parse(drawn.stdout) }).toMatchObject({
      exit: 6,
      code: 'ERR_DISK',
      next: `mount it as writable, then npx chestmnist report ${run}, or copy the run directory to a disk that can be written and draw it there`,
    });
    expect((await chestmnist(['evaluate', run, '--limit', '8', '--device', 'cpu'])).code).toBe(0);
  },
);
