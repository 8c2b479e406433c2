import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { inspectLibTorch } from '../../../src/setup/inspect';
import { locateInPython, locateSetUp, type Failure } from '../../../src/setup/locate';
import { atLeast } from '../../../src/setup/versions';
import { fakeLibTorch, fakePython, temporaryFolder, writeFiles } from '../../support/setup-fakes';

const folder = temporaryFolder();
const cache = path.join(folder, 'xdg');
const root = path.join(folder, 'package');
const savedCache = process.env.XDG_CACHE_HOME;

beforeEach(() => {
  process.env.XDG_CACHE_HOME = cache;
  rmSync(cache, { recursive: true, force: true });
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
});
afterAll(() => {
  if (savedCache === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = savedCache;
});

const inCache = (name: string, version: string, complete = true): string => {
  const home = path.join(cache, 'chestmnist', 'libtorch', name);
  if (complete) writeFiles(home, { 'libtorch.json': '{}' });
  return fakeLibTorch(home, version);
};
const look = (env: NodeJS.ProcessEnv = {}): [ReturnType<typeof locateSetUp>, Failure[]] => {
  const failures: Failure[] = [];
  return [locateSetUp({ root, env }, failures), failures];
};

describe('where LibTorch is looked for', () => {
  test('the environment variable comes before the link, the link before the cache', () => {
    inCache('2.13.0-cpu', '2.13.0+cpu');
    expect(look()[0]).toMatchObject({ version: '2.13.0+cpu', source: 'user cache' });

    symlinkSync(fakeLibTorch(path.join(folder, 'linked'), '2.12.0'), path.join(root, 'libtorch'));
    expect(look()[0]).toMatchObject({ version: '2.12.0', source: 'set up for this package' });

    const named = fakeLibTorch(path.join(folder, 'named'), '2.11.1');
    expect(look({ CHESTMNIST_LIBTORCH: named })[0]).toMatchObject({ version: '2.11.1', source: 'CHESTMNIST_LIBTORCH' });
  });

  test('the newest of the cache is taken, and nothing that was not completed', () => {
    inCache('2.9.0-cpu', '2.11.0');
    inCache('2.14.1-cu130', '2.14.1', false);
    inCache('2.13.0-cpu', '2.13.0');
    expect(look()[0]?.version).toBe('2.13.0');
  });

  test('a named directory that is no LibTorch is an error and not passed over', () => {
    inCache('2.13.0-cpu', '2.13.0+cpu');
    const named = path.join(folder, 'empty');
    mkdirSync(named, { recursive: true });
    for (const [directory, reason] of [
      [named, /has no lib/],
      [path.join(folder, 'absent'), /does not exist/],
      [fakeLibTorch(path.join(folder, 'old'), '2.4.0'), /older than 2\.11\.0/],
    ] as const) {
      expect(() => look({ CHESTMNIST_LIBTORCH: directory })).toThrow(
        expect.objectContaining({
          code: 'ERR_LIBTORCH_NOT_FOUND',
          found: expect.stringMatching(reason) as string,
        }) as Error,
      );
    }
  });

  test('each source that fails is named with its reason', () => {
    symlinkSync(fakeLibTorch(path.join(folder, 'stale'), '2.10.0'), path.join(root, 'libtorch'));
    const [found, failures] = look();
    expect(found).toBeUndefined();
    expect(failures).toEqual([
      { source: 'CHESTMNIST_LIBTORCH', reason: 'not set' },
      { source: 'set up for this package', reason: expect.stringMatching(/2\.10\.0, older than/) as string },
    ]);
  });

  test('a link that leads nowhere does not hide the cache', () => {
    symlinkSync(path.join(folder, 'gone'), path.join(root, 'libtorch'));
    inCache('2.13.0-cpu', '2.13.0+cpu');
    expect(look()[0]?.source).toBe('user cache');
  });
});

describe('the torch of a Python', () => {
  const locate = (env: NodeJS.ProcessEnv): [ReturnType<typeof locateInPython>, Failure[]] => {
    const failures: Failure[] = [];
    return [locateInPython({ root, env }, failures), failures];
  };

  test('is found where Python says it is', () => {
    const torch = fakeLibTorch(path.join(folder, 'site'), '2.14.1+cu130', '13.0');
    const python = fakePython(folder, { torch });
    expect(locate({ CHESTMNIST_PYTHON: python })[0]).toEqual({
      directory: torch,
      version: '2.14.1+cu130',
      cuda: '13.0',
      source: `torch of ${python}`,
    });
  });

  test('no torch, an old torch, a broken Python and no Python are told apart', () => {
    const old = fakePython(folder, { torch: fakeLibTorch(path.join(folder, 'site-old'), '2.1.0') });
    const broken = fakePython(path.dirname(old));
    writeFiles(folder, { [path.basename(broken)]: '#!/bin/sh\nexit 3\n' });
    const reason = (python: string): string | undefined => locate({ CHESTMNIST_PYTHON: python })[1][0]?.reason;
    expect(reason(fakePython(folder))).toMatch(/not installed/);
    expect(reason(old)).toMatch(/2\.1\.0, older than 2\.11\.0/);
    expect(reason(broken)).toMatch(/does not run/);
    expect(reason(path.join(folder, 'no-python'))).toMatch(/no such Python/);
  });
});

describe('what a directory is', () => {
  test('versions compare by number', () => {
    expect(atLeast('2.11.0+cpu', '2.11.0')).toBe(true);
    expect(atLeast('2.9.1', '2.11.0')).toBe(false);
    expect(atLeast('3.0', '2.11.0')).toBe(true);
    expect(atLeast('2.11', '2.11.0')).toBe(true);
    expect(atLeast('2.14.0a0+git1234', '2.14.0')).toBe(true);
  });

  test("the archive's and a source build's versions are read", () => {
    const archive = path.join(folder, 'archive');
    writeFiles(archive, { 'lib/libtorch_cpu.so': '', 'include/torch/x.h': '', 'build-version': '2.13.0+cpu\n' });
    expect(inspectLibTorch(archive, 'x')).toMatchObject({ version: '2.13.0+cpu' });
    const built = path.join(folder, 'built');
    const header = '#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 12\n#define TORCH_VERSION_PATCH 3\n';
    writeFiles(built, { 'lib/libtorch_cpu.so': '', 'include/torch/headeronly/version.h': header });
    expect(inspectLibTorch(built, 'x')).toMatchObject({ version: '2.12.3' });
  });

  test('a CUDA version without the CUDA library is a CPU build', () => {
    const directory = fakeLibTorch(path.join(folder, 'half-cuda'), '2.14.1+cu130', '13.0');
    expect(inspectLibTorch(directory, 'x')).toMatchObject({ cuda: '13.0' });
    rmSync(path.join(directory, 'lib', 'libtorch_cuda.so'));
    expect(inspectLibTorch(directory, 'x')).not.toHaveProperty('cuda');
  });

  test('files without a version are refused', () => {
    const directory = path.join(folder, 'unversioned');
    writeFiles(directory, { 'lib/libtorch_cpu.so': '', 'include/torch/x.h': '' });
    expect(inspectLibTorch(directory, 'x')).toMatch(/does not state its version/);
  });
});
