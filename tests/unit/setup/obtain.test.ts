import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { extract, libtorchEntries, nvidiaEntries } from '../../../src/setup/extract';
import { locateSetUp, type Failure } from '../../../src/setup/locate';
import { nvidiaRequirements, obtain } from '../../../src/setup/obtain';
import { fakePython, fakeWheel, temporaryFolder, torchFiles } from '../../support/setup-fakes';

const folder = temporaryFolder();
const cache = path.join(folder, 'xdg');
const libtorch = path.join(cache, 'chestmnist', 'libtorch');
const saved = { ...process.env };

beforeEach(() => {
  rmSync(cache, { recursive: true, force: true });
  process.env.XDG_CACHE_HOME = cache;
  // No way to the official archive: nothing listens there.
  for (const name of ['HTTPS_PROXY', 'https_proxy']) process.env[name] = 'http://127.0.0.1:9';
  for (const name of ['NO_PROXY', 'no_proxy']) delete process.env[name];
});
afterAll(() => {
  process.env = saved;
});

const get = async (python: string, { cuda = false, signal }: { cuda?: boolean; signal?: AbortSignal } = {}) => {
  const said: string[] = [];
  const env = { ...process.env, CHESTMNIST_PYTHON: python, CHESTMNIST_LIBTORCH: '' };
  const failures: Failure[] = [];
  const again = () => locateSetUp({ root: folder, env }, []);
  const found = await obtain({ cuda, env, log: (line) => said.push(line), signal, again }, failures);
  return { found, failures, said };
};
const copying = (wheel: string): string => `cp '${wheel}' "$DEST/"`;

