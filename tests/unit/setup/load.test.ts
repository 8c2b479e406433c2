import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findAddon, sourceHash } from '../../../src/setup/addon';
import { link } from '../../../src/setup';
import { explain, resolveAddon } from '../../../src/setup/load';
import { checkPlatform } from '../../../src/setup/platform';
import { fakeLibTorch, temporaryFolder, writeFiles } from '../../support/setup-fakes';

const folder = temporaryFolder();
const root = path.join(folder, 'package');
const env = {};
const savedCache = process.env.XDG_CACHE_HOME;

beforeEach(() => {
  process.env.XDG_CACHE_HOME = path.join(folder, 'xdg');
  for (const name of ['package', 'xdg']) rmSync(path.join(folder, name), { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  writeFiles(root, { 'package.json': '{"name":"chestmnist"}', 'CMakeLists.txt': 'x', 'native/addon.cc': 'y' });
});
afterAll(() => {
  if (savedCache === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = savedCache;
});

const addAddon = (place: string, libtorch: string): void =>
  writeFiles(path.join(root, place), {
    'chestmnist.node': 'not loaded by these tests',
    'chestmnist.json': JSON.stringify({ libtorch, sources: 'abc' }),
  });
const linkTo = (version: string): string => {
  const directory = fakeLibTorch(path.join(folder, `torch-${version}`), version);
  symlinkSync(directory, path.join(root, 'libtorch'));
  return directory;
};

describe('before the addon is loaded', () => {
  test('no addon: ERR_NATIVE_MISSING and the one command', () => {
    expect(() => resolveAddon(root, env)).toThrow(
      expect.objectContaining({ code: 'ERR_NATIVE_MISSING', next: 'npx chestmnist setup' }) as Error,
    );
  });

  test('no LibTorch: ERR_LIBTORCH_NOT_FOUND and where it was looked for', () => {
    addAddon('build/Release', '2.13.0+cpu');
    expect(() => resolveAddon(root, env)).toThrow(
      expect.objectContaining({
        code: 'ERR_LIBTORCH_NOT_FOUND',
        found: expect.stringContaining('CHESTMNIST_LIBTORCH: not set') as string,
        next: 'npx chestmnist setup',
      }) as Error,
    );
  });

  test('another version: ERR_LIBTORCH_MISMATCH with both versions', () => {
    addAddon('build/Release', '2.13.0+cpu');
    linkTo('2.12.1+cpu');
    expect(() => resolveAddon(root, env)).toThrow(
      expect.objectContaining({
        code: 'ERR_LIBTORCH_MISMATCH',
        found: expect.stringMatching(/2\.12\.1\+cpu .*built for 2\.13\.0/) as string,
        needed: expect.stringContaining('2.13.0') as string,
        next: 'npx chestmnist setup',
      }) as Error,
    );
    expect(() => resolveAddon(root, { CHESTMNIST_LIBTORCH: path.join(root, 'libtorch') })).toThrow(
      expect.objectContaining({ code: 'ERR_LIBTORCH_MISMATCH' }) as Error,
    );
  });

  test('a CPU and a CUDA build of one version fit the same addon', () => {
    addAddon('build/Release', '2.13.0+cpu');
    const directory = linkTo('2.13.0+cu130');
    expect(resolveAddon(root, env).libtorch.directory).toBe(directory);
  });

  test('the addon for the release of the LibTorch is chosen; for neither, both releases are named', () => {
    const forCuda = `cuda/prebuilds/${process.platform}-${process.arch}`;
    addAddon('build/Release', '2.13.0+cpu');
    addAddon(forCuda, '2.14.1');
    const [of13, of14, of12] = ['2.13.0+cpu', '2.14.1+cu130', '2.12.1'].map((version) =>
      fakeLibTorch(path.join(folder, `torch-${version}`), version),
    );
    expect(resolveAddon(root, { CHESTMNIST_LIBTORCH: of13 }).addon.libtorch).toBe('2.13.0+cpu');
    expect(resolveAddon(root, { CHESTMNIST_LIBTORCH: of14 }).addon.file).toBe(
      path.join(root, forCuda, 'chestmnist.node'),
    );
    expect(() => resolveAddon(root, { CHESTMNIST_LIBTORCH: of12 })).toThrow(
      expect.objectContaining({
        code: 'ERR_LIBTORCH_MISMATCH',
        found: expect.stringMatching(/2\.12\.1 .*built for 2\.13\.0 or 2\.14\.1/) as string,
      }) as Error,
    );
  });

  test('a fitting LibTorch of the cache is used when the linked one is not fitting', () => {
    addAddon('build/Release', '2.13.0+cpu');
    linkTo('2.12.1+cpu');
    const home = path.join(folder, 'xdg', 'chestmnist', 'libtorch', '2.13.0-cpu');
    writeFiles(home, { 'libtorch.json': '{}' });
    const directory = fakeLibTorch(home, '2.13.0+cpu');
    expect(resolveAddon(root, env).libtorch.directory).toBe(directory);
  });

  test('a prebuilt addon is found, one built here comes first', () => {
    const tuple = `${process.platform}-${process.arch}`;
    addAddon(`prebuilds/${tuple}`, '2.13.0');
    expect(findAddon(root)).toMatchObject({
      file: path.join(root, 'prebuilds', tuple, 'chestmnist.node'),
      libtorch: '2.13.0',
    });
    addAddon('build/Release', '2.14.0');
    expect(findAddon(root)).toMatchObject({
      file: path.join(root, 'build', 'Release', 'chestmnist.node'),
      libtorch: '2.14.0',
    });
  });

  test('an addon without a readable record counts as none', () => {
    addAddon('build/Release', '2.13.0');
    for (const text of ['', '[]', 'null', '{"libtorch":1,"sources":"x"}', '{"libtorch":"2.13.0"']) {
      writeFileSync(path.join(root, 'build', 'Release', 'chestmnist.json'), text);
      expect(findAddon(root)).toBeUndefined();
    }
  });

  test('the hash of the sources follows every file and name', () => {
    const seen = [sourceHash(root)];
    const change = (files: Record<string, string>): void => {
      writeFiles(root, files);
      seen.push(sourceHash(root));
    };
    change({ 'native/addon.cc': 'z' });
    change({ 'native/cpu/kernels.cc': 'k' });
    change({ 'CMakeLists.txt': 'xx' });
    expect(sourceHash(root)).toBe(seen.at(-1));
    expect(new Set(seen).size).toBe(4);
  });
});

describe('the link to LibTorch', () => {
  test('is made, kept, and moved; a folder put there by hand stays', () => {
    const [a, b] = ['2.13.0', '2.14.0'].map((version) => fakeLibTorch(path.join(folder, `to-${version}`), version)) as [
      string,
      string,
    ];
    expect(link(root, a)).toBe(true);
    expect(link(root, a)).toBe(false);
    expect(link(root, b)).toBe(true);
    rmSync(path.join(root, 'libtorch'));
    mkdirSync(path.join(root, 'libtorch'));
    expect(link(root, a)).toBe(false);
  });
});

describe('the platform', () => {
  test('glibc, macOS on Apple silicon and Windows pass', () => {
    for (const machine of [
      ['linux', 'x64'],
      ['linux', 'arm64'],
      ['darwin', 'arm64'],
      ['win32', 'x64'],
    ] as const) {
      expect(() => checkPlatform({ platform: machine[0], arch: machine[1], libc: 'glibc' })).not.toThrow();
    }
    expect(() => checkPlatform()).not.toThrow();
  });

  test('musl and others are told what works', () => {
    const refusal = (platform: string, arch: string, libc: 'glibc' | 'musl'): unknown => {
      try {
        return checkPlatform({ platform, arch, libc });
      } catch (error) {
        return error;
      }
    };
    expect(refusal('linux', 'x64', 'musl')).toMatchObject({
      code: 'ERR_PLATFORM_UNSUPPORTED',
      found: 'linux-x64 with musl (Alpine Linux?)',
      next: expect.stringContaining('glibc') as string,
    });
    expect(refusal('darwin', 'x64', 'glibc')).toMatchObject({ code: 'ERR_PLATFORM_UNSUPPORTED', found: 'darwin-x64' });
    expect(refusal('linux', 'ia32', 'glibc')).toMatchObject({ code: 'ERR_PLATFORM_UNSUPPORTED' });
  });
});

describe("the dynamic linker's messages", () => {
  const addon = { file: '/p/build/Release/chestmnist.node', libtorch: '2.13.0', sources: 'abc' };
  const libtorch = { directory: '/l', version: '2.13.0+cpu', source: 'user cache' };
  test.each([
    ['libtorch.so: cannot open shared object file: No such file or directory', 'ERR_LIBTORCH_NOT_FOUND'],
    ['chestmnist.node: undefined symbol: _ZN2at4onesE', 'ERR_LIBTORCH_MISMATCH'],
    ["/lib/libc.so.6: version `GLIBC_2.38' not found", 'ERR_PLATFORM_UNSUPPORTED'],
    ["libstdc++.so.6: version `GLIBCXX_3.4.30' not found", 'ERR_PLATFORM_UNSUPPORTED'],
    ['chestmnist.node: file too short', 'ERR_NATIVE_MISSING'],
    ['/l/lib/libtorch_cpu.so: file too short', 'ERR_LIBTORCH_NOT_FOUND'],
    ['/l/lib/libtorch_cpu.so: failed to map segment from shared object', 'ERR_NATIVE_MISSING'],
  ])('%s', (message, code) => {
    const error = explain(new Error(message), addon, libtorch);
    expect(error.code).toBe(code);
    expect(error.found).toContain(message);
    expect(error.next).toContain('chestmnist setup');
  });

  test.each([
    '/l/lib/libtorch_cpu.so: failed to map segment from shared object: Cannot allocate memory',
    '/l/lib/libc10.so: cannot allocate version reference table: Cannot allocate memory',
  ])('%s: memory, which no set-up mends', (message) => {
    expect(explain(new Error(message), addon, libtorch)).toMatchObject({
      code: 'ERR_RESOURCES',
      next: expect.stringContaining('ulimit -v') as string,
    });
  });

  test('a library that a variable puts in front is named with the variable, and not the system', () => {
    const saved = process.env.LD_LIBRARY_PATH;
    process.env.LD_LIBRARY_PATH = '/elsewhere:/opt/conda/lib';
    try {
      const message =
        "/opt/conda/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by /l/lib/libc10.so)";
      expect(explain(new Error(message), addon, libtorch)).toMatchObject({
        code: 'ERR_LIBTORCH_MISMATCH',
        found: expect.stringMatching(/^\/opt\/conda\/lib\/libstdc\+\+\.so\.6 .*LD_LIBRARY_PATH leads to it$/) as string,
        next: expect.stringMatching(/^unset LD_LIBRARY_PATH, or take \/opt\/conda\/lib out of it/) as string,
      });
    } finally {
      if (saved === undefined) delete process.env.LD_LIBRARY_PATH;
      else process.env.LD_LIBRARY_PATH = saved;
    }
  });
});
