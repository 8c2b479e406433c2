/** export: what is written, what it says of itself, and that nothing is replaced unasked. ONNX is judged in tests/parity. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { StateDict } from '../../../src/engine/contract';
import { loadWeights, readSafetensors } from '../../../src/weights';
import { exportWeights, type ExportFormat } from '../../../src/weights/export';
import { f32, failure, resnet18, temporaryFolder } from '../../support/weights-fixtures';

const temporary = temporaryFolder();
const labels = ['one', 'two'];
const source = { state: resnet18('cifar', 2), task: null, channels: null, labels, imageSize: 28, inputSize: 56 };

const sameValues = (a: StateDict, b: StateDict) => {
  expect(a.map(({ name }) => name)).toEqual(b.map(({ name }) => name));
  a.forEach(({ data }, i) =>
    expect(Buffer.from(data.buffer, data.byteOffset, data.byteLength).equals(rawBytes(b[i].data))).toBe(true),
  );
};
const rawBytes = (data: StateDict[number]['data']) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

it.each(['safetensors', 'pth'] as const)('%s holds the same weights, whatever the file is called', async (format) => {
  const output = temporary(`${format}.bin`);
  const done = await exportWeights(source, { format, output });
  expect(done).toMatchObject({ file: output, format, stem: 'cifar', labels, input_size: 56 });
  expect(done.bytes).toBe(readFileSync(output).length);
  sameValues(await loadWeights(output), source.state);
});

it('safetensors keeps the labels and sizes, and leaves out what is unknown', async () => {
  const output = temporary('facts.safetensors');
  await exportWeights(source, { format: 'safetensors', output });
  const facts = { format: 'pt', stem: 'cifar', labels: '["one","two"]', image_size: '28', input_size: '56' };
  expect((await readSafetensors(output)).metadata).toEqual(facts);
  await exportWeights({ ...source, imageSize: null, inputSize: null }, { format: 'safetensors', output, force: true });
  expect((await readSafetensors(output)).metadata).toEqual({ format: 'pt', stem: 'cifar', labels: '["one","two"]' });
});

it('onnx holds every weight but the counters, once', async () => {
  const output = temporary('model.onnx');
  const { bytes } = await exportWeights(source, { format: 'onnx', output });
  const floats = source.state.reduce((sum, { dtype, data }) => sum + (dtype === 'F32' ? data.byteLength : 0), 0);
  expect(bytes - floats).toBeGreaterThan(0);
  expect(bytes - floats).toBeLessThan(16_384);
});

it.each<ExportFormat>(['safetensors', 'pth', 'onnx'])('%s replaces a file only with force', async (format) => {
  const output = temporary(`there.${format}`);
  writeFileSync(output, 'mine');
  const { next } = await failure('ERR_OUTPUT', () => exportWeights(source, { format, output }));
  expect(next).toContain('--force');
  expect(readFileSync(output, 'utf8')).toBe('mine');
  await exportWeights(source, { format, output, force: true });
  expect(readFileSync(output).length).toBeGreaterThan(40_000_000);
});

it('refuses what is no resnet18, and a place that cannot be written', async () => {
  const output = temporary('other.onnx');
  const other = { ...source, state: [f32('weight', [2, 3])] };
  await failure('ERR_WEIGHTS', () => exportWeights(other, { format: 'onnx', output }));
  writeFileSync(temporary('a-file'), '');
  await failure('ERR_OUTPUT', () => exportWeights(source, { format: 'onnx', output: temporary('a-file/x.onnx') }));
});