describe('getting LibTorch', () => {
  test('no route to the archive: pip is tried, and a wheel ends in the cache', async () => {
    const wheel = await fakeWheel(path.join(folder, 'torch-2.13.0-cp311.whl'), torchFiles('2.13.0+cpu'));
    const log = path.join(folder, 'wanted');
    const { found, failures } = await get(fakePython(folder, { pip: `echo $WANTED > '${log}'; ${copying(wheel)}` }));
    expect(found).toMatchObject({ version: '2.13.0+cpu', directory: path.join(libtorch, '2.13.0-cpu', 'torch') });
    expect(failures).toEqual([expect.objectContaining({ source: 'official archive' })]);
    expect(readFileSync(log, 'utf8').trim()).toMatch(/^torch==2\.13\.0(\+cpu)?$/);
    expect(readFileSync(path.join(libtorch, '2.13.0-cpu', 'torch', 'lib', 'libtorch_cpu.so'), 'utf8')).toBe(
      'cpu library',
    );
    expect(readdirSync(path.join(libtorch, '2.13.0-cpu')).sort()).toEqual(['libtorch.json', 'torch']);
    // The next run finds it, and needs neither a network nor Python.
    expect((await get(path.join(folder, 'no-python'))).found?.version).toBe('2.13.0+cpu');
  });

  test('each file that pip downloads is told, with its size', async () => {
    const lines = ['Collecting torch', '  Downloading torch-2.13.0-cp311.whl.metadata (1 kB)'];
    lines.push('  Downloading https://files.example/torch-2.13.0-cp311.whl (190.1 MB)', 'Saved torch-2.13.0-cp311.whl');
    const pip = `${lines.map((line) => `echo '${line}'`).join('; ')}; exit 1`;
    const { said } = await get(fakePython(folder, { pip }));
    expect(said.filter((line) => line.includes('.whl'))).toEqual(['  torch-2.13.0-cp311.whl (190.1 MB)']);
  });

  test('what a killed set-up left is taken away by the next', async () => {
    mkdirSync(path.join(libtorch, 'downloads'), { recursive: true });
    writeFileSync(path.join(libtorch, 'downloads', 'libtorch.zip.123.part'), 'half');
    mkdirSync(path.join(libtorch, '.123.tmp'));
    await get(fakePython(folder));
    expect(readdirSync(libtorch)).toEqual([]);
  });

  test('nothing reachable: every source is named with what it said', async () => {
    const { found, failures } = await get(fakePython(folder, { pip: 'echo "ERROR: No route" >&2; exit 1' }));
    expect(found).toBeUndefined();
    expect(failures.map(({ source }) => source)).toEqual(['official archive', 'pip']);
    expect(failures[0]?.reason).toMatch(/download\.pytorch\.org/);
    expect(failures[1]?.reason).toMatch(/No route/);
  });

  test('pip on a full disk: ERR_DISK, and no other source is asked', async () => {
    const pip = 'echo "ERROR: Could not install: [Errno 28] No space left on device" >&2; exit 1';
    await expect(get(fakePython(folder, { pip }))).rejects.toMatchObject({
      code: 'ERR_DISK',
      found: expect.stringContaining('No space left on device'),
      next: expect.stringContaining('free some space'),
    });
    expect(readdirSync(libtorch)).toEqual([]);
  });

  test('a mirror takes the place of the archive; what arrives truncated is not used, and the next run repairs', async () => {
    const zip = await fakeWheel(
      path.join(folder, 'archive.zip'),
      Object.fromEntries(Object.entries(torchFiles('2.13.0+cpu')).map(([name, text]) => [`lib${name}`, text])),
    );
    let body = readFileSync(zip).subarray(0, -40);
    const asked: (string | undefined)[] = [];
    const server = http.createServer((request, response) => {
      asked.push(request.url);
      response.end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    process.env.CHESTMNIST_LIBTORCH_MIRROR = `http://127.0.0.1:${(server.address() as AddressInfo).port}/torch/`;
    try {
      const first = await get(fakePython(folder));
      expect(first.found).toBeUndefined();
      expect(first.failures[0]).toMatchObject({ source: 'official archive', reason: expect.stringMatching(/zip/i) });
      expect(readdirSync(libtorch)).toEqual([]);
      body = readFileSync(zip);
      expect((await get(fakePython(folder))).found).toMatchObject({
        source: 'official archive',
        version: '2.13.0+cpu',
      });
      expect(new Set(asked)).toEqual(
        new Set([expect.stringMatching(/^\/torch\/libtorch-[\w-]+-2\.13\.0(%2Bcpu)?\.zip$/)]),
      );
      expect(readdirSync(libtorch)).toEqual(['2.13.0-cpu']);
    } finally {
      delete process.env.CHESTMNIST_LIBTORCH_MIRROR;
      server.closeAllConnections();
      server.close();
    }
  });

  test('a truncated wheel leaves nothing behind, and the next run repairs', async () => {
    const wheel = await fakeWheel(path.join(folder, 'torch-2.13.0-cp312.whl'), torchFiles('2.13.0+cpu'));
    const whole = readFileSync(wheel);
    truncateSync(wheel, whole.length - 40);
    const python = fakePython(folder, { pip: copying(wheel) });
    expect((await get(python)).found).toBeUndefined();
    expect(readdirSync(libtorch).filter((name) => name !== 'downloads')).toEqual([]);
    writeFileSync(wheel, whole);
    expect((await get(python)).found?.version).toBe('2.13.0+cpu');
  });

  test('what a killed run left is neither used nor kept', async () => {
    mkdirSync(path.join(libtorch, '.4194304.tmp', 'torch'), { recursive: true });
    mkdirSync(path.join(libtorch, '2.13.0-cpu', 'torch'), { recursive: true }); // without its manifest
    writeFileSync(path.join(libtorch, 'setup.lock'), `4194304 ${(await import('node:os')).hostname()} 1`);
    const wheel = await fakeWheel(path.join(folder, 'torch-2.13.0-cp313.whl'), torchFiles('2.13.0+cpu'));
    const { found } = await get(fakePython(folder, { pip: copying(wheel) }));
    expect(found?.version).toBe('2.13.0+cpu');
    expect(readdirSync(libtorch).filter((name) => name !== 'downloads')).toEqual(['2.13.0-cpu']);
  });

  test('two at once get it once', async () => {
    const wheel = await fakeWheel(path.join(folder, 'torch-2.13.0-cp314.whl'), torchFiles('2.13.0+cpu'));
    const count = path.join(folder, 'count');
    const python = fakePython(folder, { pip: `echo x >> '${count}'; sleep 0.3; ${copying(wheel)}` });
    const both = await Promise.all([get(python), get(python)]);
    expect(both.map(({ found }) => found?.version)).toEqual(['2.13.0+cpu', '2.13.0+cpu']);
    expect(readFileSync(count, 'utf8')).toBe('x\n');
  });

  test('a CUDA wheel is not taken for a CPU LibTorch', async () => {
    const wheel = await fakeWheel(path.join(folder, 'torch-2.13.0-cp315.whl'), torchFiles('2.13.0+cu130', '13.0'));
    const { found, failures } = await get(fakePython(folder, { pip: copying(wheel) }));
    expect(found).toBeUndefined();
    expect(failures.at(-1)?.reason).toMatch(/CUDA build; setup --cuda/);
  });

  test('an interrupt ends it and leaves nothing half made', async () => {
    const stop = new AbortController();
    const asked = path.join(folder, 'asked');
    // Longer than this test may take.
    const python = fakePython(folder, {
      pip: `echo $$ > '${asked}.tmp'; mv '${asked}.tmp' '${asked}'; exec sleep 3600`,
    });
    const getting = expect(get(python, { signal: stop.signal })).rejects.toThrow(/abort/i);
    while (!existsSync(asked)) await sleep(20);
    stop.abort();
    await getting;
    const isAlive = (): boolean => {
      try {
        return process.kill(Number(readFileSync(asked, 'utf8')), 0);
      } catch {
        return false;
      }
    };
    while (isAlive()) await sleep(20);
    expect(existsSync(path.join(libtorch, 'setup.lock'))).toBe(false);
    expect(readdirSync(libtorch).filter((name) => name !== 'downloads')).toEqual([]);
  });

  test('--cuda gets the libraries that the wheel names, laid out as its run path expects', async () => {
    const torch = await fakeWheel(path.join(folder, 'torch-2.14.1-cp311.whl'), {
      ...torchFiles('2.14.1+cu130', '13.0'),
      'torch-2.14.1.dist-info/METADATA': METADATA,
    });
    const nvidia = await fakeWheel(path.join(folder, 'nvidia_cudnn_cu13-9.0-any.whl'), {
      'nvidia/cudnn/lib/libcudnn.so.9': 'cudnn',
      'nvidia/cudnn/include/cudnn.h': 'not needed',
    });
    const log = path.join(folder, 'wanted-cuda');
    const pip = `echo $WANTED >> '${log}'; case "$WANTED" in *torch==*) ${copying(torch)} ;; *) ${copying(nvidia)} ;; esac`;
    const { found } = await get(fakePython(folder, { pip }), { cuda: true });
    const home = path.join(libtorch, '2.14.1-cu130');
    expect(found).toMatchObject({ version: '2.14.1+cu130', cuda: '13.0', directory: path.join(home, 'torch') });
    expect(readFileSync(path.join(home, 'nvidia', 'cudnn', 'lib', 'libcudnn.so.9'), 'utf8')).toBe('cudnn');
    expect(existsSync(path.join(home, 'nvidia', 'cudnn', 'include'))).toBe(false);
    expect(readFileSync(log, 'utf8').split('\n')[1]).toMatch(
      /cuda-toolkit\[cudart\]==13\.0\.3 nvidia-cudnn-cu13==9\.0/,
    );
  });
});

const METADATA = `Name: torch
Requires-Dist: filelock
Requires-Dist: cuda-toolkit[cudart]==13.0.3; platform_system == "Linux"
Requires-Dist: nvidia-cudnn-cu13==9.0; platform_system == "Linux"
Requires-Dist: triton~=3.8.0; platform_system == "Linux"
`;

describe('extraction', () => {
  test('takes libraries, headers and the version, and nothing else', async () => {
    const wheel = await fakeWheel(path.join(folder, 'a.whl'), torchFiles('2.13.0+cpu'));
    const to = path.join(folder, 'a');
    const { files, bytes } = await extract(wheel, to, libtorchEntries);
    expect(
      readdirSync(to, { recursive: true })
        .map(String)
        .filter((name) => /\.\w+$/.test(name))
        .sort(),
    ).toEqual(['torch/include/torch/header.h', 'torch/lib/libtorch_cpu.so', 'torch/version.py']);
    expect(files).toBe(3);
    expect(bytes).toBeGreaterThan(20);
  });

  test('the official archive becomes the same layout', () => {
    expect(libtorchEntries('libtorch/lib/libc10.so')).toBe('torch/lib/libc10.so');
    expect(libtorchEntries('libtorch/build-version')).toBe('torch/build-version');
    expect(libtorchEntries('libtorch/share/cmake/x.cmake')).toBeUndefined();
    expect(nvidiaEntries('nvidia/cu13/lib/libcublas.so.13')).toBe('nvidia/cu13/lib/libcublas.so.13');
  });

  test('an entry that would leave the folder is refused', async () => {
    for (const name of ['torch/include/../../../outside.h', 'torch/include//../../../../outside.h']) {
      const wheel = await fakeWheel(path.join(folder, 'evil.whl'), { ...torchFiles('2.13.0'), [name]: 'evil' });
      await expect(extract(wheel, path.join(folder, 'evil', 'in'), libtorchEntries)).rejects.toMatchObject({
        code: 'ERR_DATA_CORRUPT',
      });
      expect(existsSync(path.join(folder, 'evil', 'outside.h'))).toBe(false);
      expect(existsSync(path.join(folder, 'outside.h'))).toBe(false);
    }
    // Also when the selection, not the archive, is at fault.
    const wheel = await fakeWheel(path.join(folder, 'fine.whl'), { a: 'x' });
    await expect(extract(wheel, path.join(folder, 'evil', 'in'), () => '../out')).rejects.toMatchObject({
      code: 'ERR_DATA_CORRUPT',
    });
  });

  test('a wheel names its NVIDIA libraries; a file that is no wheel says so', async () => {
    const wheel = await fakeWheel(path.join(folder, 'm.whl'), { 'torch-2.14.1.dist-info/METADATA': METADATA });
    expect(await nvidiaRequirements(wheel)).toEqual(['cuda-toolkit[cudart]==13.0.3', 'nvidia-cudnn-cu13==9.0']);
    await expect(nvidiaRequirements(await fakeWheel(path.join(folder, 'n.whl'), { a: 'x' }))).rejects.toThrow(
      /is not a wheel/,
    );
  });
});
