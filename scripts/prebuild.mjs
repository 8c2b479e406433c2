/**
 * `npm run prebuilds`: puts the addon for this platform into prebuilds/, through prebuildify and binding.gyp: stripped,
 * with its C library in its name, and with a record of what it was built against. `--cuda` also puts the addon for the
 * CUDA LibTorch into cuda/prebuilds/, together with native/cuda; this needs that LibTorch (`setup --cuda`) and the
 * headers of its CUDA version.
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
  // The same steps in a copy of the package with the CUDA LibTorch, so that the checkout keeps its own.
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
  if (!existsSync(built)) stop('prebuild for CUDA', 'no CUDA headers found, so native/cuda was not built');
  copyFileSync(built, path.join(copy, TARGET, CUDA_LIBRARY));
  cpSync(path.join(copy, TARGET), path.join(ROOT, 'cuda', TARGET), { recursive: true });
  rmSync(copy, { recursive: true });
}

/** Fills prebuilds/ of the package at `root`. */
function prebuild(root, name) {
  const [folder, release] = [path.join(root, TARGET), path.join(root, 'build', 'Release')];
  rmSync(folder, { recursive: true, force: true });
  const flags = ['--napi', ...(process.platform === 'win32' ? [] : ['--strip', '--tag-libc'])];
  // npm includes node-gyp. The headers next to this Node save a download; the addon uses Node-API's own.
  const prefix = path.resolve(path.dirname(process.execPath), '..');
  const headers = existsSync(path.join(prefix, 'include', 'node', 'common.gypi')) ? { npm_config_nodedir: prefix } : {};
  const [program, args] = npm(['exec', '--', 'prebuildify', ...flags]);
  step(name, program, args, { cwd: root, env: { ...process.env, ...headers } });
  copyFileSync(path.join(release, 'chestmnist.json'), path.join(folder, 'chestmnist.json'));
  // prebuildify moves the addon: copy it back into the checkout.
  const [addon] = readdirSync(folder).filter((file) => file.endsWith('.node'));
  copyFileSync(path.join(folder, addon), path.join(release, 'chestmnist.node'));
}
