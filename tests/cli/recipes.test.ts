/** Recipes as a user gives them, and a run with every element of one: stopped and resumed, bit for bit. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { chestmnist as built, scratch, type Json } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';
import { arrays, npz, type Npy } from '../support/npz';
import { runsIn } from '../support/runs';

const folder = scratch();
const { file, expectSame, interrupt } = runsIn(folder);
const SMALL = ['--data', 'synthetic', '--limit-train', '64', '--limit-val', '16', '--limit-test', '16'];
const QUICK = [...SMALL, '--batch-size', '16', '--device', 'cpu', '--threads', '1', '--no-report', '--resamples', '0'];
const train = (...args: string[]) => chestmnist(['train', '--quiet', '--out', folder(), ...QUICK, ...args]);
const config = async (run: string): Promise<Json> => JSON.parse((await file(run, 'config.json')).toString());
interface Refusal {
  found: string;
  needed: string;
  next: string;
}
const refused = async (...args: string[]): Promise<Refusal> => {
  const { code, stdout } = await chestmnist(['train', '--json', '--out', folder(), ...QUICK, ...args]);
  const error: Json = JSON.parse(stdout);
  expect({ code, error: error.code }).toEqual({ code: 2, error: 'ERR_CONFIG' });
  return error as Refusal;
};

test('a recipe is told and recorded; flags win', async () => {
  const args = ['train', '--out', folder(), '--name', 'strong', ...QUICK, '--recipe', 'strong'];
  const { code, stderr } = await chestmnist([...args, '--epochs', '2', '--contrast', '0']);
  expect(code).toBe(0);
  expect(stderr.replace(/\s+/g, ' ')).toMatch(/recipe strong: epochs 20, .*; here epochs 2, contrast 0/);
  expect(await config('strong')).toMatchObject({
    ...{ recipe: 'strong', schedule: 'cosine', optimizer: 'adamw', rotate: 5, epochs: 2, contrast: 0 },
  });
  // A moving average is kept beside the last weights, and is what was scored.
  const { metrics }: Json = { metrics: JSON.parse((await file('strong', 'metrics.json')).toString()) };
  const evaluated = await chestmnist(['evaluate', path.join(folder(), 'strong'), '--split', 'val', '--json']);
  expect(JSON.parse(evaluated.stdout)).toMatchObject({ auc: metrics.splits.val.auc });
  const [best, last, average] = await Promise.all(
    ['best', 'last', 'average'].map((name) => file('strong', `weights/${name}.safetensors`)),
  );
  expect(average.equals(last)).toBe(false);
  expect(best.equals(last)).toBe(false);
});

test('a recipe in a file; --config takes it and a run too, and --recipe wins over --config', async () => {
  await mkdir(folder(), { recursive: true });
  const own = path.join(folder(), 'own.json');
  await writeFile(own, JSON.stringify({ epochs: 1, lr: 0.01, flip: 0.5 }));
  expect(await train('--name', 'own', '--recipe', own)).toMatchObject({ code: 0 });
  expect(await config('own')).toMatchObject({ recipe: own, epochs: 1, lr: 0.01, flip: 0.5 });
  expect(await train('--name', 'as-config', '--config', own)).toMatchObject({ code: 0 });
  expect(await config('as-config')).toMatchObject({ recipe: null, lr: 0.01, flip: 0.5 });
  const again = ['--config', path.join(folder(), 'own', 'config.json')];
  expect(await train('--name', 'again', ...again)).toMatchObject({ code: 0 });
  expect(await config('again')).toEqual(await config('own'));
  await expectSame('again', 'own');
  expect(await train('--name', 'other', ...again, '--recipe', 'medmnist', '--epochs', '1')).toMatchObject({ code: 0 });
  expect(await config('other')).toMatchObject({ recipe: 'medmnist', lr: 0.001, flip: 0.5 });
});

test('the recipe medmnist is what a run without a recipe does, to the last bit', async () => {
  expect(await train('--name', 'bare', '--epochs', '2')).toMatchObject({ code: 0 });
  expect(await train('--name', 'medmnist', '--epochs', '2', '--recipe', 'medmnist')).toMatchObject({ code: 0 });
  await expectSame('medmnist', 'bare');
});

test('what a recipe cannot be is refused with what it can', async () => {
  expect(await refused('--recipe', 'stronk')).toMatchObject({
    found: expect.stringContaining('is the name of no recipe'),
    needed: expect.stringContaining('fast, medmnist, seed, strong'),
    next: '--recipe strong',
  });
  expect((await refused('--recipe', './none.json')).found).toContain('does not exist');
  await mkdir(folder(), { recursive: true });
  for (const [text, found] of [
    ['{"resume": true}', 'has resume true'],
    ['{"recipe": "strong"}', 'has recipe "strong"'],
    ['{"learningRate": 1}', 'unknown option "learningRate"'],
    ['[]', 'is not a JSON object'],
  ]) {
    const wrong = path.join(folder(), 'wrong.json');
    await writeFile(wrong, text);
    expect((await refused('--recipe', wrong)).found).toContain(found);
  }
});

test.each([
  [['--warmup', '3', '--epochs', '3'], '--warmup is 3, --epochs is 3'],
  [['--focus', '2'], '--focus is 2, --loss is bce'],
  [['--pos-weight', 'balance'], 'neither a rule nor a file'],
])('%j is refused', async (args, found) => {
  expect((await refused(...args)).found).toContain(found);
});

test('asl where each image has exactly one label is refused', async () => {
  await mkdir(folder(), { recursive: true });
  const part = (n: number): Npy => ({
    descr: '|u1',
    shape: [n, 1],
    data: Uint8Array.from({ length: n }, (_, i) => i % 3),
  });
  const classes = { train_labels: part(32), val_labels: part(8), test_labels: part(8) };
  const data = await npz(folder(), 'classes.npz', { ...arrays(32, 8, 8), ...classes });
  expect((await refused('--data', data, '--loss', 'asl')).found).toContain(
    '--loss asl, and each image has exactly one',
  );
});

describe('a run with everything on', () => {
  const ALL = [
    ...['--epochs', '3', '--optimizer', 'adamw', '--weight-decay', '0.05', '--clip', '1', '--ema', '0.9'],
    ...['--schedule', 'cosine', '--warmup', '0.5', '--sampling', 'balanced', '--loss', 'focal', '--pos-weight', 'sqrt'],
    ...['--label-smoothing', '0.05', '--rotate', '5', '--scale', '0.05', '--shift', '0.07', '--crop', '0.9'],
    ...['--flip', '0.5', '--brightness', '0.1', '--contrast', '0.1', '--erase', '0.3', '--mixup', '0.2'],
    ...['--select', 'ap'],
  ];
  const begun = (event: Json): boolean =>
    event.type === 'epoch' || (event.type === 'progress' && event.phase === 'train' && event.epoch === 2);

  test('stopped and resumed, on other threads too: the same bits', async () => {
    expect(await train('--name', 'all', ...ALL)).toMatchObject({ code: 0 });
    const stopped = await interrupt(['--name', 'stopped', ...QUICK, ...ALL], 'SIGINT', begun);
    expect(stopped.code).toBe(130);
    const resumed = await built(['train', '--quiet', '--resume', path.join(folder(), 'stopped'), '--threads', '2']);
    expect(resumed).toMatchObject({ code: 0 });
    await expectSame('stopped', 'all');
    const average = 'weights/average.safetensors';
    expect((await file('stopped', average)).equals(await file('all', average))).toBe(true);
  });

  test('the best epoch is the one with the best average precision', async () => {
    const [header, ...rows] = (await file('all', 'history.csv')).toString().trimEnd().split('\n');
    const at = header.split(',').indexOf('val_ap');
    const figures = rows.map((row) => Number(row.split(',')[at]));
    const { best_epoch }: Json = JSON.parse((await file('all', 'metrics.json')).toString());
    expect(best_epoch).toBe(figures.indexOf(Math.max(...figures)) + 1);
  });

  test('a cosine is not extended: its rate has fallen to 0', async () => {
    const run = path.join(folder(), 'all');
    const { code, stdout } = await chestmnist(['train', '--json', '--resume', run, '--epochs', '5']);
    const error = JSON.parse(stdout);
    expect({ code, error: error.code }).toEqual({ code: 2, error: 'ERR_CHECKPOINT_INCOMPATIBLE' });
    expect(error.next).toContain(`--weights ${run}`);
  });
});
