/**
 * Files of weights in every verb, in this process: what a file states of sizes and labels is used and what it does not
 * is asked for or noted; values that cannot be weights are named where they come in.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeTrainer } from '../../src/engine/trainer';
import {
  evaluate,
  loadDataset,
  loadWeights,
  predict,
  saveWeights,
  type Dataset,
  type StateDict,
} from '../../src/index';
import { order } from '../../src/recipe/order';
import { expandView } from '../../src/data/expand';
import { readSafetensors, writeSafetensors } from '../../src/weights';
import { scratch, type Json } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';
import { npy, npz } from '../support/npz';
import { failure } from '../support/weights-fixtures';

const folder = scratch();
const at = (name: string): string => path.join(folder(), name);
const json = (text: string): Json => JSON.parse(text) as unknown;
const NAMES = Array.from({ length: 14 }, (_, i) => `finding ${String.fromCharCode(65 + i)}`);
let state: StateDict;
let data: Dataset;

/** A network that sees 28 px images at 56 px: a few steps of training, so that its answers differ between sizes. */
beforeAll(async () => {
  const made = ['data', 'synthesize', '-o', at('data.npz'), '--counts', '64,64,64'];
  expect(await chestmnist(made)).toMatchObject({ code: 0 });
  data = await loadDataset(at('data.npz'));
  const trainer = makeTrainer({ labelCount: 14, imageSize: 28, inputSize: 56, learningRate: 1e-3 });
  const { images, truth, count } = data.splits.train;
  await trainer.loadSplit('train', expandView(images, count, 28), truth);
  await trainer.trainEpoch({ order: order(0, 0, count), batchSize: 16 });
  state = await trainer.stateDict();
  await trainer.dispose();
  const facts = { labels: JSON.stringify(NAMES), image_size: '28', input_size: '56' };
  await saveWeights(at('stated.safetensors'), state, facts);
  await saveWeights(at('bare.pth'), state);
  const picture = { descr: '|u1', shape: [64, 28, 28], data: data.splits.test.images };
  await writeFile(at('test.npy'), npy(picture));
});

/** The JSON of a verb and its notes. */
async function run(...args: string[]): Promise<{ result: Json; notes: string }> {
  const { code, stdout, stderr } = await chestmnist([...args, '--json']);
  expect({ code, stderr, stdout: code === 0 ? '' : stdout }).toMatchObject({ code: 0 });
  return { result: json(stdout), notes: stderr };
}
const scores = (...args: string[]) => run('evaluate', ...args, '--data', at('data.npz'), '--device', 'cpu');
const probabilities = async (...args: string[]) => {
  const { result, notes } = await run('predict', args[0], at('test.npy'), ...args.slice(1), '--device', 'cpu');
  return { labels: result.labels as string[], predictions: result.predictions as Json[], notes };
};
const exported = async (source: string, format: string, ...flags: string[]): Promise<string> => {
  const file = at(`exported.${format}`);
  await run('export', source, '--format', format, '-o', file, '--force', ...flags);
  return file;
};

