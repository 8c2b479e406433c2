/** Makes tests/fuzz/corpus again: small valid files, one folder a parser. Needs dist/ (npm run build:ts). */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rezip, unzip } from './zip.mjs';
const require = createRequire(import.meta.url);
const { writeNpz } = require('../../dist/base/npz.js');
const { saveWeights } = require('../../dist/weights/index.js');
const { configOf, resolveOptions } = require('../../dist/recipe/resolve.js');
const { computeMetrics } = require('../../dist/metrics/index.js');
const sharp = require('sharp');

const HERE = fileURLToPath(new URL('corpus', import.meta.url));
const at = (parser, file) => {
  mkdirSync(path.join(HERE, parser), { recursive: true });
  return path.join(HERE, parser, file);
};
const put = (parser, file, content) => writeFileSync(at(parser, file), content);
const ramp = (length) => Uint8Array.from({ length }, (_, i) => (37 * i) % 256);

const arrays = { a: { shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) }, b: { shape: [4], data: ramp(4) } };
await writeNpz(at('npz', 'stored.npz'), arrays);
await writeNpz(at('npz', 'deflated.npz'), arrays, { compress: true });
const big = BigInt64Array.of(5n, -1n, 2n ** 53n);
await writeNpz(at('npz', 'int64.npz'), { c: { shape: [6], data: new Int32Array(big.buffer) } });
const [int64] = unzip(readFileSync(at('npz', 'int64.npz')));
int64.content.write("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }  ", 10, 'latin1');
put('npz', 'int64.npz', rezip([{ ...int64, content: int64.content.subarray(0, -8) }]));

await writeNpz(at('npy', 'one.npy'), { x: { shape: [30, 30], data: ramp(900) } });
await writeNpz(at('npy', 'two.npy'), { x: { shape: [2, 28, 28, 1], data: ramp(2 * 784) } });
for (const name of ['one.npy', 'two.npy']) put('npy', name, unzip(readFileSync(at('npy', name)))[0].content);

const state = [
  { name: 'conv1.weight', dtype: 'F32', shape: [2, 1, 2], data: Float32Array.of(1, 2, 3, 4) },
  { name: 'bn1.num_batches_tracked', dtype: 'I64', shape: [], data: BigInt64Array.of(7n) },
  { name: 'fc.bias', dtype: 'F32', shape: [0], data: new Float32Array(0) },
];
await saveWeights(at('safetensors', 'small.safetensors'), state, { epoch: '3' });
await saveWeights(at('pth', 'small.pth'), state);

put(
  'table',
  'nih.csv',
  'Image Index,Finding Labels,Patient ID,Size[W,H]\na.png,Mass|Edema,1,9,8\nb.png,No Finding,2,9,8\n',
);
put(
  'table',
  'chexpert.csv',
  'Path,Age,Edema,Mass\nx/patient00001/s/a.jpg,60,1.0,-1.0\nx/patient00002/s/a.jpg,61,,0.0\n',
);
put('table', 'mimic.csv', 'subject_id,study_id,Edema,split\n1,50,1.0,train\n2,51,,validate\n');
put('table', 'sheet.csv', '\ufeffsep=;\r\n"file";"diagnosis"\r\n="001";"big ""heart"""\r\nb;normal\r\n');
put('csv', 'two-labels.csv', '0,0.25,0.5\n1,1e-3,0.75\n2,0,1\n');
const header = 'epoch,lr,train_loss,val_loss,val_auc,val_acc,seconds,images_per_second\n';
put('history', 'two-epochs.csv', `${header}1,0.001,0.6,0.5,0.7,0.9,1.5,680.25\n2,0.001,0.5,0.4,,0.95,1.25,700\n`);

const metrics = computeMetrics({
  truth: Uint8Array.of(1, 0, 0, 1, 1, 0),
  scores: Float64Array.of(0.9, 0.2, 0.4, 0.6, 0.3, 0.1),
  labelCount: 2,
  loss: 0.5,
});
const splits = { val: metrics, test: metrics };
const tuned = { 'val-f1': { thresholds: [0.2, 0.5], ...splits } };
put('metrics', 'two-labels.json', JSON.stringify({ dataset: 'x', labels: ['a', 'b'], best_epoch: 1, splits, tuned }));
put('config', 'defaults.json', JSON.stringify({ ...configOf(resolveOptions({})), threads: 2 }));
put('config', 'some.json', '{"epochs": 3, "milestones": [1, "75%"], "lr": 1e-4, "name": "a.b", "resume": "runs/x"}');
put('thresholds', 'one.json', '0.5');
put('thresholds', 'two.json', '{"rule": "val-f1", "thresholds": [0.25, 1e-2]}');

const raw = (channels) => ({ raw: { width: 9, height: 7, channels } });
const colour = sharp(ramp(9 * 7 * 3), raw(3));
const gray = sharp(ramp(9 * 7), raw(1)).toColourspace('b-w');
put(
  'png',
  'colour.png',
  await sharp(ramp(9 * 7 * 4), raw(4))
    .png()
    .toBuffer(),
);
put('png', 'gray.png', await gray.clone().png().toBuffer());
put('png', 'gray16.png', await gray.clone().toColourspace('grey16').png().toBuffer());
put('png', 'palette.png', await colour.clone().png({ palette: true, colours: 8 }).toBuffer());
put('jpeg', 'baseline.jpg', await colour.clone().jpeg({ quality: 60 }).toBuffer());
put('jpeg', 'progressive.jpg', await gray.clone().jpeg({ progressive: true }).toBuffer());
for (const compression of ['none', 'lzw', 'deflate', 'packbits', 'jpeg'])
  put('tiff', `${compression}.tif`, await colour.clone().tiff({ compression }).toBuffer());
put('webp', 'lossy.webp', await colour.clone().webp().toBuffer());
put('webp', 'lossless.webp', await colour.clone().webp({ lossless: true }).toBuffer());
const FIXTURES = fileURLToPath(new URL('../fixtures/dicom', import.meta.url));
put('dicom', 'mono1.dcm', readFileSync(path.join(FIXTURES, 'mono1.dcm')));
