/**
 * The kernels of every instruction set this processor has, each in a process of its own, against the plain execution:
 * ATEN_CPU_CAPABILITY, LibTorch's own switch, lowers what is used.
 */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { native } from '../../src/engine/addon';

const SCRIPT = `
const { native } = require('./dist/engine/addon.js');
const { makeTrainer } = require('./dist/engine/trainer.js');
const { synthesize } = require('./dist/data/index.js');
const { expandView } = require('./dist/data/expand.js');
(async () => {
  const count = 70, size = 28;
  const { images, truth } = synthesize({ seed: 3, size, counts: { train: count, val: 2, test: 2 } }).splits.train;
  const trainer = makeTrainer({ labelCount: 14, imageSize: size, threads: 2, seed: 5, learningRate: 1e-5 });
  await trainer.loadSplit('train', expandView(images, count, size), truth);
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const losses = [];
  for (let step = 0; step < 3; step++) losses.push((await trainer.trainEpoch({ order, batchSize: 35 })).loss);
  const { logits } = await trainer.predict({ split: 'train', batchSize: 64 });
  console.log(JSON.stringify({ capability: native().cpuCapability(), losses, logits: [...logits] }));
})();`;

interface Outcome {
  capability: string;
  losses: number[];
  logits: number[];
}
const run = (capability: string): Outcome =>
  JSON.parse(
    execFileSync(process.execPath, ['-e', SCRIPT], {
      cwd: path.resolve(__dirname, '../..'),
      env: { ...process.env, ATEN_CPU_CAPABILITY: capability },
      encoding: 'utf8',
    }),
  ) as Outcome;

const SETS = ['default', 'avx2', 'avx512'];
const known = SETS.indexOf(native().cpuCapability().toLowerCase());

test('every instruction set of this processor gives the losses and the logits of the plain execution', () => {
  expect(known).toBeGreaterThanOrEqual(0);
  const plain = run('default');
  expect(plain.capability).toBe('DEFAULT');
  for (const set of SETS.slice(1, known + 1)) {
    const fast = run(set);
    expect(fast.capability).toBe(set.toUpperCase());
    fast.losses.forEach((loss, i) => expect(Math.abs(loss - plain.losses[i])).toBeLessThan(1e-4));
    // Adam's first updates follow the sign of a gradient: a few tiny ones go the other way.
    fast.logits.forEach((logit, i) => expect(Math.abs(logit - plain.logits[i])).toBeLessThan(1e-2));
    // The last digits tell that it was another set of kernels.
    expect(fast.losses).not.toEqual(plain.losses);
  }
});