describe('what a file states', () => {
  it.each(['pth', 'safetensors'])('its sizes and labels go through %s', async (format) => {
    const truth = await scores(at('stated.safetensors'));
    const seen = await probabilities(at('stated.safetensors'));
    expect({ labels: seen.labels, notes: truth.notes + seen.notes }).toEqual({ labels: NAMES, notes: '' });
    // There and back: each format is written from the other.
    const other = await exported(at('stated.safetensors'), format === 'pth' ? 'safetensors' : 'pth');
    const file = await exported(other, format);
    expect(await scores(file)).toEqual(truth);
    expect(await probabilities(file)).toEqual(seen);
  });

  it('and what it does not is noted, and can be said with flags', async () => {
    const truth = await scores(at('stated.safetensors'));
    const wrong = await scores(at('bare.pth'));
    expect(wrong.notes).toMatch(/does not state the size of its input: 28 px are assumed/);
    expect(wrong.notes).toMatch(/does not state its labels/);
    expect(wrong.result.auc.macro).not.toBeCloseTo(truth.result.auc.macro, 3);
    const right = await scores(at('bare.pth'), '--resize', '56', '--size', '28', '--label-names', NAMES.join());
    expect(right).toEqual(truth);

    const seen = await probabilities(at('stated.safetensors'));
    const guessed = await probabilities(at('bare.pth'));
    expect(guessed.notes).toMatch(/does not state the size of its images: 28 px are assumed; --size/);
    expect(guessed.notes).toMatch(/called label_0 to label_13; --label-names/);
    expect(guessed.predictions).not.toEqual(seen.predictions);
    const flags = ['--size', '28', '--resize', '56', '--label-names', NAMES.join()];
    expect(await probabilities(at('bare.pth'), ...flags)).toEqual(seen);
    expect(await scores(await exported(at('bare.pth'), 'pth', ...flags))).toEqual(truth);
  });

  it('export says what the new file cannot state', async () => {
    const { notes } = await run('export', at('bare.pth'), '--format', 'onnx', '-o', at('bare.onnx'));
    expect(notes).toMatch(/does not state .*--size.*--resize.*--label-names/);
    expect((await run('export', at('stated.safetensors'), '--format', 'onnx', '-o', at('stated.onnx'))).notes).toBe('');
  });

  it('export --half makes half the file, says what that changes, and is refused where it does not apply', async () => {
    const half = ['export', at('stated.safetensors'), '--format', 'onnx', '--half', '-o'];
    const { result, notes } = await run(...half, at('half.onnx'));
    expect(notes).toMatch(/change a probability by at most \d\.\de-[4-9]/);
    expect(result.bytes).toBeLessThan(23e6);
    const args = ['export', at('stated.safetensors'), '--format', 'pth', '--half', '-o', at('half.pth')];
    const { code, stderr } = await chestmnist(args);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(/--half with --format pth/) });
  });

  it('another size than the stated one is noted, in evaluate, predict and train', async () => {
    expect((await scores(at('stated.safetensors'), '--resize', '28')).notes).toMatch(/an input of 56 px; 28 are used/);
    const { notes } = await probabilities(at('stated.safetensors'), '--size', '64');
    expect(notes).toMatch(/trained on images of 28 px, these are brought to 64; the network sees them at 56 px/);
    const flags = ['--weights', at('stated.safetensors'), '--data', at('data.npz'), '--label-names', 'chestmnist'];
    const { stderr } = await chestmnist(['train', ...flags, ...QUICK, '--out', at('runs'), '--name', 'fine', '--json']);
    expect(stderr).toBe('');
    const run = await readFile(at('runs/fine/history.csv'), 'utf8');
    expect(run.trim().split('\n')).toHaveLength(2);
    const again = await chestmnist(['train', ...flags, ...QUICK, '--out', at('runs'), '--name', 'again']);
    expect(again.stderr).toMatch(/was trained on an input of 56 px, this run has 28/);
    expect(again.stderr).toMatch(/label 0 of .* is finding A, here it is atelectasis: the head .* is kept/);
  });

  it('labels in another order are refused, unless they are named', async () => {
    const swapped = [NAMES[1], NAMES[0], ...NAMES.slice(2)];
    const facts = { labels: JSON.stringify(swapped), image_size: '28', input_size: '56' };
    await saveWeights(at('swapped.pth'), state, facts);
    const args = ['evaluate', at('swapped.pth'), '--data', 'synthetic', '--limit', '2', '--device', 'cpu'];
    const refused = await failure('ERR_WEIGHTS', () => evaluate(at('swapped.pth'), { data: 'synthetic', limit: 2 }));
    expect(refused.found).toMatch(/label 0 of .* is finding B, that of synthetic is atelectasis/);
    expect(await chestmnist([...args, '--label-names', 'chestmnist'])).toMatchObject({ code: 0 });
  }, 60_000);

  it('a run whose weights were saved again without their facts has them', async () => {
    const args = ['--data', at('data.npz'), '--resize', '56', '--label-names', NAMES.join()];
    expect(await chestmnist(['train', ...args, ...QUICK, '--out', at('runs'), '--name', 'own'])).toMatchObject({
      code: 0,
    });
    const best = at('runs/own/weights/best.safetensors');
    const truth = await scores(at('runs/own'));
    await saveWeights(best, (await readSafetensors(best)).state);
    const { result, notes } = await scores(at('runs/own'));
    expect(result).toEqual(truth.result);
    expect(notes).not.toMatch(/does not state/);
    expect((await probabilities(at('runs/own'))).labels).toEqual(NAMES);
  });

  it('the API has the same options and notes', async () => {
    const options = { data: at('data.npz'), resize: 56, labelNames: NAMES, device: 'cpu' };
    const { labels, notes } = await evaluate(at('bare.pth'), options);
    expect({ labels, notes }).toEqual({ labels: NAMES, notes: [] });
    const predicted = await predict(at('bare.pth'), [at('test.npy')], { device: 'cpu' });
    expect(predicted.notes).toHaveLength(2);
    const named = { size: 28, resize: 56, labelNames: NAMES, device: 'cpu' };
    expect((await predict(at('bare.pth'), [at('test.npy')], named)).notes).toEqual([]);
    for (const wrong of [{ resize: 27 }, { size: 1.5 }, { labelNames: ['a'] }, { weightsKey: '' }]) {
      await failure('ERR_CONFIG', () => evaluate(at('bare.pth'), { data: at('data.npz'), ...wrong }));
      await failure('ERR_CONFIG', () => predict(at('bare.pth'), [at('test.npy')], wrong));
    }
  });

  it('--weights-key chooses in every verb', async () => {
    const both = ['model', 'ema'].flatMap((key) => state.map((entry) => ({ ...entry, name: `${key}.${entry.name}` })));
    await saveWeights(at('both.pth'), both, { image_size: '28', input_size: '56', labels: JSON.stringify(NAMES) });
    expect((await scores(at('both.pth'))).notes).toMatch(/model is used; --weights-key ema uses the other/);
    expect((await scores(at('both.pth'), '--weights-key', 'ema')).notes).toBe('');
    expect((await probabilities(at('both.pth'), '--weights-key', 'ema')).notes).toBe('');
    const file = await exported(at('both.pth'), 'pth', '--weights-key', 'ema');
    expect((await scores(file)).notes).toBe('');
    expect(await loadWeights(at('both.pth'), { key: 'ema' })).toHaveLength(122);
    const train = ['train', '--weights', at('both.pth'), '--data', at('data.npz'), '--out', at('runs'), ...QUICK];
    const { code, stderr } = await chestmnist([...train, '--weights-key', 'best']);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(/model, ema/) });
  });
});

