/** What goes wrong in set-up on users' machines, tried with the built package: the message, and that the next run repairs. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fakeLibTorch, fakePython, fakeWheel, torchFiles } from '../support/setup-fakes';
import {
  folder,
  PREBUILT,
  FOR_CUDA,
  libtorch,
  fresh,
  installed,
  recordOf,
  mainOf,
  nothing,
  noCompiler,
  chestmnist,
  cacheOf,
  inCache,
} from '../support/set-up-package';

/** Starts set-up, kills it without mercy when `moment` has come. */
async function killedSetup(root: string, env: NodeJS.ProcessEnv, moment: () => boolean): Promise<void> {
  const child = spawn(process.execPath, [mainOf(root), 'setup'], { env, stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('close', resolve));
  while (!moment() && child.exitCode === null) await sleep(5);
  expect(child.exitCode).toBeNull();
  child.kill('SIGKILL');
  await ended;
}
describe('no compiler', () => {
  test('a prebuilt addon needs none', () => {
    const env = nothing({ CHESTMNIST_LIBTORCH: libtorch(), ...noCompiler() });
    const { status, stdout } = chestmnist(installed(), ['setup', '--json'], env);
    expect(JSON.parse(stdout)).toMatchObject({ built: false, addon: expect.stringContaining('prebuilds') });
    expect(status).toBe(0);
  });

  test('the one for the release of the CUDA LibTorch neither: it is chosen by the LibTorch, and loads by the link', () => {
    const root = installed({ places: [PREBUILT, FOR_CUDA] });
    recordOf(root, PREBUILT, '2.99.0');
    const env = nothing(noCompiler());
    const { stdout } = chestmnist(root, ['setup', '--json'], { ...env, CHESTMNIST_LIBTORCH: libtorch() });
    expect(JSON.parse(stdout)).toMatchObject({ built: false, addon: expect.stringContaining(FOR_CUDA) });
    const doctor = chestmnist(root, ['doctor', '--json'], env);
    expect(JSON.parse(doctor.stdout)).toMatchObject({
      usable: true,
      addon: { file: path.join(root, FOR_CUDA, 'chestmnist.node'), current: true },
      libtorch: { source: 'set up for this package' },
    });
  });

  test('with one for the CUDA LibTorch, setup --cuda goes on to the download', () => {
    const root = installed({ places: [PREBUILT, FOR_CUDA] });
    recordOf(root, FOR_CUDA, '2.14.1');
    const { status, stderr } = chestmnist(root, ['setup', '--cuda'], nothing(noCompiler()));
    expect(status).toBe(4);
    expect(stderr).toMatch(/downloads 2\.7 GB .*\n.*pip download torch==2\.14\.1/);
  });

  test('a LibTorch of another version, named by the user: both ways out are told', () => {
    const CHESTMNIST_LIBTORCH = fakeLibTorch(fresh('other'), '2.99.0');
    const { status, stderr } = chestmnist(installed(), ['setup'], nothing({ CHESTMNIST_LIBTORCH, ...noCompiler() }));
    expect(status).toBe(4);
    expect(stderr).toMatch(
      /ERR_BUILD\n +found +no addon here fits LibTorch 2\.99\.0 .*CHESTMNIST_LIBTORCH.*lacks CMake/,
    );
    expect(stderr).toMatch(/next +unset CHESTMNIST_LIBTORCH .* or /);
  });

  test('is said before a large download that would need one, not after it', () => {
    const env = nothing(noCompiler());
    const { status, stderr } = chestmnist(installed(), ['setup', '--cuda'], env);
    expect(status).toBe(4);
    expect(stderr).toMatch(/no addon here fits LibTorch \d+\.\d+\.\d+ \(to be downloaded\).*lacks CMake/);
    expect(stderr).not.toMatch(/pip download/);
    expect(inCache(env)).toEqual([]);
  });

  test('a Python torch of another version is passed over for one that fits', () => {
    const python = fakePython(folder, {
      torch: fakeLibTorch(fresh('site'), '2.99.0'),
      pip: 'echo "ERROR: asked"; exit 1',
    });
    const { status, stderr } = chestmnist(
      installed(),
      ['setup'],
      nothing({ CHESTMNIST_PYTHON: python, ...noCompiler() }),
    );
    expect(status).toBe(4);
    // It asked the network first, and only then fell back to what has to be built for. All ways out are told.
    expect(stderr).toMatch(/pip download torch==/);
    expect(stderr).toMatch(/no addon here fits LibTorch 2\.99\.0.* lacks CMake/);
    expect(stderr).toMatch(/; the other sources:\n(.*\n)*.* pip: .*asked/);
    expect(stderr).toMatch(/next +apt-get install cmake.*--from FILE/);
  });
});

describe('a place that cannot be written', () => {
  test('the cache: named, with the variable that moves it', () => {
    const file = fresh('file');
    writeFileSync(file, '');
    const { status, stderr } = chestmnist(installed(), ['setup'], nothing({ XDG_CACHE_HOME: path.join(file, 'x') }));
    expect(status).toBe(2);
    expect(stderr).toMatch(/error ERR_OUTPUT\n +found +the cache .* cannot be written: a part of its path is a file/);
    expect(stderr).toMatch(/next +.*, or XDG_CACHE_HOME=FOLDER npx chestmnist setup/);
  });

  test('what is extracted into the cache, which a limit of file sizes cuts: the file itself is not blamed', async () => {
    const wheel = await fakeWheel(`${fresh('large')}.whl`, {
      ...torchFiles('2.13.0+cpu'),
      'torch/lib/libtorch_cpu.so': 'x'.repeat(1e6),
    });
    const env = nothing();
    const command = [
      '-c',
      'ulimit -f 100; exec "$@"',
      'sh',
      process.execPath,
      mainOf(installed()),
      'setup',
      '--from',
      wheel,
    ];
    const { status, stderr } = spawnSync('sh', command, { env, encoding: 'utf8' });
    expect(status).toBe(6);
    expect(stderr).toMatch(/error ERR_DISK\n +found +the cache .* cannot be written: .*\(EFBIG\)/);
    expect(inCache(env)).toEqual([]);
  });

  test('the package: no matter while nothing has to be built', () => {
    const root = installed();
    writeFileSync(path.join(root, 'build'), '');
    const env = nothing({ CHESTMNIST_LIBTORCH: libtorch() });
    expect(chestmnist(root, ['setup'], env).status).toBe(0);
    expect(existsSync(path.join(root, 'libtorch'))).toBe(false);
    rmSync(path.join(root, 'prebuilds'), { recursive: true });
    const { status, stderr } = chestmnist(root, ['setup'], env);
    expect(status).toBe(2);
    expect(stderr).toMatch(/error ERR_OUTPUT\n +found .*, where the addon has to be built, cannot be written/);
  });

  test("nor can a Python's torch be linked into it then: the variable that names it is told", () => {
    const root = installed();
    writeFileSync(path.join(root, 'build'), '');
    const env = nothing({ CHESTMNIST_PYTHON: fakePython(folder, { torch: libtorch() }) });
    const { status, stderr } = chestmnist(root, ['setup'], env);
    expect(status).toBe(4);
    expect(stderr).toMatch(/ERR_LIBTORCH_MISMATCH\n +found +LibTorch .* loads, but a run would use none/);
    const variable = /next +set CHESTMNIST_LIBTORCH=(\S+) /.exec(stderr)?.[1];
    expect(variable).toBe(libtorch());
    expect(chestmnist(root, ['setup'], { ...env, CHESTMNIST_LIBTORCH: variable }).status).toBe(0);
    expect(chestmnist(root, ['doctor'], { ...env, CHESTMNIST_LIBTORCH: variable }).status).toBe(0);
  });
});

describe('from a local file', () => {
  test('a truncated one and one that is no archive are refused by name; nothing is left', async () => {
    const truncated = await fakeWheel(fresh('torch') + '.whl', torchFiles('2.13.0+cpu'));
    truncateSync(truncated, readFileSync(truncated).length - 40);
    const noArchive = fresh('note') + '.zip';
    writeFileSync(noArchive, 'no zip at all');
    for (const file of [truncated, noArchive, path.join(folder, 'absent.whl')]) {
      const env = nothing();
      const { status, stderr } = chestmnist(installed(), ['setup', '--from', file], env);
      expect(status).toBe(4);
      expect(stderr).toContain(`found   ${file}: `);
      expect(stderr).toMatch(/needed +a (whole )?torch wheel .* or LibTorch archive/);
      expect(inCache(env)).toEqual([]);
    }
  });

  test('a whole one is extracted, without a network', async () => {
    const env = nothing();
    const wheel = await fakeWheel(fresh('torch') + '.whl', torchFiles('2.13.0+cpu'));
    const { stderr } = chestmnist(installed(), ['setup', '--from', wheel], env);
    expect(stderr).toMatch(/LibTorch 2\.13\.0\+cpu in .*2\.13\.0-cpu/);
    expect(inCache(env)).toEqual(['2.13.0-cpu']);
  });
});

describe('killed', () => {
  // The stand-in for LibTorch cannot be loaded, so set-up ends with an error after the part that is tried here.
  const whole = ['2.13.0-cpu'];

  test('while it downloads and while it extracts: the next one starts clean', async () => {
    const files = torchFiles('2.13.0+cpu');
    for (let i = 0; i < 1500; i++) files[`torch/include/torch/h${i}.h`] = `// ${i}`;
    const wheel = await fakeWheel(fresh('torch') + '.whl', files);
    const asked = fresh('asked');
    const root = installed();
    const env = nothing();
    const slow = fakePython(folder, { pip: `touch '${asked}'; exec sleep 30` });
    const quick = fakePython(folder, { pip: `cp '${wheel}' "$DEST/"` });

    await killedSetup(root, { ...env, CHESTMNIST_PYTHON: slow }, () => existsSync(asked));
    expect(inCache(env).some((name) => name.endsWith('.tmp'))).toBe(true);

    const extracting = (): boolean =>
      inCache(env).some((name) => {
        const headers = path.join(cacheOf(env), name, 'torch', 'include', 'torch');
        return existsSync(headers) && readdirSync(headers).length > 100;
      });
    await killedSetup(root, { ...env, CHESTMNIST_PYTHON: quick }, extracting);
    expect(inCache(env)).not.toContain('2.13.0-cpu');

    chestmnist(root, ['setup'], { ...env, CHESTMNIST_PYTHON: quick });
    expect(inCache(env)).toEqual(whole);
    const headers = path.join(cacheOf(env), '2.13.0-cpu', 'torch', 'include', 'torch');
    expect(readdirSync(headers)).toHaveLength(1501);
    expect(existsSync(path.join(root, 'build', 'setup.lock'))).toBe(false);
  });

  test('while it builds: the half addon is not taken for one, and does not hide the prebuilt one', async () => {
    const root = installed();
    const env = nothing({ CHESTMNIST_LIBTORCH: libtorch() });
    const recipe = readFileSync(path.join(root, 'CMakeLists.txt'));
    const half = path.join(root, 'build', 'Release', 'chestmnist.node');
    const slow =
      'file(WRITE "${CMAKE_SOURCE_DIR}/build/Release/chestmnist.node" half)\nexecute_process(COMMAND sleep 20)';
    writeFileSync(
      path.join(root, 'CMakeLists.txt'),
      `cmake_minimum_required(VERSION 3.18)\nproject(x NONE)\n${slow}\n`,
    );
    await killedSetup(root, env, () => existsSync(half));
    writeFileSync(path.join(root, 'CMakeLists.txt'), recipe);

    const refused = chestmnist(root, ['doctor', '--json'], env);
    expect(refused.status).toBe(4);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      problem: { code: 'ERR_NATIVE_MISSING' },
      next: 'npx chestmnist setup',
    });
    const { status, stdout } = chestmnist(root, ['setup', '--json'], { ...env, ...noCompiler() });
    expect(JSON.parse(stdout)).toMatchObject({ built: false, addon: expect.stringContaining('prebuilds') });
    expect(status).toBe(0);
    expect(existsSync(half)).toBe(false);
    expect(chestmnist(root, ['doctor'], env).status).toBe(0);
  });
});

