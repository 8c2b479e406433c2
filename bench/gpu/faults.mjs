/**
 * What goes wrong on a device: too little memory, two trainers at once, a kill and its resume, no device to be seen.
 * Prints Markdown; exit code 1 where something is not as it should be.
 * Usage, after `npx chestmnist setup --cuda` and `npm run build`: node bench/gpu/faults.mjs [--device cpu]
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { images, trainerOn } from '../sides.mjs';
import { device, heading, rehearsed } from './device.mjs';

const main = path.resolve(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.js');
const folder = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-gpu-'));
const data = path.join(folder, 'small.npz');

let failed = false;
function judge(what, holds, seen) {
  failed ||= !holds;
  console.log(
    `- ${holds ? 'holds' : '**does not hold**'}: ${what}${seen ? `\n\n  > ${seen.trim().replaceAll('\n', '\n  > ')}\n` : ''}`,
  );
}
const cli = (args, env = {}) =>
  spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env: { ...process.env, ...env } });
const training = (name, ...more) => [
  ...[
    'train',
    '--data',
    data,
    '--device',
    device,
    '--out',
    folder,
    '--name',
    name,
    '--epochs',
    '4',
    '--batch-size',
    '32',
  ],
  ...['--no-report', '--resamples', '0', ...more],
];
const digest = (name, file = 'weights/last.safetensors') => {
  // The metadata names the run; the values follow it.
  const bytes = readFileSync(path.join(folder, name, file));
  return createHash('sha256')
    .update(bytes.subarray(8 + Number(bytes.readBigUInt64LE(0))))
    .digest('hex');
};

console.log(`${heading}\n`);
cli(['data', 'synthesize', '-o', data, '--counts', '512,128,128']);

if (!rehearsed) {
  const large = path.join(folder, 'large.npz');
  cli(['data', 'synthesize', '-o', large, '--size', '224', '--counts', '16384,64,64']);
  // Activations of some 25 MB per image: far more than any device has.
  const args = [
    '--data',
    large,
    '--out',
    folder,
    '--device',
    device,
    '--no-report',
    '--resamples',
    '0',
    '--epochs',
    '1',
  ];
  const { status, stderr } = cli(['train', ...args, '--name', 'large', '--batch-size', '16384']);
  judge(
    'too large a batch is ERR_CUDA_OUT_OF_MEMORY (exit 4) and a smaller one is suggested',
    status === 4 && /ERR_CUDA_OUT_OF_MEMORY/.test(stderr) && /batch/.test(stderr),
    stderr.slice(-900),
  );
  const again = cli(['train', ...args, '--name', 'smaller', '--batch-size', '64', '--limit-train', '1024']);
  judge('the device works after it', again.status === 0, again.status === 0 ? '' : again.stderr.slice(-900));
  rmSync(large);

  const blind = cli(training('blind'), { CUDA_VISIBLE_DEVICES: '' });
  judge(
    'with no device to be seen: ERR_CUDA_UNAVAILABLE (exit 4)',
    blind.status === 4 && /ERR_CUDA_UNAVAILABLE/.test(blind.stderr),
    blind.stderr.slice(-600),
  );
}

const whole = cli(training('whole'));
judge('a run of 4 epochs ends', whole.status === 0, whole.status === 0 ? '' : whole.stderr.slice(-900));
cli(training('twin'));
const repeats = digest('whole') === digest('twin');
console.log(
  `- two runs of one seed have ${repeats ? 'the same bits' : 'different bits: the device is not deterministic'}`,
);

const killed = spawn(process.execPath, [main, '--json', ...training('killed')], {
  stdio: ['ignore', 'pipe', 'ignore'],
});
const ended = once(killed, 'exit');
let text = '';
for await (const part of killed.stdout) {
  text += part;
  if ((text.match(/"type":"epoch"/g) ?? []).length >= 2) {
    killed.kill('SIGKILL');
    break;
  }
}
await ended;
await sleep(200);
const resumed = cli(['train', '--resume', path.join(folder, 'killed')]);
const equal = existsSync(path.join(folder, 'killed', 'weights')) && digest('killed') === digest('whole');
judge('a killed run resumes to its end', resumed.status === 0, resumed.status === 0 ? '' : resumed.stderr.slice(-900));
if (repeats) judge('and has the bits of the one that was not killed', equal);
else console.log(`- resumed and uninterrupted have ${equal ? 'the same' : 'different'} bits`);

const set = images(28);
const losses = async (trainer) => {
  const order = Int32Array.from({ length: 20 * 64 }, (_, i) => (i * 37) % 1024);
  const { loss } = await trainer.trainEpoch({ order, batchSize: 64 });
  await trainer.dispose();
  return loss;
};
const make = () => trainerOn(set, { device, seed: 3 });
const alone = await losses(await make());
const together = await Promise.all([make(), make()].map(async (trainer) => losses(await trainer)));
const far = Math.max(...together.map((loss) => Math.abs(loss - alone) / alone));
judge(
  `two trainers on one device at once train as one alone (losses within 1e-3: ${far.toExponential(1)} apart)`,
  far < 1e-3,
);

rmSync(folder, { recursive: true });
if (failed) process.exit(1);