const QUICK = ['--epochs', '1', '--batch-size', '32', '--device', 'cpu', '--no-report', '--resamples', '0'];

describe('what cannot be used', () => {
  const changed = (name: string, change: (data: Float32Array) => void, of = state): StateDict =>
    of.map((entry) => {
      if (entry.name !== name) return entry;
      const values = (entry.data as Float32Array).slice();
      change(values);
      return { ...entry, data: values };
    });
  /** Every verb that takes weights, on this file. */
  const verbs = (file: string): string[][] => [
    ['evaluate', file, '--data', at('data.npz'), '--device', 'cpu'],
    ['predict', file, at('test.npy'), '--device', 'cpu'],
    ...['pth', 'safetensors', 'onnx'].map((format) => ['export', file, '--format', format, '-o', at('refused/out')]),
    ['train', '--weights', file, '--data', at('data.npz'), '--out', at('refused'), ...QUICK],
  ];
  const refusedBy = async (file: string, code: string, found: RegExp): Promise<void> => {
    await mkdir(at('refused'), { recursive: true });
    for (const args of verbs(file)) {
      const { code: exit, stderr } = await chestmnist(args);
      expect({ args, exit, stderr }).toMatchObject({ exit: 3, stderr: expect.stringMatching(found) });
      expect(stderr).toContain(code);
      if (!args.includes('train')) expect(stderr).not.toContain('--stem');
    }
    expect(await readdir(at('refused'))).toEqual([]);
  };

  // The same function, by weights that are too large or too small for float16.
  it.each<[string, number, RegExp]>([
    ['large', 1e7, /layer4\.1\.conv2\.weight has the value -?\d+\S*, beyond the range of float16/],
    ['small', 1e-6, /as float16, a probability changes by 0\.\d+ on 32 synthetic images/],
  ])('export --half refuses weights that are too %s, and writes nothing', async (_, factor, found) => {
    const scaled = ['conv2.weight', 'bn2.running_mean'].reduce(
      (of, name) => changed(`layer4.1.${name}`, (data) => data.forEach((value, i) => (data[i] = factor * value)), of),
      changed('layer4.1.bn2.weight', (data) => data.forEach((value, i) => (data[i] = value / factor))),
    );
    await saveWeights(at('wide.safetensors'), scaled);
    const args = ['export', at('wide.safetensors'), '--format', 'onnx', '--half', '-o', at('wide.onnx')];
    const { code, stderr } = await chestmnist(args);
    expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringMatching(found) });
    expect(await readdir(folder())).not.toContain('wide.onnx');
  });

  it.each<[string, string, (data: Float32Array) => void, RegExp]>([
    ['a NaN', 'fc.weight', (data) => void (data[515] = NaN), /fc\.weight holds NaN at \[1, 3\]/],
    ['an infinity', 'conv1.weight', (data) => void (data[0] = -Infinity), /conv1\.weight holds -Infinity/],
    [
      'a buffer',
      'layer4.1.bn2.running_mean',
      (data) => data.fill(NaN),
      /running_mean holds NaN at \[0\], and 511 more/,
    ],
    ['a variance', 'bn1.running_var', (data) => void (data[63] = -1e-3), /running_var holds -0\.001/],
  ])('%s is named with its tensor in every verb', async (_, name, change, found) => {
    const bad = changed(name, change);
    const before = await readdir(folder());
    expect((await failure('ERR_WEIGHTS', () => saveWeights(at('never.pth'), bad))).found).toMatch(found);
    expect(await readdir(folder())).toEqual(before);
    // As another tool writes it.
    const file = at('bad.safetensors');
    await writeSafetensors(file, bad);
    await refusedBy(file, 'ERR_WEIGHTS', found);
    await failure('ERR_WEIGHTS', () => loadWeights(file));
  });

  it('weights that are finite but too large are named by the logit that overflows', async () => {
    await saveWeights(
      at('huge.pth'),
      changed('fc.weight', (data) => data.fill(3e38)),
    );
    for (const args of verbs(at('huge.pth')).slice(0, 2)) {
      const { code, stderr } = await chestmnist(args);
      expect({ code, stderr }).toMatchObject({
        code: 3,
        stderr: expect.stringMatching(/logit of .*\(image 0, label_0\)/),
      });
    }
  });

  it('a model with no outputs, or with another stem, gets advice that the verb has', async () => {
    const empty = state.map((entry) =>
      entry.name === 'fc.weight' || entry.name === 'fc.bias'
        ? { ...entry, shape: [0, ...entry.shape.slice(1)], data: new Float32Array(0) }
        : entry,
    );
    await saveWeights(at('empty.pth'), empty);
    for (const args of verbs(at('empty.pth')).slice(0, 5)) {
      const { code, stderr } = await chestmnist(args);
      expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringMatching(/a head of 0 labels/) });
      expect(stderr).not.toMatch(/src\//);
    }
    const five = state.map((entry) =>
      entry.name === 'conv1.weight' ? { ...entry, shape: [64, 3, 5, 5], data: new Float32Array(64 * 75) } : entry,
    );
    await saveWeights(at('five.pth'), five);
    await refusedBy(at('five.pth'), 'ERR_WEIGHTS', /conv1\.weight is F32 \[64, 3, 5, 5\]/);
    const cifar = state.map((entry) =>
      entry.name === 'conv1.weight' ? { ...entry, shape: [64, 3, 3, 3], data: new Float32Array(64 * 27) } : entry,
    );
    await saveWeights(at('cifar.pth'), cifar);
    const { stderr } = await chestmnist(verbs(at('cifar.pth')).at(-1)!);
    expect(stderr).toMatch(/use --stem cifar/);
  });

  it('the folder of another tool is not taken for a run', async () => {
    await mkdir(at('hugging face'));
    await writeFile(at('hugging face/config.json'), '{"architectures": ["ResNetForImageClassification"]}');
    await saveWeights(at('hugging face/model.safetensors'), state);
    const { found, next } = await failure('ERR_CONFIG', () => evaluate(at('hugging face'), { data: at('data.npz') }));
    expect(found).toMatch(/another tool's model/);
    expect(next).toContain(`'${at('hugging face/model.safetensors')}'`);
  });
});

