/** `setup`, `doctor` and the loading of the addon, as a user meets them. They need a package that is set up. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { REPOSITORY } from '../support/reference';
import { fakeLibTorch, fakePython } from '../support/setup-fakes';

const MAIN = path.join(REPOSITORY, 'dist', 'cli', 'main.js');
const folder = mkdtempSync(path.join(tmpdir(), 'chestmnist-cli-setup-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** No LibTorch but the one a test names, no Python with torch, no network. */
const isolated = (): NodeJS.ProcessEnv => ({
  ...process.env,
  CHESTMNIST_LIBTORCH: '',
  CHESTMNIST_PYTHON: fakePython(folder),
  XDG_CACHE_HOME: path.join(folder, `cache-${Math.random().toString(36).slice(2)}`),
  HTTPS_PROXY: 'http://127.0.0.1:9',
  https_proxy: 'http://127.0.0.1:9',
});

/** What the tests read of the JSON of both verbs. */
interface Output {
  libtorch: { directory: string; version: string; loaded: string };
  problem: { code: string; found: string };
  cuda: object;
}

function chestmnist(args: string[], env: NodeJS.ProcessEnv = process.env, main = MAIN) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { env, encoding: 'utf8' });
  return { status, stdout, stderr, json: () => JSON.parse(stdout) as Output };
}

/** The package as npm would install it, with the addon but without a link to LibTorch. */
function installedCopy({ addon = true } = {}): string {
  const root = mkdtempSync(path.join(folder, 'package-'));
  for (const name of [
    'dist',
    'native',
    'package.json',
    'CMakeLists.txt',
    'scripts/install.js',
    ...(addon ? ['build/Release'] : []),
  ]) {
    cpSync(path.join(REPOSITORY, name), path.join(root, name), { recursive: true });
  }
  symlinkSync(path.join(REPOSITORY, 'node_modules'), path.join(root, 'node_modules'), 'junction');
  return root;
}
/** A stand-in for NVIDIA's driver library: what it says of the machine. Returns its folder. */
function driverOf({ version, devices }: { version: number; devices: number }): string {
  const place = path.join(folder, `driver-${version}-${devices}`);
  mkdirSync(place);
  writeFileSync(
    path.join(place, 'driver.cc'),
    `#include <cstddef>
     #include <cstring>
     extern "C" {
     int cuDriverGetVersion(int* version) { *version = ${version}; return 0; }
     int cuInit(unsigned) { return 0; }
     int cuDeviceGetCount(int* count) { *count = ${devices}; return 0; }
     int cuDeviceGet(int* device, int index) { *device = index; return 0; }
     int cuDeviceGetName(char* name, int, int) { std::strcpy(name, "Some GPU"); return 0; }
     int cuDeviceTotalMem_v2(std::size_t* bytes, int) { *bytes = 8000000000; return 0; }
     }`,
  );
  const args = ['-shared', '-fPIC', '-o', path.join(place, 'libcuda.so.1'), path.join(place, 'driver.cc')];
  execFileSync(process.env.CXX ?? 'c++', args);
  return place;
}
const mainOf = (root: string): string => path.join(root, 'dist', 'cli', 'main.js');
const libtorch = (): { directory: string; version: string } => chestmnist(['doctor', '--json']).json().libtorch;

