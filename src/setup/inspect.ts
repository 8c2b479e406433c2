/**
 * Inspects a directory that may be a LibTorch: its version and CUDA build, read from its files. Nothing is loaded or
 * run. There are three layouts: a wheel's `torch` package, the official archive, and what set-up extracts from either.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { atLeast, OLDEST } from './versions';

export interface LibTorch {
  /** Absolute path of the directory with lib/ and include/. */
  readonly directory: string;
  /** As LibTorch states it, e.g. `2.13.0+cpu`. */
  readonly version: string;
  /** CUDA version it was built with, e.g. `13.0`; absent for a CPU build. */
  readonly cuda?: string;
  /** Where it was found, for messages. */
  readonly source: string;
}

const LIBRARY = { linux: 'libtorch_cpu.so', darwin: 'libtorch_cpu.dylib', win32: 'torch_cpu.dll' } as const;
const CUDA_LIBRARY = { linux: 'libtorch_cuda.so', darwin: 'libtorch_cuda.dylib', win32: 'torch_cuda.dll' } as const;
const onPlatform = (names: Record<'linux' | 'darwin' | 'win32', string>): string =>
  names[process.platform as keyof typeof names] ?? names.linux;

/** The LibTorch in `directory`, or the reason why it cannot be used. */
export function inspectLibTorch(directory: string, source: string): LibTorch | string {
  if (!existsSync(directory)) return `${directory} does not exist`;
  const library = path.join('lib', onPlatform(LIBRARY));
  for (const needed of [library, path.join('include', 'torch')]) {
    if (!existsSync(path.join(directory, needed))) return `${directory} has no ${needed}`;
  }
  const facts = versionOf(directory);
  if (!facts) return `${directory} does not state its version`;
  if (!atLeast(facts.version, OLDEST)) return `${directory} is LibTorch ${facts.version}, older than ${OLDEST}`;
  const cuda = existsSync(path.join(directory, 'lib', onPlatform(CUDA_LIBRARY))) ? facts.cuda : undefined;
  return { directory: path.resolve(directory), version: facts.version, ...(cuda ? { cuda } : {}), source };
}

function versionOf(directory: string): { version: string; cuda: string } | undefined {
  const python = read(path.join(directory, 'version.py'));
  const text =
    /^__version__ = ['"]([^'"]+)['"]/m.exec(python)?.[1] ??
    (read(path.join(directory, 'build-version')).trim() || header(directory));
  if (!text || !/^\d+\.\d+/.test(text)) return undefined;
  return { version: text, cuda: /^cuda\b[^=]*= ['"]([\d.]+)['"]/m.exec(python)?.[1] ?? cudaOfTag(text) };
}

/** A LibTorch built from source has no version file; its header has the numbers. */
function header(directory: string): string | undefined {
  const text = read(path.join(directory, 'include', 'torch', 'headeronly', 'version.h'));
  const part = (name: string): string | undefined => new RegExp(`#define TORCH_VERSION_${name} (\\d+)`).exec(text)?.[1];
  const numbers = [part('MAJOR'), part('MINOR'), part('PATCH')];
  return numbers.includes(undefined) ? undefined : numbers.join('.');
}

/** `2.14.1+cu130` -> `13.0`; `unknown` when the version has no CUDA tag. */
function cudaOfTag(version: string): string {
  const digits = /\+cu(\d+)$/.exec(version)?.[1];
  return digits ? `${digits.slice(0, -1)}.${digits.slice(-1)}` : 'unknown';
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