test('two installations at once download once, and share what they got', async () => {
  const wheel = await fakeWheel(fresh('torch') + '.whl', torchFiles('2.13.0+cpu'));
  const asked = fresh('asked');
  const env = nothing({
    CHESTMNIST_PYTHON: fakePython(folder, { pip: `echo x >> '${asked}'; sleep 1; cp '${wheel}' "$DEST/"` }),
  });
  const said = await Promise.all(
    [installed(), installed()].map(async (root) => {
      const child = spawn(process.execPath, [mainOf(root), 'setup'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
      let text = '';
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      await new Promise((resolve) => child.once('close', resolve));
      return text;
    }),
  );
  expect(readFileSync(asked, 'utf8')).toBe('x\n');
  expect(inCache(env)).toEqual(['2.13.0-cpu']);
  for (const text of said) expect(text).toMatch(/LibTorch 2\.13\.0\+cpu in/);
  expect(said.join('')).toMatch(/waiting for process \d+ on .*, which is setting up LibTorch too/);
});

describe('without its install script', () => {
  test('training says the one command, for people and for programs', () => {
    const root = installed();
    const env = nothing();
    const args = ['train', '--data', 'synthetic', '--out', fresh('runs')];
    const people = chestmnist(root, args, env);
    expect(people.status).toBe(4);
    expect(people.stderr).toMatch(
      /^error ERR_LIBTORCH_NOT_FOUND\n +found +LibTorch is not set up yet .*\n.*\n +next +npx chestmnist setup$/m,
    );
    const programs = chestmnist(root, [...args, '--json'], env);
    expect(JSON.parse(programs.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      code: 'ERR_LIBTORCH_NOT_FOUND',
      next: 'npx chestmnist setup',
    });
  });

  test("the script hands npm's proxy and the user's mirrors on", () => {
    const saw = fresh('saw');
    const python = fakePython(folder, { pip: `echo "$HTTPS_PROXY $NO_PROXY $PIP_INDEX_URL" > '${saw}'; exit 1` });
    const env = nothing({
      ...{ CHESTMNIST_PYTHON: python, PIP_INDEX_URL: 'https://mirror.example/simple' },
      ...{ npm_config_https_proxy: 'http://127.0.0.1:9/', npm_config_noproxy: 'inside.example' },
    });
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy']) delete env[name];
    const install = path.join(installed(), 'scripts', 'install.js');
    const { status } = spawnSync(process.execPath, [install], { env, encoding: 'utf8' });
    expect(status).toBe(0);
    expect(readFileSync(saw, 'utf8').trim()).toBe('http://127.0.0.1:9/ inside.example https://mirror.example/simple');
  });
});
