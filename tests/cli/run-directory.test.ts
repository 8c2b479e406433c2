/**
 * A run directory that others have been in: links and pipes in it, data or weights replaced since training, files of
 * another run. What belongs to others stays; what changed is said by every verb. In this process.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { copyFile, cp, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { evaluate, loadWeights, predict, saveWeights, train } from '../../src/index';
import { hashFile } from '../../src/base/checksum';
import { chestmnist as spawned, MAIN, scratch, type Json } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';
import { arrays, npy, npz, images } from '../support/npz';
import { NOT_FILES, othersFolder, replace, snapshot } from '../support/strangers';

const folder = scratch();
const at = (...names: string[]): string => path.join(folder(), ...names);
/** As long as a name of a file may be, in characters of three bytes. */
const DATA = `${'肺'.repeat(83)}.npz`;
const NAME = 'n'.repeat(255);
const QUICK = { batchSize: 16, device: 'cpu', threads: 1, report: false, resamples: 0, tensorboard: true } as const;
const json = (text: string): Json => JSON.parse(text) as unknown;
let whole: string;
let stopped: string;

beforeAll(async () => {
  const data = await npz(folder(), DATA, arrays(64, 16, 16));
  await writeFile(at('x.npy'), npy(images(2)));
  const options = { ...QUICK, data, epochs: 2, out: folder() };
  expect(await train({ ...options, name: NAME })).toMatchObject({ status: 'finished' });
  whole = at(NAME);
  const run = train({ ...options, name: 'stopped' });
  for await (const event of run) if (event.type === 'epoch') run.stop();
  expect(await run).toMatchObject({ status: 'stopped' });
  stopped = at('stopped');
});

/** A copy whose files are shared until they are replaced, which is how a run writes them. */
async function copyOf(run: string, name: string): Promise<string> {
  const copy = at(name);
  rmSync(copy, { recursive: true, force: true });
  await cp(run, copy, { recursive: true });
  return copy;
}

test('the longest names of data and run: the last file of the run is written too', async () => {
  const names = await readdir(path.join(whole, 'predictions'));
  expect(
    names.filter((name) => /^[^_]+_(val|test)_\[AUC\]\d\.\d{3}_\[ACC\]\d\.\d{3}@n{100}\.csv$/.test(name)),
  ).toHaveLength(2);
  const metrics = json(await readFile(path.join(whole, 'metrics.json'), 'utf8'));
  expect(metrics.best_epoch).toBeGreaterThan(0);
});

test("resumed among links to others' folders, to itself and to nothing, beside pipes: it ends as ever, and they stay", async () => {
  const run = await copyOf(stopped, 'among');
  const others = othersFolder(at());
  symlinkSync(others, path.join(run, 'data'));
  symlinkSync('.', path.join(run, 'self'));
  symlinkSync('loop', path.join(run, 'loop'));
  symlinkSync('nowhere', path.join(run, 'dangling'));
  replace(path.join(run, 'pipe.0123abcd.tmp'), NOT_FILES['a named pipe'], others);
  mkdirSync(path.join(run, 'mine'));
  writeFileSync(path.join(run, 'mine', 'history.csv.0123abcd.tmp'), 'theirs');
  const before = [...snapshot(others), ...snapshot(path.join(run, 'mine'))];
  expect(await chestmnist(['train', '--resume', run])).toMatchObject({ code: 0 });
  expect([...snapshot(others), ...snapshot(path.join(run, 'mine'))]).toEqual(before);
  for (const name of ['weights/best.safetensors', 'weights/last.safetensors', 'metrics.json', 'predictions/test.npz'])
    expect((await readFile(path.join(run, name))).equals(await readFile(path.join(whole, name)))).toBe(true);
  expect(await readdir(run)).toEqual(expect.arrayContaining(['data', 'self', 'loop', 'dangling', 'pipe.0123abcd.tmp']));
});

test.each(Object.entries(NOT_FILES))('a lock that is %s: one error, not a wait without end', async (_, put) => {
  const run = path.join(at(), 'locked');
  mkdirSync(path.join(run, 'checkpoint'), { recursive: true });
  writeFileSync(path.join(run, 'checkpoint', 'state.safetensors'), '');
  replace(path.join(run, 'lock'), put, othersFolder(at()));
  const { code, stderr } = await spawned(['train', '--resume', run]);
  expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(/ERR_OUTPUT\s+found .*lock is a/) });
});

const nobody = { uid: 65534, gid: 65534, encoding: 'utf8' } as const;
/** Root can start a process of another user, who must be able to read the package. */
const canBeNobody =
  process.platform !== 'win32' &&
  process.getuid?.() === 0 &&
  spawnSync(process.execPath, [MAIN, '--version'], nobody).status === 0;
