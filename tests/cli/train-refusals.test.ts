/** What `chestmnist train` refuses, before it creates anything. In this process, since no run begins. */
import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { saveWeights } from '../../src/weights';
import { eventsOf, scratch, SMALL } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';
import { arrays, labels, npz, type Npy } from '../support/npz';

const folder = scratch();

/** Runs it, checks code and exit code, and that nothing was created. */
async function refused(args: readonly string[], code: string, exit: number): Promise<Record<string, string>> {
  const out = path.join(folder(), 'refused');
  const result = await chestmnist([
    'train',
    '--json',
    '--device',
    'cpu',
    ...args,
    ...(args.includes('--out') ? [] : ['--out', out]),
  ]);
  const [error, ...rest] = eventsOf(result.stdout);
  expect({ exit: result.code, code: error?.code, rest }).toEqual({ exit, code, rest: [] });
  for (const part of ['found', 'needed', 'next']) expect(error[part]).toEqual(expect.stringMatching(/\S/));
  expect(result.stderr).toContain(`error ${code}`);
  await expect(access(out)).rejects.toThrow();
  return error as Record<string, string>;
}

describe('options', () => {
  test.each([
    [['--lr', '-1'], 'lr is -1'],
    [['--lr', 'NaN'], 'lr is NaN'],
    [['--lr', 'fast'], 'lr is "fast"'],
    [['--epochs', '0'], 'epochs is 0'],
    [['--device', 'gpu'], 'device is "gpu"'],
    [['--size', '29'], 'size is 29'],
    [['--resize', '26'], 'resize is 26'],
    [['--milestones', '50%,x'], 'milestones is'],
    [['--name', '../elsewhere'], 'name is'],
    [['--frobnicate'], 'unknown option'],
    [['--config', 'none.json'], 'does not exist'],
    [[...SMALL, '--limit-train', '100'], '100 images, fewer than one batch of 128'],
    [[...SMALL, '--weights', 'none.safetensors'], 'none.safetensors'],
  ])('%j', async (args, found) => {
    expect((await refused(args, 'ERR_CONFIG', 2)).found).toContain(found);
  });

  test('a configuration with an option that does not exist', async () => {
    const file = path.join(folder(), 'config.json');
    await writeFile(file, '{"epoch": 3}');
    expect((await refused(['--config', file], 'ERR_CONFIG', 2)).needed).toContain('epochs');
  });

  test('a configuration that is no JSON: what is wrong, and where', async () => {
    const file = path.join(folder(), 'commented.json');
    await writeFile(file, '{\n  // three\n  "epochs": 3\n}\n');
    expect((await refused(['--config', file], 'ERR_CONFIG', 2)).found).toContain('line 2, column 3: a comment');
    await writeFile(file, Buffer.from('\ufeff{"epochs": 3}', 'utf16le'));
    expect(await refused(['--config', file], 'ERR_CONFIG', 2)).toMatchObject({
      found: `${file} is UTF-16 text`,
      next: 'save the file as UTF-8',
    });
    // Read, with the byte-order mark of Windows: what is wrong now is in it.
    await writeFile(file, '\ufeff{"epoch": 3}');
    expect((await refused(['--config', file], 'ERR_CONFIG', 2)).needed).toContain('epochs');
  });

  test("a run's folder as configuration: the file in it is named", async () => {
    const run = path.join(folder(), 'a run');
    await mkdir(run);
    expect((await refused(['--config', run], 'ERR_CONFIG', 2)).found).toContain('it is a folder');
    await writeFile(path.join(run, 'config.json'), '{"epochs": 0}');
    const { next } = await refused(['--config', run], 'ERR_CONFIG', 2);
    expect(next).toBe(`--config '${path.join(run, 'config.json')}'`);
  });

  test('an output below a file', async () => {
    const file = path.join(folder(), 'file');
    await writeFile(file, '');
    await refused([...SMALL, '--out', path.join(file, 'runs')], 'ERR_OUTPUT', 2);
  });

  test('CUDA that is not there is refused, with the reason', async () => {
    const { reason } = await refused([...SMALL, '--device', 'cuda:99'], 'ERR_CUDA_UNAVAILABLE', 4);
    expect(['cpu-build', 'no-driver', 'driver-too-old', 'no-device']).toContain(reason);
  });
});

describe('data', () => {
  const with_ = (change: Record<string, Npy | undefined>): Record<string, Npy | undefined> => ({
    ...arrays(40, 8, 8),
    ...change,
  });
  const floats = { descr: '<f4', shape: [40, 28, 28], data: new Uint8Array(4 * 40 * 784) };
  const twos = { ...labels(40), data: labels(40).data.map((value) => 2 * value) };
  test.each<[string, Record<string, Npy | undefined>]>([
    ['missing arrays', with_({ val_labels: undefined })],
    ['float images', with_({ train_images: floats })],
    ['object arrays', with_({ train_labels: { descr: '|O', shape: [40, 14], data: new Uint8Array(4480) } })],
    ['labels of 2', with_({ train_labels: twos })],
    ['labels of another count', with_({ val_labels: labels(9) })],
    ['an odd image size', arrays(40, 8, 8, 29)],
    ['images below 28 px', arrays(40, 8, 8, 26)],
    ['an empty split', arrays(40, 0, 8)],
  ])('%s', async (name, content) => {
    const file = await npz(folder(), `${name.replaceAll(' ', '-')}.npz`, content);
    await refused(['--data', file, '--batch-size', '16'], 'ERR_DATA_SHAPE', 3);
  });

  test('no file, an unknown name, no zip, a truncated file', async () => {
    await refused(['--data', path.join(folder(), 'none.npz')], 'ERR_DATA_MISSING', 3);
    await refused(['--data', 'chestnist'], 'ERR_DATA_MISSING', 3);
    const text = path.join(folder(), 'text.npz');
    await writeFile(text, 'this is no zip file at all, only text');
    await refused(['--data', text], 'ERR_DATA_CORRUPT', 3);
    const whole = await npz(folder(), 'whole.npz', arrays(40, 8, 8));
    const cut = path.join(folder(), 'cut.npz');
    await writeFile(cut, (await readFile(whole)).subarray(0, 20_000));
    await refused(['--data', cut], 'ERR_DATA_CORRUPT', 3);
  });

  test('another size than asked for, a split smaller than a batch', async () => {
    const file = await npz(folder(), 'small.npz', arrays(40, 8, 8));
    expect((await refused(['--data', file, '--size', '64'], 'ERR_CONFIG', 2)).found).toContain('28 pixels');
    expect((await refused(['--data', file], 'ERR_CONFIG', 2)).found).toContain(
      '40 images, fewer than one batch of 128',
    );
  });
});

test('weights with other names', async () => {
  const file = path.join(folder(), 'other.safetensors');
  await saveWeights(file, [{ name: 'layer', dtype: 'F32', shape: [2], data: new Float32Array(2) }]);
  await refused([...SMALL, '--weights', file], 'ERR_WEIGHTS', 3);
});

test('nothing to resume', async () => {
  await refused(['--resume', path.join(folder(), 'none')], 'ERR_NOTHING_TO_RESUME', 2);
  await refused(['--resume'], 'ERR_NOTHING_TO_RESUME', 2);
});

test('nothing of all this was left behind', async () => {
  expect((await readdir(folder())).filter((name) => !/\.(npz|json|safetensors)$|^file$|^a run$/.test(name))).toEqual(
    [],
  );
});