describe('numbers that are not finite elsewhere', () => {
  it.each([
    ['scores', NaN],
    ['scores', Infinity],
    ['logits', -Infinity],
    ['logits', NaN],
  ])('%s of %d in predictions', async (key, value) => {
    const values = new Float64Array(6).fill(0.5);
    values[3] = value;
    const labels = { descr: '|u1', shape: [3, 2], data: new Uint8Array([0, 1, 1, 0, 1, 1]) };
    const file = await npz(folder(), 'predictions.npz', {
      labels,
      [key]: { descr: '<f8', shape: [3, 2], data: new Uint8Array(values.buffer) },
    });
    const { code, stderr } = await chestmnist(['metrics', file]);
    expect({ code, stderr }).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`${key} holds ${value} (image 1, label 1)`),
    });
  });

  it.each(['1e999', '[0.5, -1e999]', '{"thresholds": 1e999}', '[NaN]'])('thresholds %s', async (text) => {
    await writeFile(at('thresholds.json'), text);
    const args = [
      'evaluate',
      at('stated.safetensors'),
      '--data',
      at('data.npz'),
      '--thresholds',
      at('thresholds.json'),
    ];
    expect(await chestmnist(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('ERR_CONFIG') });
  });

  it.each([
    ['--lr', 'NaN'],
    ['--lr', 'Infinity'],
    ['--weight-decay', '1e999'],
    ['--gamma', '-Infinity'],
    ['--checkpoint-every', 'NaN'],
    ['--gamma', '1e300', '--milestones', '1,2', '--epochs', '4'],
  ])('%s %s', async (...flags) => {
    const args = ['train', ...flags, '--data', at('data.npz'), '--out', at('nothing'), '--batch-size', '32'];
    const { code, stderr } = await chestmnist([...args, ...(flags.includes('--epochs') ? [] : ['--epochs', '1'])]);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('ERR_CONFIG') });
    await expect(readdir(at('nothing'))).rejects.toThrow('ENOENT');
  });
});
