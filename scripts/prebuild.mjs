/**
 * `npm run prebuilds`: puts the addon for this platform into prebuilds/, through prebuildify and binding.gyp: stripped,
 * its C library in its name, and the record of what it was built against beside it. With `--cuda` also the one for the
 * release of the CUDA LibTorch into cuda/prebuilds/, with native/cuda beside it: takes that LibTorch (`setup --cuda`)
 * and the headers of its CUDA.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { makeReady, npm, ROOT, step, stop } from './steps.mjs';

const TARGET = path.join('prebuilds', `${process.platform}-${process.arch}`);
const CUDA_LIBRARY = 'chestmnist_cuda.so';

makeReady();
rmSync(path.join(ROOT, 'cuda'), { recursive: true, force: true });
prebuild(ROOT, 'prebuild');
if (process.argv.includes('--cuda')) {
  // The same recipe over a copy of the package, whose LibTorch is the CUDA build; the checkout keeps its own.
  const copy = path.join(ROOT, 'build', 'prebuild-cuda');
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const name of ['package.json', 'CMakeLists.txt', 'binding.gyp', 'native', 'dist']) {
    cpSync(path.join(ROOT, name), path.join(copy, name), { recursive: true });
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(copy, 'node_modules'), 'junction');
  step('set up the CUDA LibTorch', process.execPath, [path.join(copy, 'dist/cli/main.js'), 'setup', '--cuda']);
  prebuild(copy, 'prebuild for CUDA');
  const built = path.join(copy, 'build', 'Release', CUDA_LIBRARY);
  if (!existsSync(built)) stop('prebuild for CUDA', 'no headers of CUDA here, so native/cuda was not built');
  copyFileSync(built, path.join(copy, TARGET, CUDA_LIBRARY));
  cpSync(path.join(copy, TARGET), path.join(ROOT, 'cuda', TARGET), { recursive: true });
  rmSync(copy, { recursive: true });
}

/** Fills prebuilds/ of the package at `root`. */
function prebuild(root, name) {
  const [folder, release] = [path.join(root, TARGET), path.join(root, 'build', 'Release')];
  rmSync(folder, { recursive: true, force: true });
  const flags = ['--napi', ...(process.platform === 'win32' ? [] : ['--strip', '--tag-libc'])];
  // npm brings node-gyp along. The headers beside this Node spare a download; the addon takes Node-API's own.
  const prefix = path.resolve(path.dirname(process.execPath), '..');
  const headers = existsSync(path.join(prefix, 'include', 'node', 'common.gypi')) ? { npm_config_nodedir: prefix } : {};
  const [program, args] = npm(['exec', '--', 'prebuildify', ...flags]);
  step(name, program, args, { cwd: root, env: { ...process.env, ...headers } });
  copyFileSync(path.join(release, 'chestmnist.json'), path.join(folder, 'chestmnist.json'));
  // prebuildify moves the addon; the checkout keeps one.
  const [addon] = readdirSync(folder).filter((file) => file.endsWith('.node'));
  copyFileSync(path.join(folder, addon), path.join(release, 'chestmnist.node'));
}