describe('doctor', () => {
  test('a package that is set up: what was found, usable, exit 0', () => {
    const { status, json } = chestmnist(['doctor', '--json']);
    expect(json()).toMatchObject({
      chestmnist: { version: expect.stringMatching(/^\d+\.\d+\.\d+$/), path: REPOSITORY },
      node: { version: process.version },
      memory: { bytes: totalmem() },
      addon: { file: path.join(REPOSITORY, 'build', 'Release', 'chestmnist.node'), current: true },
      libtorch: {
        version: expect.stringMatching(/^2\.\d+/),
        directory: expect.any(String),
        source: expect.any(String),
      },
      cpu: { capability: expect.any(String) },
      cuda: { available: expect.any(Boolean), devices: expect.any(Array) },
      usable: true,
    });
    expect(json().libtorch.version).toContain(json().libtorch.loaded);
    expect(status).toBe(0);
    const text = chestmnist(['doctor']);
    expect(text.stdout).toMatch(/^verdict +training can run$/m);
    expect(text.stdout).toMatch(/^next +npx chestmnist train/m);
  });

  test('a GPU that a CPU build leaves unused is told by doctor, set-up and training, with the command', () => {
    const env = { ...process.env, LD_LIBRARY_PATH: driverOf({ version: 13020, devices: 1 }) };
    const { json } = chestmnist(['doctor', '--json'], env);
    expect(json().cuda).toEqual({
      available: false,
      reason: 'cpu-build',
      driver: '13.2',
      devices: [{ index: 0, name: 'Some GPU', totalMemory: 8e9 }],
    });
    expect(chestmnist(['doctor'], env).stdout).toMatch(
      /^cuda +not usable: .*setup --cuda.*\n +cuda:0 Some GPU, 8000 MB$/m,
    );
    expect(chestmnist(['setup'], env).stderr).toMatch(
      /this CPU build does not use Some GPU; to use it: npx chestmnist setup --cuda, which downloads \d/,
    );
    const small = [
      ...[
        '--data',
        'synthetic',
        '--limit-train',
        '64',
        '--limit-val',
        '16',
        '--limit-test',
        '16',
        '--batch-size',
        '32',
      ],
      ...['--no-report', '--resamples', '0'],
    ];
    const trained = chestmnist(['train', ...small, '--epochs', '1', '--out', path.join(folder, 'unused')], env);
    expect(trained.stderr).toMatch(
      /^device: cpu, since .*, which leaves Some GPU unused \(to use it: npx chestmnist setup --cuda\)$/m,
    );
    const older = { ...env, LD_LIBRARY_PATH: driverOf({ version: 12040, devices: 1 }) };
    expect(chestmnist(['setup'], older).stderr).toMatch(
      /does not use Some GPU; to use it: a driver for CUDA 13\.0 \(this one is for 12\.4\) and npx/,
    );
    // Without a device, or without a driver, there is nothing to tell.
    const none = { ...env, LD_LIBRARY_PATH: driverOf({ version: 13020, devices: 0 }) };
    expect(chestmnist(['setup'], none).stderr).not.toContain('unused');
  });

  test('variables that matter are shown, and no password of a proxy', () => {
    const env = {
      ...process.env,
      HTTPS_PROXY: 'http://user:secret@127.0.0.1:9',
      OMP_NUM_THREADS: '1',
      CHESTMNIST_LIBTORCH_MIRROR: 'https://user:secret@mirror.example/torch',
    };
    const { stdout } = chestmnist(['doctor'], env);
    expect(stdout).toMatch(/^variable +HTTPS_PROXY=set$/m);
    expect(stdout).toMatch(/^variable +OMP_NUM_THREADS=1$/m);
    expect(stdout).toMatch(/^variable +CHESTMNIST_LIBTORCH_MIRROR=https:\/\/mirror\.example\/torch$/m);
    expect(stdout).not.toContain('secret');
    expect(stdout).not.toMatch(/^variable +PATH/m);
  });

  test('no LibTorch: exit 4, every source with its reason, the next command', () => {
    const { status, stdout } = chestmnist(['doctor'], isolated(), mainOf(installedCopy()));
    expect(status).toBe(4);
    expect(stdout).toMatch(/ERR_LIBTORCH_NOT_FOUND/);
    expect(stdout).toMatch(/CHESTMNIST_LIBTORCH: not set/);
    expect(stdout).toMatch(/^next +npx chestmnist setup$/m);
  });

  test('no addon: exit 4 and ERR_NATIVE_MISSING', () => {
    const { status, json } = chestmnist(['doctor', '--json'], isolated(), mainOf(installedCopy({ addon: false })));
    expect(status).toBe(4);
    expect(json()).toMatchObject({
      usable: false,
      problem: { code: 'ERR_NATIVE_MISSING' },
      next: 'npx chestmnist setup',
    });
  });

  test('a LibTorch of another version: ERR_LIBTORCH_MISMATCH with both versions', () => {
    const CHESTMNIST_LIBTORCH = fakeLibTorch(path.join(folder, 'other'), '2.99.0');
    const { status, json } = chestmnist(['doctor', '--json'], { ...isolated(), CHESTMNIST_LIBTORCH });
    expect(status).toBe(4);
    expect(json().problem).toMatchObject({
      code: 'ERR_LIBTORCH_MISMATCH',
      found: expect.stringMatching(/2\.99\.0.*built for 2\.\d+\.\d+/),
    });
  });

  test("a library of LibTorch is missing: the linker's message, not a crash", () => {
    const CHESTMNIST_LIBTORCH = fakeLibTorch(path.join(folder, 'hollow'), libtorch().version);
    const { status, json } = chestmnist(['doctor', '--json'], { ...isolated(), CHESTMNIST_LIBTORCH });
    expect(status).toBe(4);
    expect(json().problem).toMatchObject({
      code: 'ERR_LIBTORCH_NOT_FOUND',
      found: expect.stringContaining('libtorch_cpu.so'),
    });
  });

  test('an addon whose loading kills its process is a finding', () => {
    const root = installedCopy();
    const source = path.join(root, 'addon.cc');
    writeFileSync(source, '#include <csignal>\n__attribute__((constructor)) static void die() { raise(SIGSEGV); }');
    const addon = path.join(root, 'build', 'Release', 'chestmnist.node');
    rmSync(addon);
    execFileSync(process.env.CXX ?? 'c++', ['-shared', '-fPIC', '-o', addon, source]);
    symlinkSync(libtorch().directory, path.join(root, 'libtorch'), 'junction');
    const { status, json } = chestmnist(['doctor', '--json'], isolated(), mainOf(root));
    expect(status).toBe(4);
    expect(json().problem.found).toMatch(/SIGSEGV/);
  });
});

