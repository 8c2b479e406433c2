/** What the weight tests share: the committed fixtures, temporary folders, small state dicts, expected errors. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ChestMnistError, type ErrorCode } from '../../src/base/errors';
import type { StateDict, StateEntry, Stem } from '../../src/engine/contract';
import { resnet18State } from '../../src/weights/state';

export const FIXTURES = path.resolve(__dirname, '..', 'fixtures', 'weights');

/** An entry as the fixtures script describes it: float32 bits, or integers as text. */
interface Expected {
  name: string;
  dtype: 'F32' | 'I64';
  shape: number[];
  bits?: number[];
  values?: string[];
}
export const expected = JSON.parse(readFileSync(path.join(FIXTURES, 'expected.json'), 'utf8')) as Record<
  'views' | 'dtypes',
  Expected[]
>;

/** A state dict in the fixtures' terms, so that bits are compared; every NaN is one NaN. */
export function described(state: StateDict): Expected[] {
  return state.map(({ name, dtype, shape, data }) => {
    if (data instanceof BigInt64Array) return { name, dtype, shape: [...shape], values: [...data].map(String) };
    return { name, dtype, shape: [...shape], bits: oneNan([...new Int32Array(data.slice().buffer)]) };
  });
}
const oneNan = (bits: number[]) => bits.map((word) => ((word & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : word));
export const withOneNan = (entries: Expected[]) =>
  entries.map((entry) => (entry.bits ? { ...entry, bits: oneNan(entry.bits) } : entry));

/** A folder that goes away after the tests of the file. */
export function temporaryFolder(): (name: string) => string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-weights-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => path.join(folder, name);
}

export const f32 = (name: string, shape: number[], fill: (i: number) => number = (i) => i): StateEntry => {
  const count = shape.reduce((product, size) => product * size, 1);
  const data = new Float32Array(count);
  for (let i = 0; i < count; i++) data[i] = fill(i);
  return { name, dtype: 'F32', shape, data };
};

/** A resnet18's state dict: small values that differ from entry to entry, variances positive. */
export const resnet18 = (stem: Stem, labelCount: number): StateDict =>
  resnet18State(stem, labelCount).map(({ name, dtype, shape }, at) =>
    dtype === 'I64'
      ? { name, dtype, shape, data: new BigInt64Array([BigInt(at)]) }
      : f32(name, [...shape], (i) => 0.5 + (((at + i) % 97) - 48) / 4096),
  );

/** The ChestMnistError that `action` fails with; its code is checked. */
export async function failure(code: ErrorCode, action: () => unknown): Promise<ChestMnistError> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof ChestMnistError)) throw error;
    expect(error.code).toBe(code);
    return error;
  }
  throw new Error(`did not fail with ${code}`);
}
