/**
 * `npm run test:sanitize`: builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer in build/sanitize and
 * runs the native tests on it. Arguments are passed to Jest. Linux with GCC only; build/Release is not changed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { makeReady, ROOT, say, step, stop } from './steps.mjs';

if (process.platform !== 'linux') stop('sanitize', 'this build is for Linux with GCC');
makeReady();

const node = process.execPath;
const place = path.join(ROOT, 'build', 'sanitize');
const libtorch = realpathSync(path.join(ROOT, 'libtorch'));
mkdirSync(place, { recursive: true });
rmSync(path.join(place, 'libtorch'), { force: true });
symlinkSync(libtorch, path.join(place, 'libtorch')); // the addon's run path: two folders up
const version = execFileSync(
  node,
  ['-p', 'JSON.parse(require("fs").readFileSync("build/Release/chestmnist.json")).libtorch'],
  { cwd: ROOT, encoding: 'utf8' },
).trim();
const settings = [
  `--CDCHESTMNIST_LIBTORCH=${libtorch}`,
  `--CDCHESTMNIST_LIBTORCH_VERSION=${version}`,
  '--CDCHESTMNIST_SOURCE_HASH=sanitize',
  '--CDCHESTMNIST_SANITIZE=ON',
];
const cmakeJs = path.join('node_modules', 'cmake-js', 'bin', 'cmake-js');
const common = ['--directory', ROOT, '--out', path.join(place, 'cmake'), '--config', 'RelWithDebInfo'];
step('configure', node, [cmakeJs, 'configure', ...common, ...settings], { stdio: ['ignore', 'ignore', 'inherit'] });
step('build with sanitizers', node, [cmakeJs, 'build', ...common], { stdio: ['ignore', 'ignore', 'inherit'] });

// Node itself is not built with the sanitizer, so its library comes first by LD_PRELOAD. Leak detection is off: V8 and
// LibTorch keep memory until the process ends by design, and npm run test:memory checks ours. The tests take longer.
const compiler = process.env.CXX || 'c++';
const library = execFileSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
const env = {
  ...process.env,
  LD_PRELOAD: realpathSync(library),
  ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
  CHESTMNIST_PREBUILD: place, // where node-gyp-build looks
};
const jest = ['node_modules/jest/bin/jest.js', '--runInBand', '--testTimeout=1200000', '--selectProjects', 'native'];
step('native tests', node, [...jest, ...process.argv.slice(2)], { env });
