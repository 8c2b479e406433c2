/**
 * Builds the addon with CMake through cmake-js, in build/cmake; the result is build/Release/chestmnist.node. A build
 * that failed or was killed leaves no addon that looks finished, and the next build starts clean.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { finished } from 'node:stream/promises';
import { writeError, writing } from '../base/disk';
import { processorsToUse } from '../base/processors';
import { ChestMnistError } from '../base/errors';
import { findAddon, sourceHash, type Addon } from './addon';
import type { LibTorch } from './inspect';
import { SETUP_COMMAND } from './versions';

export interface BuildOptions {
  root: string;
  libtorch: LibTorch;
  /** Receives what the build prints, line by line. */
  verbose?: (line: string) => void;
  signal?: AbortSignal;
}

/**
 * Builds and returns the addon. Throws ERR_BUILD with the end of the log when that fails, ERR_DISK or ERR_OUTPUT when
 * `build/` cannot be written.
 */
export async function buildAddon(options: BuildOptions): Promise<Addon> {
  checkTools(options.libtorch);
  return writing(path.join(options.root, 'build'), () => build(options), AGAIN);
}

const AGAIN = { then: 'run the same command again' };

async function build({ root, libtorch, verbose, signal }: BuildOptions): Promise<Addon> {
  const release = path.join(root, 'build', 'Release');
  const work = path.join(root, 'build', 'cmake');
  const finishedMark = path.join(work, 'finished');
  const recipe = JSON.stringify([root, libtorch.directory, libtorch.version]);

  // CMake caches the libraries it found, and half-written object files look complete: only a finished build of the same
  // recipe is reused.
  const previous = existsSync(finishedMark) ? readFileSync(finishedMark, 'utf8') : '';
  rmSync(previous === recipe ? finishedMark : work, { recursive: true, force: true });
  for (const name of ['chestmnist.node', 'chestmnist.json', 'chestmnist_cuda.so'])
    rmSync(path.join(release, name), { force: true });
  mkdirSync(work, { recursive: true });

  const log = path.join(root, 'build', 'build.log');
  const settings = [
    `--CDCHESTMNIST_LIBTORCH=${libtorch.directory}`,
    `--CDCHESTMNIST_LIBTORCH_VERSION=${libtorch.version}`,
    `--CDCHESTMNIST_SOURCE_HASH=${sourceHash(root)}`,
  ];
  const common = ['--directory', root, '--out', work, '--config', 'Release'];
  rmSync(log, { force: true });
  await cmakeJs(['configure', ...common, ...settings], { root, log, verbose, signal });
  await cmakeJs(['build', ...common, '--parallel', String(processorsToUse())], { root, log, verbose, signal });

  const addon = findAddon(root);
  if (!addon) throw failed('the build ended without build/Release/chestmnist.node', log);
  writeFileSync(finishedMark, recipe);
  return addon;
}

/** Throws ERR_BUILD when this machine cannot build an addon for this LibTorch. Nothing is run. */
export function checkTools({ version, source }: Pick<LibTorch, 'version' | 'source'>): void {
  const onPath = (names: string[]): boolean =>
    names.some((name) =>
      (process.env.PATH ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, name))),
    );
  const windows = process.platform === 'win32';
  const missing = [
    ...(onPath(['cmake', 'cmake.exe']) ? [] : ['CMake (3.18 or newer)']),
    // On Windows cmake-js finds Visual Studio, which is not on the path.
    ...(windows || process.env.CXX || onPath(['c++', 'g++', 'clang++']) ? [] : ['a C++20 compiler']),
    ...(windows || onPath(['ninja', 'make', 'gmake']) ? [] : ['make or ninja']),
  ];
  if (missing.length === 0) return;
  const install = {
    linux: 'apt-get install cmake g++ make (Debian, Ubuntu) or dnf install cmake gcc-c++ make (Fedora)',
    darwin: 'xcode-select --install and brew install cmake',
    win32: 'winget install Kitware.CMake and the C++ tools of Visual Studio',
  }[process.platform as 'linux' | 'darwin' | 'win32'];
  const named = source === 'CHESTMNIST_LIBTORCH' ? 'unset CHESTMNIST_LIBTORCH to get one that needs no build, or ' : '';
  throw new ChestMnistError('ERR_BUILD', {
    found: `no addon here fits LibTorch ${version} (${source}), so one has to be built, and this machine lacks ${missing.join(' and ')}`,
    needed: 'CMake and a C++20 compiler (GCC 11 or newer, Clang 14 or newer)',
    next: `${named}${install}, then ${SETUP_COMMAND}`,
  });
}

interface Step {
  root: string;
  log: string;
  verbose?: ((line: string) => void) | undefined;
  signal?: AbortSignal | undefined;
}

async function cmakeJs(args: string[], { root, log, verbose, signal }: Step): Promise<void> {
  const program = path.join(path.dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
  const out = createWriteStream(log, { flags: 'a' });
  const written = finished(out);
  written.catch(() => undefined); // reported where it is awaited, if it still is
  // Its own process group, so that an interrupt ends the compilers too and not only cmake-js.
  const child = spawn(process.execPath, [program, ...args], {
    cwd: root,
    detached: process.platform !== 'win32',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = (): void => {
    if (child.pid !== undefined && child.exitCode === null) killGroup(child.pid);
  };
  signal?.addEventListener('abort', end, { once: true });
  process.once('exit', end);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // A process that did not start may have no streams; its error follows.
  for (const stream of child.pid === undefined ? [] : [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      out.write(text);
      if (verbose) text.split('\n').filter(Boolean).forEach(verbose);
    });
  }
  try {
    const code = await ended;
    out.end();
    await written;
    signal?.throwIfAborted();
    if (code !== 0) throw failed(`cmake-js ${args[0]} failed (exit ${code ?? 'by signal'})`, log);
  } finally {
    signal?.removeEventListener('abort', end);
    process.removeListener('exit', end);
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGTERM');
  } catch {
    // It has already ended.
  }
}

function failed(what: string, log: string): unknown {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-30);
  const full = lines.find((line) => /No space left on device|Disk quota exceeded/i.test(line));
  if (full !== undefined) {
    const code = /quota/i.test(full) ? 'EDQUOT' : 'ENOSPC';
    return writeError(Object.assign(new Error(full), { code }), path.dirname(log), AGAIN);
  }
  return new ChestMnistError('ERR_BUILD', {
    found: `${what}; the end of ${log}:\n${lines.join('\n')}\n`,
    needed: 'an addon that builds against this LibTorch (GCC 11 or newer, Clang 14 or newer)',
    next: `read the log; then ${SETUP_COMMAND} --verbose`,
  });
}
