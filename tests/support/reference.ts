/**
 * The Python reference (torch, torchvision, scikit-learn, numpy, pillow) that parity tests compare with.
 * `npm test` makes it in .venv-reference; CHESTMNIST_PYTHON names another. Without one, live comparisons are reported
 * as skipped by name and only the committed fixtures are compared.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

export const REPOSITORY = path.resolve(__dirname, '..', '..');
const candidate = process.env.CHESTMNIST_PYTHON ?? path.join(REPOSITORY, '.venv-reference', 'bin', 'python');

/** Path of the reference interpreter, or undefined when there is none. */
export const referencePython: string | undefined = existsSync(candidate) ? candidate : undefined;

/** `describe` when the reference is there, else a described skip. */
export const describeWithPython: jest.Describe = referencePython ? describe : describe.skip;

/** Runs a Python program of text with arguments; returns what it printed, parsed as JSON. */
export function runReference(program: string, ...args: string[]): unknown {
  if (!referencePython) throw new Error('no reference Python');
  const out = execFileSync(referencePython, ['-c', program, ...args], { maxBuffer: 1 << 28, encoding: 'utf8' });
  return JSON.parse(out);
}
