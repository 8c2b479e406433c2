/**
 * The kernels of the instruction sets below this processor's own, each in a process of its own: ATEN_CPU_CAPABILITY,
 * LibTorch's own switch, lowers what is used. Those of its own are what tests/native/execution.test.ts runs on anyway.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { native } from '../../src/engine/addon';
import { PACKAGE, scratch } from '../support/chestmnist';
import { REPOSITORY } from '../support/reference';

const SETS = ['default', 'avx2', 'avx512'];
const own = SETS.indexOf(native().cpuCapability().toLowerCase());
const lower = SETS.slice(1, Math.max(1, own));
const folder = scratch();

(lower.length > 0 ? test.each(lower) : test.skip.each(['avx2']))(
  '%s takes the steps of the plain execution',
  (set) => {
    const file = path.join(folder(), `${set}.jsonl`);
    const jest = [path.join(REPOSITORY, 'node_modules', 'jest', 'bin', 'jest.js'), 'native/execution'];
    const { status, stderr } = spawnSync(process.execPath, [...jest, '-t', 'batch 4,|cifar stem.* 32 px'], {
      cwd: REPOSITORY,
      env: { ...process.env, ATEN_CPU_CAPABILITY: set, CHESTMNIST_MARGINS: file },
      encoding: 'utf8',
    });
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    const ran = lines.map((line) => JSON.parse(line) as { stem: string; instructions: string });
    expect(new Set(ran.map(({ stem, instructions }) => `${stem} ${instructions}`))).toEqual(
      new Set([`torchvision ${set.toUpperCase()}`, `cifar ${set.toUpperCase()}`]),
    );
  },
  600_000,
);

test('where there are no kernels for a processor, the plain execution trains', () => {
  const program = `
    const { makeTrainer } = require(${JSON.stringify(path.join(path.dirname(PACKAGE), 'engine', 'trainer.js'))});
    console.log(makeTrainer({ labelCount: 14, imageSize: 28 }).execution);
    process.exit();`;
  const env = { ...process.env, ATEN_CPU_CAPABILITY: 'default' };
  expect(execFileSync(process.execPath, ['-e', program], { env, encoding: 'utf8' })).toBe('plain\n');
});

test.each(['avx2', 'avx512', 'default'])(
  'bf16 with ATEN_CPU_CAPABILITY=%s is float32, bit for bit, and that is said',
  (set) => {
    const dist = path.dirname(PACKAGE);
    const program = `
    const { makeTrainer, precisionNotes } = require(${JSON.stringify(path.join(dist, 'engine', 'trainer.js'))});
    const { expandView } = require(${JSON.stringify(path.join(dist, 'data', 'expand.js'))});
    const images = expandView(Uint8Array.from({ length: 4 * 784 }, (_, i) => (i * 37) >> 3), 4, 28);
    (async () => {
      const results = [];
      for (const precision of ['fp32', 'bf16']) {
        const trainer = makeTrainer({ labelCount: 2, imageSize: 28, precision, threads: 1 });
        await trainer.loadSplit('train', images, new Uint8Array(8));
        await trainer.trainEpoch({ order: Int32Array.of(0, 1, 2, 3), batchSize: 4 });
        const { logits } = await trainer.predict({ split: 'train', batchSize: 4 });
        const [note] = precisionNotes({ precision, exact: false }, trainer);
        results.push({ execution: trainer.execution, logits: logits.join(), note });
      }
      console.log(JSON.stringify(results));
      process.exit();
    })();`;
    const env = { ...process.env, ATEN_CPU_CAPABILITY: set };
    const [fp32, bf16] = JSON.parse(execFileSync(process.execPath, ['-e', program], { env, encoding: 'utf8' }));
    expect(bf16).toEqual({ ...fp32, note: expect.stringContaining('--precision bf16 is computed in float32 here') });
    expect(fp32.execution).toBe(set === 'default' || own < 1 ? 'plain' : 'fast');
  },
);