const root = canBeNobody ? test : test.skip;
root('a folder of the run that this user may not write is found before the first epoch', async () => {
  const run = await copyOf(stopped, 'not-mine');
  mkdirSync(path.join(run, 'plots'), { mode: 0o755 });
  spawnSync('chown', ['-R', '65534', run]);
  spawnSync('chown', ['0', path.join(run, 'plots')]);
  spawnSync('chmod', ['755', folder()]);
  const args = [MAIN, 'train', '--resume', run, '--json'];
  const { status, stdout } = spawnSync(process.execPath, args, nobody);
  expect({ status, error: json(stdout) }).toMatchObject({
    status: 2,
    error: {
      code: 'ERR_OUTPUT',
      found: expect.stringMatching(/plots cannot be written: it is not permitted/),
      next: `allow this user to write there, then npx chestmnist train --resume ${run}`,
    },
  });
});

describe('what changed since a run was trained is said', () => {
  const notes = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await chestmnist([...args, ...(/^(ev|pr)/.test(args[0]) ? ['--device', 'cpu'] : [])]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    return stderr;
  };

  test('nothing, where nothing did', async () => {
    for (const args of [
      ['evaluate', whole],
      ['predict', whole, at('x.npy')],
      ['report', whole, '--data', at(DATA)],
    ])
      expect(await notes(...args)).not.toMatch(/MD5|is not the file that the run wrote/);
  });

  test('its data file was replaced', async () => {
    const changed = { ...arrays(64, 16, 16), test_images: { ...images(16), data: new Uint8Array(16 * 784).fill(7) } };
    const data = at(DATA);
    renameSync(data, at('kept.npz'));
    try {
      await npz(folder(), DATA, changed);
      const [now, before] = [await hashFile(data, 'md5'), await hashFile(at('kept.npz'), 'md5')];
      const said = expect.stringContaining(`MD5 ${now}, the run's has ${before}`);
      expect(await notes('evaluate', whole)).toEqual(said);
      expect(await notes('evaluate', whole, '--data', data)).toEqual(said);
      expect(await notes('report', whole, '--data', data)).toEqual(said);
      expect((await evaluate(whole, { device: 'cpu' })).notes).toContainEqual(said);
      // Other data, named as such, are no surprise.
      expect(await notes('evaluate', whole, '--data', at('kept.npz'))).not.toContain('MD5');
      const { stderr } = await chestmnist(['train', '--resume', stopped]);
      expect(stderr).toMatch(/ERR_CHECKPOINT_INCOMPATIBLE[^]*MD5/);
    } finally {
      renameSync(at('kept.npz'), data);
    }
  });

  test('its weights were replaced', async () => {
    const run = await copyOf(whole, 'weights');
    const best = path.join(run, 'weights', 'best.safetensors');
    const weights = await loadWeights(best);
    weights.find(({ name }) => name === 'fc.bias')!.data[0] = 1;
    await saveWeights(best, weights);
    const said = 'best.safetensors is not the file that the run wrote';
    expect(await notes('evaluate', run)).toContain(said);
    expect(await notes('predict', run, at('x.npy'))).toContain(said);
    expect(await notes('export', run, '--format', 'pth', '-o', at('out.pth'))).toContain(said);
    expect((await predict(run, [at('x.npy')], { device: 'cpu' })).notes).toContainEqual(expect.stringContaining(said));
  });

  test('it is not known, without run.json', async () => {
    const run = await copyOf(whole, 'no-record');
    rmSync(path.join(run, 'run.json'));
    expect(await notes('evaluate', run)).toContain('run.json is missing or damaged: it is not known');
  });

  test('its predictions are those of other weights: no curve is drawn of them', async () => {
    const run = await copyOf(whole, 'predictions');
    await copyFile(path.join(run, 'predictions', 'val.npz'), path.join(run, 'predictions', 'test.npz'));
    const flipped = {
      labels: arrays(1, 1, 16).test_labels,
      logits: { descr: '<f4', shape: [16, 14], data: new Uint8Array(16 * 14 * 4).fill(64) },
    };
    await npz(path.join(run, 'predictions'), 'test.npz', flipped);
    expect(await notes('report', run)).toContain('does not give the confusion matrices of metrics.json');
  });
});

test('weights of another network in a run are an error that names both, in every verb that uses them', async () => {
  const run = await copyOf(whole, 'cifar');
  const config = path.join(run, 'config.json');
  await writeFile(config, (await readFile(config, 'utf8')).replace('"torchvision"', '"cifar"'));
  for (const args of [
    ['evaluate', run],
    ['predict', run, at('x.npy')],
    ['export', run, '--format', 'pth', '-o', at('no.pth')],
  ])
    expect(await chestmnist(args)).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/ERR_WEIGHTS[^]*torchvision stem[^]*cifar stem/),
    });
});
