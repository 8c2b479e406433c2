/** Small stand-ins for LibTorch on disk: what set-up looks at, and nothing that could be loaded. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writeZip } from '../../src/base/zip-writer';

/** A temporary folder that is gone after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'chestmnist-setup-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const versionPy = (version: string, cuda?: string): string =>
  `from typing import Optional\n__version__ = '${version}'\ncuda: Optional[str] = ${cuda ? `'${cuda}'` : 'None'}\n`;

/** The files of a wheel's `torch` package, by name inside the wheel. */
export function torchFiles(version: string, cuda?: string): Record<string, string> {
  return {
    'torch/lib/libtorch_cpu.so': 'cpu library',
    'torch/lib/libtorch_python.so': 'not needed',
    'torch/include/torch/header.h': '#pragma once',
    'torch/version.py': versionPy(version, cuda),
    'torch/nn/module.py': 'not needed',
    ...(cuda ? { 'torch/lib/libtorch_cuda.so': 'cuda library' } : {}),
  };
}

export function writeFiles(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
}

/** A LibTorch directory; returns its path. */
export function fakeLibTorch(folder: string, version: string, cuda?: string): string {
  writeFiles(folder, torchFiles(version, cuda));
  return path.join(folder, 'torch');
}

export async function fakeWheel(file: string, files: Record<string, string>): Promise<string> {
  const inputs = Object.entries(files).map(([name, text]) => ({ name, parts: [Buffer.from(text)] }));
  await writeZip(file, inputs, { compress: true });
  return file;
}

/**
 * A program that stands in for Python. `torch` is the package it has installed, `pip` a shell command that plays
 * `pip download`, with the folder in $DEST and the requirements in $WANTED.
 */
export function fakePython(folder: string, { torch = '', pip = 'echo "ERROR: no pip here"; exit 1' } = {}): string {
  const file = path.join(folder, `python-${Math.random().toString(36).slice(2)}`);
  writeFileSync(
    file,
    `#!/bin/sh
if [ "$1" = "-I" ]; then printf '%s' '${torch}'; exit 0; fi
WANTED=
while [ $# -gt 0 ]; do
  case "$1" in --dest) DEST="$2"; shift ;; -*) ;; *==*) WANTED="$WANTED $1" ;; esac
  shift
done
${pip}
`,
  );
  chmodSync(file, 0o755);
  return file;
}
