/** A LibTorch that does not load, or that hides another: set-up passes it over, replaces it, or says what is in the way. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fakeLibTorch, fakePython, fakeWheel, torchFiles } from '../support/setup-fakes';
import {
  folder,
  PREBUILT,
  FOR_CUDA,
  libtorch,
  fresh,
  installed,
  recordOf,
  nothing,
  noCompiler,
  chestmnist,
  cacheOf,
  inCache,
  cached,
} from '../support/set-up-package';

describe('one that does not load', () => {
  test('a CUDA wheel without its NVIDIA libraries is refused, and leaves nothing', async () => {
    const env = nothing();
    const wheel = await fakeWheel(fresh('torch') + '.whl', {
      ...torchFiles('2.13.0+cu130', '13.0'),
      'torch-2.13.0.dist-info/METADATA':
        'Name: torch\nRequires-Dist: nvidia-cudnn-cu13==9.1; platform_system == "Linux"\n',
    });
    const { status, stderr } = chestmnist(installed(), ['setup', '--from', wheel], env);
    expect(status).toBe(4);
    expect(stderr).toMatch(/ERR_LIBTORCH_MISMATCH\n.* a CUDA build whose NVIDIA libraries are in other wheels\n/);
    expect(stderr).toMatch(/next .* npx chestmnist setup --cuda/);
    expect(inCache(env)).toEqual([]);
  });

  test('a link in the cache to one that does not load ends with an error, after no download', () => {
    const asked = fresh('asked');
    const env = nothing({ CHESTMNIST_PYTHON: fakePython(folder, { pip: `touch '${asked}'; exit 1` }) });
    const entry = path.join(cacheOf(env), '2.13.0-cpu');
    mkdirSync(cacheOf(env), { recursive: true });
    const elsewhere = path.dirname(fakeLibTorch(fresh('large-disk'), '2.13.0'));
    writeFileSync(path.join(elsewhere, 'libtorch.json'), '{}');
    symlinkSync(elsewhere, entry);
    expect(chestmnist(installed(), ['setup'], env).status).toBe(4);
    expect(existsSync(asked)).toBe(false);
  });

  test('a torch of Python is passed over for one that does, and is never linked', () => {
    const root = installed();
    const hollow = fakeLibTorch(fresh('site'), '2.13.0');
    const env = nothing({ CHESTMNIST_PYTHON: fakePython(folder, { torch: hollow }) });
    const before = chestmnist(root, ['setup'], env);
    expect(before.status).toBe(4);
    expect(before.stderr).toMatch(
      /it does not load here: .*libtorch_cpu\.so(.*\n)*LibTorch 2\.13\.0 \(CPU\): downloading/,
    );
    expect(before.stderr).toMatch(/error ERR_LIBTORCH_NOT_FOUND\n +found +.*libtorch_cpu\.so/);
    expect(existsSync(path.join(root, 'libtorch'))).toBe(false);

    cached(env);
    const after = chestmnist(root, ['setup'], env);
    expect(after.stderr).toMatch(/user cache/);
    expect(after.status).toBe(0);
    expect(chestmnist(root, ['doctor'], env).status).toBe(0);
  });

  test('one that was linked gives way to one in the cache', () => {
    const root = installed();
    symlinkSync(fakeLibTorch(fresh('gone-bad'), '2.13.0'), path.join(root, 'libtorch'));
    const env = nothing();
    cached(env);
    const { status, stderr } = chestmnist(root, ['setup'], env);
    expect(stderr).toMatch(/set up for this package\)\nit does not load here: /);
    expect(status).toBe(0);
    expect(realpathSync(path.join(root, 'libtorch'))).toBe(libtorch());
  });

  test('one in the cache that does not load is not downloaded again and again', async () => {
    const asked = fresh('asked');
    const wheel = await fakeWheel(fresh('torch') + '.whl', torchFiles('2.13.0+cpu'));
    const pip = `echo x >> '${asked}'; cp '${wheel}' "$DEST/"`;
    const env = nothing({ CHESTMNIST_PYTHON: fakePython(folder, { pip }) });
    const root = installed();
    for (let i = 0; i < 2; i++) {
      const { status, stderr } = chestmnist(root, ['setup'], env);
      expect(status).toBe(4);
      expect(stderr).toMatch(/error ERR_LIBTORCH_NOT_FOUND\n +found +.*libtorch_cpu\.so/);
    }
    expect(readFileSync(asked, 'utf8')).toBe('x\n');
  });

  test('one of the right release but with other symbols gives way to one in the cache, without a compiler', () => {
    const root = installed();
    const env = nothing(noCompiler());
    const alien = fakeLibTorch(fresh('alien'), '2.13.0');
    for (const name of readdirSync(path.join(libtorch(), 'lib'))) {
      rmSync(path.join(alien, 'lib', name), { force: true });
      symlinkSync(path.join(libtorch(), 'lib', name), path.join(alien, 'lib', name));
    }
    rmSync(path.join(alien, 'lib', 'libtorch_cpu.so'));
    const source = path.join(fresh('empty') + '.cc');
    writeFileSync(source, '');
    // Found by its own name, and with nothing in it.
    const flags = ['-shared', '-fPIC', '-Wl,-soname,libtorch_cpu.so', '-o', path.join(alien, 'lib', 'libtorch_cpu.so')];
    execFileSync(process.env.CXX ?? 'c++', [...flags, source]);
    rmSync(path.join(alien, 'lib', 'libtorch.so'));
    const only = ['-shared', '-fPIC', '-o', path.join(alien, 'lib', 'libtorch.so'), '-Wl,--no-as-needed'];
    execFileSync(process.env.CXX ?? 'c++', [...only, `-L${path.join(alien, 'lib')}`, '-ltorch_cpu', source]);
    symlinkSync(alien, path.join(root, 'libtorch'));

    const refused = chestmnist(root, ['setup'], env);
    expect(refused.status).toBe(4);
    expect(refused.stderr).toMatch(/it does not load here: .*undefined symbol/);
    expect(refused.stderr).toMatch(/; the other sources:\n(.*\n)* +official archive: .*\n +pip: /);

    cached(env);
    const { status, stderr } = chestmnist(root, ['setup'], env);
    expect(stderr).toMatch(/it does not load here: (.*\n)*.*user cache/);
    expect(status).toBe(0);
    expect(realpathSync(path.join(root, 'libtorch'))).toBe(libtorch());
  });

  test('a damaged one in the cache: its remedy works, and a file takes its place', async () => {
    const root = installed();
    const wheel = await fakeWheel(fresh('torch') + '.whl', torchFiles('2.13.0+cpu'));
    const env = nothing({ CHESTMNIST_PYTHON: fakePython(folder, { pip: `cp '${wheel}' "$DEST/"` }) });
    const entry = path.join(cacheOf(env), '2.13.0-cpu');
    const torch = path.join(entry, 'torch');
    mkdirSync(path.join(torch, 'include', 'torch'), { recursive: true });
    mkdirSync(path.join(torch, 'lib'));
    writeFileSync(path.join(torch, 'version.py'), "__version__ = '2.13.0+cpu'\n");
    for (const name of ['libtorch.so', 'libtorch_cpu.so']) writeFileSync(path.join(torch, 'lib', name), 'cut');
    writeFileSync(path.join(entry, 'libtorch.json'), '{}');
    const { stderr } = chestmnist(root, ['setup'], env);
    expect(stderr).toContain(`next    remove ${realpathSync(entry)}, then npx chestmnist setup`);

    // By its files it is seen at once: it is got anew, and the new one takes its place.
    rmSync(path.join(torch, 'lib', 'libtorch_cpu.so'));
    const again = chestmnist(root, ['setup'], env);
    expect(again.stderr).toMatch(/pip download torch==2\.13\.0/);
    expect(readFileSync(path.join(torch, 'lib', 'libtorch_cpu.so'), 'utf8')).toBe('cpu library');
    rmSync(path.join(torch, 'lib', 'libtorch_cpu.so'));
    chestmnist(root, ['setup', '--from', wheel], env);
    expect(readFileSync(path.join(torch, 'lib', 'libtorch_cpu.so'), 'utf8')).toBe('cpu library');
    expect(inCache(env)).toEqual(['2.13.0-cpu']);
  });

  test('a folder where the link belongs is said before a download that it would hide', () => {
    const root = installed({ places: [PREBUILT, FOR_CUDA] });
    recordOf(root, FOR_CUDA, '2.14.1');
    mkdirSync(path.join(root, 'libtorch'));
    const { status, stderr } = chestmnist(root, ['setup', '--cuda'], nothing(noCompiler()));
    expect(status).toBe(4);
    expect(stderr).toContain(`next    move ${path.join(root, 'libtorch')} away, then npx chestmnist setup`);
    expect(stderr).not.toMatch(/downloads/);
  });

  test('a mirror that has another release under the name is not believed', async () => {
    const wheel = await fakeWheel(fresh('torch') + '.whl', torchFiles('2.13.1+cpu'));
    const env = nothing({ CHESTMNIST_PYTHON: fakePython(folder, { pip: `cp '${wheel}' "$DEST/"` }) });
    const { status, stderr } = chestmnist(installed(), ['setup'], env);
    expect(status).toBe(4);
    expect(stderr).toMatch(/pip: it contains LibTorch 2\.13\.1\+cpu instead of 2\.13\.0/);
    expect(inCache(env)).toEqual([]);
  });

  test('--from and CHESTMNIST_LIBTORCH together are refused, before anything is done', async () => {
    const wheel = await fakeWheel(fresh('torch') + '.whl', torchFiles('2.13.0+cpu'));
    const env = nothing({ CHESTMNIST_LIBTORCH: libtorch() });
    const { status, stderr } = chestmnist(installed(), ['setup', '--from', wheel], env);
    expect(status).toBe(2);
    expect(stderr).toMatch(/error ERR_CONFIG\n(.*\n)* +next +unset CHESTMNIST_LIBTORCH/);
    expect(inCache(env)).toEqual([]);
  });
});
