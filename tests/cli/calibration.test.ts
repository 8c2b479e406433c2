/**
 * `--calibrate`: temperatures fitted to validation reach the figures, the thresholds, evaluate, predict, export, the report and
 * an ensemble, and can be added to a finished run. The temperatures themselves: tests/parity/calibration.test.ts.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { evaluate, loadWeights } from '../../src';
import { writeNpz } from '../../src/base/npz';
import { synthesize } from '../../src/data';
import { tuneThresholds } from '../../src/metrics';
import { readScored } from '../../src/run/predictions';
import { scratch, type Json } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';

const folder = scratch();
const at = (...names: string[]) => path.join(folder(), ...names);
const jsonOf = async (...names: string[]): Promise<Json> => JSON.parse(await readFile(at(...names), 'utf8'));
const run = async (...args: string[]) => {
  const result = await chestmnist(args);
  expect(result).toMatchObject({ code: 0 });
  return result;
};
const FLAGS = ['--epochs', '1', '--batch-size', '32', '--device', 'cpu', '--no-report', '--resamples', '0'];
const DATA = ['--data', 'synthetic', '--limit-train', '128', '--limit-val', '64', '--limit-test', '64'];

describe('one network', () => {
  beforeAll(async () => {
    await run('train', '--out', folder(), '--name', 'plain', ...DATA, ...FLAGS);
    const { stdout } = await run('train', '--out', folder(), '--name', 'direct', '--calibrate', ...DATA, ...FLAGS);
    expect(stdout).toMatch(/^Calibrated on the validation split: macro ECE 0\.\d{4} \(before 0\.\d{4}\)/m);
  });

  test('its predictions are those of before over the temperatures; ranks stay, the loss on validation falls', async () => {
    const [plain, direct] = [await jsonOf('plain', 'metrics.json'), await jsonOf('direct', 'metrics.json')];
    expect(plain).not.toHaveProperty('calibration');
    const { temperatures, before } = direct.calibration;
    for (const split of ['val', 'test'] as const) {
      const [raw, now] = [(await readScored(at('plain'), split))!, (await readScored(at('direct'), split))!];
      now.logits!.forEach((logit, i) => {
        const expected = raw.logits![i] / temperatures[i % 14];
        // Rounding of 512 products and of their sum.
        expect(Math.abs(logit - expected)).toBeLessThan(1e-5 * Math.max(1, Math.abs(expected)));
      });
      const { ece, loss, brier } = plain.splits[split];
      expect(before[split]).toEqual({ ece, loss, brier_macro: brier.macro });
    }
    expect(direct.splits.val.loss).toBeLessThan(plain.splits.val.loss);
    expect((temperatures as number[]).some((value) => Math.abs(value - 1) > 0.01)).toBe(true);
    const val = (await readScored(at('direct'), 'val'))!;
    expect(direct.tuned['val-f1'].thresholds).toEqual(tuneThresholds('val-f1', val));
  });

  test('evaluate, and an exported file, give the same logits; the stored weights are as they were trained', async () => {
    const stored = await readScored(at('direct'), 'test');
    const { logits } = await evaluate(at('direct'), { device: 'cpu' });
    expect(logits).toEqual(stored!.logits);
    await run('export', at('direct'), '--format', 'safetensors', '-o', at('exported.safetensors'));
    const own = await jsonOf('direct', 'config.json');
    const data = { data: own.data, device: 'cpu', limit: 64 };
    const exported = await evaluate(at('exported.safetensors'), data);
    const all = await evaluate(at('direct'), data);
    expect(exported.logits).toEqual(all.logits);
    const [trained, raw] = await Promise.all(
      ['direct', 'plain'].map((name) => loadWeights(at(name, 'weights', 'best.safetensors'))),
    );
    expect(trained).toEqual(raw);
  });

  test('a finished run is calibrated afterwards, with the same result, and then there is nothing to do', async () => {
    await run('train', '--resume', at('plain'), '--calibrate');
    const [later, direct] = [await jsonOf('plain', 'metrics.json'), await jsonOf('direct', 'metrics.json')];
    expect(later).toEqual(direct);
    expect(await jsonOf('plain', 'run.json')).toMatchObject({ status: 'finished' });
    const again = await chestmnist(['train', '--resume', at('plain'), '--calibrate', '--json']);
    expect(again.code).not.toBe(0);
    expect(again.stdout).toContain('ERR_NOTHING_TO_RESUME');
  });

  test('the report has before and after', async () => {
    await run('report', at('direct'));
    const page = await readFile(at('direct', 'report.html'), 'utf8');
    expect(page).toMatch(/<h2 id="calibration">/);
    expect(page).toMatch(/Test, before[\s\S]*Test, after/);
  });
});

test('an ensemble of exclusive classes: one temperature per member, the mean of calibrated probabilities', async () => {
  const counts = { train: 48, val: 24, test: 15 };
  const gray = synthesize({ counts }).splits;
  const arrays: Parameters<typeof writeNpz>[1] = {};
  for (const [split, count] of Object.entries(counts)) {
    const data = gray[split as keyof typeof counts].images;
    arrays[`${split}_images`] = { shape: [count, 28, 28], data };
    arrays[`${split}_labels`] = { shape: [count, 1], data: Uint8Array.from({ length: count }, (_, i) => i % 3) };
  }
  await writeNpz(at('classes.npz'), arrays);
  const own = ['--data', at('classes.npz'), '--task', 'multi-class', '--out', folder(), '--name', 'both'];
  await run('train', ...own, ...FLAGS, '--batch-size', '16', '--seeds', '0,1');
  expect(await jsonOf('both', 'metrics.json')).toMatchObject({ task: 'multi-class', labels: { length: 3 } });
  const before = (await readScored(at('both'), 'test', 'multi-class'))!;

  await run('train', '--resume', at('both'), '--calibrate');
  const { calibration, splits } = await jsonOf('both', 'metrics.json');
  const members = await Promise.all([0, 1].map((seed) => jsonOf('both', `seed-${seed}`, 'metrics.json')));
  for (const { calibration } of members) expect(new Set(calibration.temperatures).size).toBe(1);
  expect(calibration).toMatchObject({ temperatures: null });
  expect(calibration.before.test.loss).toBeCloseTo(before.loss!, 4);
  const { scores, loss } = await evaluate(at('both'), { device: 'cpu' });
  const stored = (await readScored(at('both'), 'test', 'multi-class'))!;
  scores.forEach((score, i) => expect(score).toBeCloseTo(stored.scores[i], 6));
  expect(loss).toBeCloseTo(splits.test.loss, 6);
  await run('report', at('both'));
  expect(await readFile(at('both', 'report.html'), 'utf8')).toMatch(/Each member has temperatures of its own/);
});

test('--seed beside --seeds is refused', async () => {
  const { code, stdout } = await chestmnist(['train', ...DATA, '--seed', '3', '--seeds', '0,1', '--json']);
  expect(code).toBe(2);
  expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject({
    code: 'ERR_CONFIG',
    found: '--seed is 3, and --seeds is 0,1',
  });
});
