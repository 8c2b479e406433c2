/** A package as npm installs it, with nothing set up, and machines that lack something: what the tests of set-up share. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { REPOSITORY } from './reference';
import { fakePython } from './setup-fakes';

export const folder = mkdtempSync(path.join(tmpdir(), 'chestmnist-cli-failures-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ADDON = path.join(REPOSITORY, 'build', 'Release');
export const PREBUILT = path.join('prebuilds', `${process.platform}-${process.arch}`);
export const FOR_CUDA = path.join('cuda', PREBUILT);
export const libtorch = (): string => realpathSync(path.join(REPOSITORY, 'libtorch'));
let count = 0;
export const fresh = (name: string): string => path.join(folder, `${name}-${count++}`);

/** The package as npm installs it, with the addon as prebuilt, and nothing set up. */
export function installed({ prebuilt = true, places = [PREBUILT] } = {}): string {
  const root = fresh('package');
  for (const name of ['dist', 'native', 'package.json', 'CMakeLists.txt', 'scripts/install.js', 'examples']) {
    cpSync(path.join(REPOSITORY, name), path.join(root, name), { recursive: true });
  }
  symlinkSync(path.join(REPOSITORY, 'node_modules'), path.join(root, 'node_modules'), 'junction');
  for (const place of prebuilt ? places : []) {
    cpSync(path.join(ADDON, 'chestmnist.node'), path.join(root, place, 'chestmnist.node'));
    cpSync(path.join(ADDON, 'chestmnist.json'), path.join(root, place, 'chestmnist.json'));
  }
  return root;
}
/** Says of the addon in `place` that it was built for another release. */
export function recordOf(root: string, place: string, libtorch: string): void {
  const file = path.join(root, place, 'chestmnist.json');
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), libtorch }));
}
export const mainOf = (root: string): string => path.join(root, 'dist', 'cli', 'main.js');

/** No LibTorch, no Python with torch, no network; an empty cache. */
export const nothing = (changes: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  ...{ CHESTMNIST_LIBTORCH: '', CHESTMNIST_PYTHON: fakePython(folder), XDG_CACHE_HOME: fresh('cache') },
  ...{ HTTPS_PROXY: 'http://127.0.0.1:9', https_proxy: 'http://127.0.0.1:9' },
  ...changes,
});
/** No compiler and no CMake on the path, but a shell. */
export const noCompiler = (): NodeJS.ProcessEnv => {
  const PATH = fresh('path');
  mkdirSync(PATH);
  for (const name of ['sh', 'cp', 'sleep']) symlinkSync(`/bin/${name}`, path.join(PATH, name));
  return { PATH };
};
export const chestmnist = (root: string, args: string[], env: NodeJS.ProcessEnv) =>
  spawnSync(process.execPath, [mainOf(root), ...args], { env, encoding: 'utf8' });

export const cacheOf = (env: NodeJS.ProcessEnv): string =>
  path.join(env.XDG_CACHE_HOME ?? '', 'chestmnist', 'libtorch');
export const inCache = (env: NodeJS.ProcessEnv): string[] =>
  existsSync(cacheOf(env)) ? readdirSync(cacheOf(env)) : [];

/** Puts the LibTorch of the repository into an empty cache. */
export function cached(env: NodeJS.ProcessEnv): void {
  const entry = path.join(cacheOf(env), '2.13.0-cpu');
  mkdirSync(entry, { recursive: true });
  symlinkSync(libtorch(), path.join(entry, 'torch'));
  writeFileSync(path.join(entry, 'libtorch.json'), '{}');
}
