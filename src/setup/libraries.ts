/**
 * The libraries of LibTorch in this process: loads them by their full paths, so that no variable puts another one in
 * front, and names the one that was there before. Not here: the addon (load.ts), where LibTorch is (locate.ts).
 */
import { existsSync, realpathSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ChestMnistError } from '../base/errors';
import { inspectLibTorch, type LibTorch } from './inspect';
import { reportOfProcess } from './platform';
import { releaseOf, SETUP_COMMAND } from './versions';

/** Each after those it depends on; a CPU build lacks those of CUDA. */
const OWN = ['c10', 'torch_cpu', 'c10_cuda', 'torch_cuda', 'torch'];
const fileName = (name: string): string =>
  process.platform === 'win32' ? `${name}.dll` : `lib${name}.${process.platform === 'darwin' ? 'dylib' : 'so'}`;
/** OpenMP comes with LibTorch too. Another one that a process has already will do. */
const OPENMP = process.platform === 'darwin' ? 'libomp.dylib' : 'libgomp.so.1';

/** Variables that put libraries in front: lists of folders, and lists of files. */
const FOLDERS = ['LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'DYLD_FALLBACK_LIBRARY_PATH', 'DYLD_FRAMEWORK_PATH'];
const FILES = ['LD_PRELOAD', 'DYLD_INSERT_LIBRARIES'];

/** The variable of the dynamic linker that leads to `file`; undefined when none does. */
export function variableLeadingTo(file: string, env = process.env): string | undefined {
  const folder = real(path.dirname(file));
  const leads = (name: string, separator: RegExp, test: (entry: string) => boolean): boolean =>
    (env[name] ?? '').split(separator).some((entry) => entry !== '' && test(entry));
  return (
    FILES.find((name) => leads(name, /[ :]/, (entry) => real(entry) === real(file) || entry === path.basename(file))) ??
    FOLDERS.find((name) => leads(name, /[:;]/, (entry) => real(entry) === folder))
  );
}

/**
 * Loads LibTorch by full paths. What is loaded later asks for these libraries by name and gets them, before
 * LD_LIBRARY_PATH or a run path is searched. Node reports that they are not addons, which is expected; RTLD_NODELETE
 * keeps them loaded.
 */
export function preload({ directory }: LibTorch): void {
  const lib = path.join(directory, 'lib');
  if (process.platform === 'win32') {
    // Windows has no run path: libraries are found through PATH.
    process.env.PATH = `${lib}${path.delimiter}${process.env.PATH ?? ''}`;
    return;
  }
  const noDelete = process.platform === 'darwin' ? 0x80 : 0x1000;
  // One of the same release that is there already (checkLoaded) is used: two of a library would not work.
  const there = reportOfProcess().sharedObjects.map((file) => path.basename(file));
  for (const name of [OPENMP, ...OWN.map(fileName)]) {
    const file = path.join(lib, name);
    if (there.includes(name) || (!existsSync(file) && name !== fileName('torch'))) continue;
    try {
      process.dlopen({ exports: {} }, file, os.constants.dlopen.RTLD_LAZY | noDelete);
    } catch (error) {
      if (!/did not self-register/.test(String(error))) throw error;
    }
  }
}

/**
 * Throws ERR_LIBTORCH_MISMATCH when this process has a library of another LibTorch: a variable put it in front, or
 * another module loaded it. One of the same release is as good.
 */
export function checkLoaded(libtorch: LibTorch): void {
  const names = OWN.map(fileName);
  const other = reportOfProcess().sharedObjects.find((file) => {
    if (!names.includes(path.basename(file))) return false;
    if (real(file) === real(path.join(libtorch.directory, 'lib', path.basename(file)))) return false;
    const theirs = inspectLibTorch(path.resolve(path.dirname(file), '..'), '');
    return typeof theirs === 'string' || releaseOf(theirs.version) !== releaseOf(libtorch.version);
  });
  if (other !== undefined) throw hidden(other, libtorch);
}

/** The error for a library in front of that of LibTorch. */
export function hidden(file: string, { directory, version }: LibTorch, cause?: unknown): ChestMnistError {
  const variable = variableLeadingTo(file);
  const how = variable ? `${variable} leads to it` : 'another module of this process loaded it';
  return new ChestMnistError(
    'ERR_LIBTORCH_MISMATCH',
    {
      found: `${file} takes the place of the library that LibTorch ${version} in ${directory} needs: ${how}`,
      needed: 'the libraries that this LibTorch was made with',
      next: variable
        ? `unset ${variable}, or take ${FILES.includes(variable) ? file : path.dirname(file)} out of it, then run the same command again`
        : `load chestmnist before that module, or use its LibTorch: CHESTMNIST_LIBTORCH=FOLDER ${SETUP_COMMAND}`,
    },
    { cause },
  );
}

function real(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}
