/**
 * Training and prediction on the CPU compared with PyTorch (pytorch_resnet18.py), in alternated repeats of one run: the
 * fast execution in fp32 and in bf16, the plain one (--exact) and the peers. Prints a Markdown table of medians and ratios.
 *
 * Usage: node bench/training.mjs [--steps 20] [--repeats 3] [--modes medmnist,tuned,bf16,bf16c] [--stem torchvision] [--size 28]
 * The peers need .venv-reference (npm test makes it) or CHESTMNIST_PYTHON; without one only ours is measured.
 */
import os from 'node:os';
import { parseArgs } from 'node:util';
import { native } from '../dist/engine/addon.js';
import { BATCH, compare, hasPython, images, ours, peersOn, python } from './sides.mjs';

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '20' },
    repeats: { type: 'string', default: '3' },
    modes: { type: 'string', default: 'medmnist,tuned' },
    size: { type: 'string', default: '28' },
    stem: { type: 'string', default: 'torchvision' },
    threads: { type: 'string', default: String(os.availableParallelism()) },
  },
});
const [steps, repeats, size, threads] = ['steps', 'repeats', 'size', 'threads'].map((name) => Number(values[name]));
const { stem } = values;

const data = images(size);
const sides = {
  chestmnist: () => ours(data, { stem, threads, exact: false }, steps),
  'chestmnist bf16': () => ours(data, { stem, threads, exact: false, precision: 'bf16' }, steps),
  'chestmnist --exact': () => ours(data, { stem, threads, exact: true }, steps),
};
const peers = hasPython ? await peersOn(data) : undefined;
if (!peers) console.error(`no Python with torch at ${python}: ours alone`);
for (const mode of peers ? values.modes.split(',') : []) {
  sides[`PyTorch ${mode}`] = () => peers.run(mode, { steps, threads, stem, device: 'cpu' });
}
console.log(
  `${new Date().toISOString().slice(0, 10)}, ${os.cpus()[0].model} (${native().cpuCapability()}), ${threads} threads, ` +
    `Node ${process.versions.node}, LibTorch ${native().torchVersion()}; ${stem} stem, ${size} px, batch ${BATCH}, fp32 where bf16 is not named; ` +
    `median of ${repeats} alternated repeats of ${steps} steps\n`,
);
await compare(sides, repeats);
peers?.remove();