describe('setup', () => {
  test('run again, it keeps what is there', () => {
    const before = readFileSync(path.join(REPOSITORY, 'build', 'Release', 'chestmnist.node'));
    const { status, json, stderr } = chestmnist(['setup', '--json']);
    expect(status).toBe(0);
    expect(json()).toMatchObject({ built: false, addon: path.join(REPOSITORY, 'build', 'Release', 'chestmnist.node') });
    expect(stderr).not.toMatch(/building/);
    expect(readFileSync(path.join(REPOSITORY, 'build', 'Release', 'chestmnist.node')).equals(before)).toBe(true);
  });

  test('offline with a LibTorch named by the environment: it is linked, and found later without the variable', () => {
    const root = installedCopy();
    const env = isolated();
    const first = chestmnist(['setup', '--json'], { ...env, CHESTMNIST_LIBTORCH: libtorch().directory }, mainOf(root));
    expect(first.status).toBe(0);
    expect(first.json()).toMatchObject({ built: false, libtorch: { source: 'CHESTMNIST_LIBTORCH' } });
    expect(chestmnist(['doctor'], env, mainOf(root)).status).toBe(0);
  });

  test('nothing reachable: exit 4, each source named, nothing half made', () => {
    const root = installedCopy({ addon: false });
    const env = isolated();
    const { status, stderr } = chestmnist(['setup'], env, mainOf(root));
    expect(status).toBe(4);
    for (const source of ['CHESTMNIST_LIBTORCH: not set', 'set up before:', 'torch of', 'official archive:', 'pip:']) {
      expect(stderr).toContain(source);
    }
    expect(existsSync(path.join(root, 'libtorch'))).toBe(false);
    expect(existsSync(path.join(root, 'build', 'setup.lock'))).toBe(false);
  });

  test('no compiler: says what to install', () => {
    const PATH = path.join(folder, 'empty-path');
    mkdirSync(PATH, { recursive: true });
    const env = { ...isolated(), CHESTMNIST_LIBTORCH: libtorch().directory, PATH };
    const { status, stderr } = chestmnist(['setup'], env, mainOf(installedCopy({ addon: false })));
    expect(status).toBe(4);
    expect(stderr).toMatch(/error ERR_BUILD\n.*lacks CMake .* and a C\+\+20 compiler/);
    expect(stderr).toMatch(/apt-get install cmake|brew install cmake|winget install/);
  });

  test('a build that fails shows the end of its log, and leaves no addon', () => {
    const root = installedCopy();
    writeFileSync(path.join(root, 'CMakeLists.txt'), 'message(FATAL_ERROR "the reason it failed")\n');
    const env = { ...isolated(), CHESTMNIST_LIBTORCH: libtorch().directory };
    const { status, stderr } = chestmnist(['setup'], env, mainOf(root));
    expect(status).toBe(4);
    expect(stderr).toMatch(
      /error ERR_BUILD\n +found +cmake-js configure failed .*; the end of .*build\.log:\n[^]*the reason it failed/,
    );
    expect(existsSync(path.join(root, 'build', 'Release', 'chestmnist.node'))).toBe(false);
  });

  test('a build that finds the disk full says so', () => {
    const root = installedCopy();
    writeFileSync(path.join(root, 'CMakeLists.txt'), 'message(FATAL_ERROR "x.o: No space left on device")\n');
    const env = { ...isolated(), CHESTMNIST_LIBTORCH: libtorch().directory };
    const { status, stderr } = chestmnist(['setup'], env, mainOf(root));
    expect(status).toBe(6);
    expect(stderr).toMatch(/error ERR_DISK\n +found +.*build cannot be written: the disk is full/);
  });

  test('Ctrl-C ends it with 130 and gives the lock back', async () => {
    const root = installedCopy({ addon: false });
    const started = path.join(folder, 'pip-started');
    const env = { ...isolated(), CHESTMNIST_PYTHON: fakePython(folder, { pip: `touch '${started}'; exec sleep 60` }) };
    const child = spawn(process.execPath, [mainOf(root), 'setup'], { env, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('close', resolve));
    while (!existsSync(started)) await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(existsSync(path.join(root, 'build', 'setup.lock'))).toBe(false);
  });

  test('the install script of the package never fails the installation', () => {
    const root = installedCopy({ addon: false });
    const install = path.join(root, 'scripts', 'install.js');
    const { status, stderr } = spawnSync(process.execPath, [install], { env: isolated(), encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stderr).toMatch(/Later: npx chestmnist setup/);
    // In the repository it has nothing to do.
    const here = spawnSync(process.execPath, [path.join(REPOSITORY, 'scripts', 'install.js')], { encoding: 'utf8' });
    expect(here).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });
});

describe('loading', () => {
  const version = 'process.stdout.write(require(process.argv[1]).native().torchVersion())';
  const load = (root: string, env: NodeJS.ProcessEnv, program = version) =>
    spawnSync(process.execPath, ['-e', program, path.join(root, 'dist', 'engine', 'addon.js')], {
      env,
      encoding: 'utf8',
    });

  test('without a link, a LibTorch named by the environment is the one that is loaded', () => {
    const { directory, version } = libtorch();
    const { stdout, stderr } = load(installedCopy(), { ...isolated(), CHESTMNIST_LIBTORCH: directory });
    expect(stderr).toBe('');
    expect(version).toContain(stdout);
    expect(stdout).not.toBe('');
  });

  test('the addon works in several worker threads at once', () => {
    const program = `
      const { Worker } = require('worker_threads');
      const code = "require('worker_threads').parentPort.postMessage(require(" + JSON.stringify(process.argv[1]) + ").native().torchVersion())";
      Promise.all([1, 2].map(() => new Promise((resolve, reject) => new Worker(code, { eval: true }).once('message', resolve).once('error', reject))))
        .then((versions) => process.stdout.write(JSON.stringify(versions)));`;
    const { status, stdout } = load(REPOSITORY, process.env, program);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual([expect.stringMatching(/^2\./), expect.stringMatching(/^2\./)]);
  });

  test.each([[['--help']], [['setup', '--help']], [['doctor', '--help']], [['train', '--help']], [['data', 'info']]])(
    '%j loads neither the addon nor LibTorch',
    (args) => {
      const hook = path.join(folder, 'hook.js');
      const out = path.join(folder, 'loaded.json');
      writeFileSync(
        hook,
        `process.on('exit', () => require('fs').writeFileSync(${JSON.stringify(out)}, JSON.stringify(process.report.getReport().sharedObjects)))`,
      );
      const { status } = chestmnist(args, { ...process.env, NODE_OPTIONS: `--require ${hook}` });
      expect(status).toBe(0);
      const loaded = JSON.parse(readFileSync(out, 'utf8')) as string[];
      expect(loaded.length).toBeGreaterThan(0);
      expect(loaded.filter((name) => /torch|chestmnist\.node/.test(path.basename(name)))).toEqual([]);
    },
  );
});
