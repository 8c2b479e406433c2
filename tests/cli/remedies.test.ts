/**
 * The `next` of errors about runs and their data, each in its own situation: what it advises is done, the printed commands as they
 * are printed, and then it works. In this process. Not here: set-up's (setup*.test.ts), weights of other tools
 * (parity/foreign-weights.test.ts), what stands in a run directory (unit/run/entries.test.ts).
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { copyFile, cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { shellWord } from '../../src/base/shell';
import { train } from '../../src/index';
import { scratch } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';
import { arrays, images, labels, npy, npz } from '../support/npz';
import { failure, printedCommands, runPrinted } from '../support/printed';
import { smallDisk } from '../support/small-disk';

const folder = scratch();
const at = (...names: string[]): string => path.join(folder(), ...names);
const CPU = ['--device', 'cpu', '--threads', '1'];
const QUICK = [...CPU, '--no-report', '--resamples', '0'];
const own = { batchSize: 16, device: 'cpu', threads: 1, report: false, resamples: 0 } as const;
let data: string;
let finished: string;
let stopped: string;

beforeAll(async () => {
  await mkdir(at('my runs'));
  data = await npz(folder(), 'my data.npz', arrays(64, 16, 16));
  await writeFile(at('x.npy'), npy(images(2)));
  const options = { ...own, data, epochs: 2, out: at('my runs') };
  expect(await train({ ...options, name: 'finished', epochs: 1, patience: 5 })).toMatchObject({ status: 'finished' });
  const run = train({ ...options, name: 'stopped' });
  for await (const event of run) if (event.type === 'epoch') run.stop();
  expect(await run).toMatchObject({ status: 'stopped' });
  finished = at('my runs', 'finished');
  stopped = at('my runs', 'stopped');
  // Half of what every copy would have to copy.
  for (const run of [finished, stopped]) rmSync(path.join(run, 'checkpoint', 'previous.safetensors'));
});

let copies = 0;
/** A copy of a run, in a folder whose name needs quotes. */
async function copyOf(run: string): Promise<string> {
  const copy = at('my runs', `copy-${++copies}`);
  await cp(run, copy, { recursive: true });
  return copy;
}
const resume = (run: string, ...more: string[]): string[] => ['train', '--resume', run, ...more];
const works = async (...args: string[]): Promise<void> => {
  const { code, stderr } = await chestmnist(args);
  expect({ code, stderr }).toMatchObject({ code: 0 });
};

afterEach(async () => {
  for (const name of await readdir(at('my runs')))
    if (!['finished', 'stopped'].includes(name)) await rm(at('my runs', name), { recursive: true });
});

describe('resuming', () => {
  test('other options: left out; other data: those of the run; no such run: one that is named', async () => {
    const run = await copyOf(stopped);
    const { code, next } = await failure(resume(run, '--lr', '0.5'));
    expect({ code, next }).toMatchObject({
      code: 'ERR_CHECKPOINT_INCOMPATIBLE',
      next: expect.stringMatching(/^leave these options out/),
    });
    const other = await npz(folder(), 'other.npz', arrays(64, 8, 8));
    expect(await failure(resume(run, '--data', other))).toMatchObject({
      found: expect.stringContaining('MD5'),
      next: expect.stringMatching(/^pass the data file of that run with --data/),
    });
    for (const args of [
      ['--resume', at('none')],
      ['--resume', '--out', at('none')],
    ])
      expect(await failure(['train', ...args])).toMatchObject({
        code: 'ERR_NOTHING_TO_RESUME',
        next: 'name a run: --resume RUN, or start a new one',
      });
    // All three lead to one command.
    await works(...resume(run, '--data', data));
    expect(await readFile(path.join(run, 'run.json'), 'utf8')).toContain('"status": "finished"');
  });

  test('fewer epochs than have begun: left out', async () => {
    const run = await copyOf(finished);
    await works(...resume(run, '--epochs', '2'));
    expect((await failure(resume(run, '--epochs', '1'))).next).toMatch(/^leave --epochs out, or start a new run/);
    await works(...resume(run, '--epochs', '3'));
  });

  test('data that have moved: where they are now', async () => {
    const run = await copyOf(stopped);
    renameSync(data, at('moved.npz'));
    try {
      const { code, found, next } = await failure(resume(run));
      expect({ code, found, next }).toEqual({
        code: 'ERR_DATA_MISSING',
        found: expect.stringContaining(`${data} cannot be opened`),
        next: `if it was moved: npx chestmnist train --resume ${shellWord(run)} --data FILE`,
      });
      expect((await failure(['evaluate', run])).next).toBe(
        `if it was moved: npx chestmnist evaluate ${shellWord(run)} --data FILE`,
      );
      await works('evaluate', run, '--data', at('moved.npz'));
      await works(...resume(run, '--data', at('moved.npz')));
    } finally {
      renameSync(at('moved.npz'), data);
    }
  });

  test('a finished run: the printed command extends it', async () => {
    const run = await copyOf(finished);
    const { code, next } = await failure(resume(run));
    expect({ code, next }).toEqual({
      code: 'ERR_NOTHING_TO_RESUME',
      next: `for more epochs: npx chestmnist train --resume '${run}' --epochs 11`,
    });
    await runPrinted(next.replace('11', '2'));
  });

  test('a run that patience ended: the printed command begins a new one', async () => {
    const config = [
      '--data',
      data,
      '--batch-size',
      '16',
      '--patience',
      '1',
      '--lr',
      '1e-9',
      '--epochs',
      '40',
      ...QUICK,
    ];
    const impatient = at('my runs', 'impatient');
    await works('train', ...config, '--out', at('my runs'), '--name', 'impatient');
    const { found, next } = await failure(resume(impatient, '--epochs', '50'));
    expect(found).toContain('patience 1 ended it');
    await runPrinted(next, '--epochs', '1', '--out', at('my runs'), '--name', 'patient');
  });

  test('both checkpoints damaged: the printed weights start a new run', async () => {
    const run = await copyOf(finished);
    await copyFile(
      path.join(run, 'checkpoint', 'state.safetensors'),
      path.join(run, 'checkpoint', 'previous.safetensors'),
    );
    for (const name of ['state', 'previous']) await truncate(path.join(run, 'checkpoint', `${name}.safetensors`), 1000);
    const { next } = await failure(resume(run, '--epochs', '2'));
    const [, weights] = /--weights '([^']+)' starts from the best weights/.exec(next)!;
    const flags = ['--data', data, '--batch-size', '16', '--epochs', '1', ...QUICK];
    await works('train', ...flags, '--weights', weights, '--out', at('my runs'), '--name', 'from-best');
  });

  test('config.json changed by hand: a new run of it, or the old one without it', async () => {
    const run = await copyOf(stopped);
    const config = path.join(run, 'config.json');
    await writeFile(config, (await readFile(config, 'utf8')).replace('"lr": 0.001', '"lr": 0.002'));
    const { next } = await failure(resume(run));
    const [fresh, old] = printedCommands(next);
    await works(...fresh, '--out', at('my runs'), '--name', 'edited');
    rmSync(config);
    await works(...old);
    expect(await readFile(config, 'utf8')).toContain('"lr": 0.001');
  });

  test("another run's checkpoint: the run's own file, or the checkpoint alone", async () => {
    const run = await copyOf(stopped);
    const kept = await copyOf(stopped);
    await cp(path.join(finished, 'checkpoint'), path.join(run, 'checkpoint'), { recursive: true });
    const { code, next } = await failure(resume(run));
    expect(code).toBe('ERR_CHECKPOINT_INCOMPATIBLE');
    for (const file of next.match(/'[^']+\.(json|csv)'/g)!) rmSync(file.slice(1, -1));
    await works(...printedCommands(next)[0], '--epochs', '2');
    await cp(path.join(finished, 'checkpoint'), path.join(kept, 'checkpoint'), { recursive: true });
    await failure(resume(kept));
    await cp(path.join(stopped, 'checkpoint'), path.join(kept, 'checkpoint'), { recursive: true });
    await works(...resume(kept));
  });
});

describe('a run that lost files', () => {
  test.each(['config.json', 'weights/best.safetensors'])('%s: the printed command writes it again', async (name) => {
    const run = await copyOf(finished);
    rmSync(path.join(run, name));
    for (const verb of [
      ['evaluate', run, ...CPU],
      ['predict', run, at('x.npy'), ...CPU],
      ['export', run, '--format', 'pth', '-o', at('lost.pth')],
    ])
      expect(printedCommands((await failure(verb)).next)).toEqual([['train', '--resume', run]]);
    await runPrinted((await failure(['evaluate', run])).next);
    expect(await readFile(path.join(run, name))).toHaveLength((await readFile(path.join(finished, name))).length);
    await works('evaluate', run, ...CPU);
  });

  test.each([
    ['config.json', 'evaluate'],
    ['metrics.json', 'evaluate'],
    ['run.json', 'report'],
    ['history.csv', 'report'],
    ['predictions/test.npz', 'report'],
  ])('%s that is damaged: removed, the printed command writes it again', async (name, verb) => {
    const run = await copyOf(finished);
    const file = path.join(run, name);
    if (name.endsWith('.npz')) await npz(path.dirname(file), 'test.npz', { labels: labels(16), logits: labels(16) });
    else await writeFile(file, '{"lr": [');
    const { code, next } = await failure([verb, run]);
    expect({ code, next }).toMatchObject({
      code: 'ERR_DATA_CORRUPT',
      next: expect.stringMatching(/^restore it from a copy; or remove it, and/),
    });
    rmSync(file);
    await runPrinted(next);
    await works(verb, run);
  });

  test('without a finished epoch: the printed command trains one', async () => {
    const run = train({ ...own, data, epochs: 1, out: at('my runs'), name: 'early' });
    for await (const event of run) if (event.type === 'start') run.stop();
    await run;
    const { found, next } = await failure(['evaluate', at('my runs', 'early')]);
    expect(found).toMatch(/has no best weights: none of its epochs has finished$/);
    await runPrinted(next);
    await works('evaluate', at('my runs', 'early'), ...CPU);
  });

  test('removed altogether: the path is checked', async () => {
    for (const verb of [
      ['evaluate', at('gone')],
      ['predict', at('gone'), at('x.npy')],
      ['report', at('gone')],
    ])
      expect(await failure(verb)).toMatchObject({
        code: 'ERR_CONFIG',
        next: 'check the path; runs are in runs/ unless --out named another folder',
      });
  });
});

describe('a new run', () => {
  const fresh = (name: string, ...more: string[]): string[] => [
    ...['train', '--data', data, '--batch-size', '16', '--epochs', '1', ...QUICK],
    ...['--out', at('my runs'), '--name', name, ...more],
  ];

  test('a name that is taken: another, or the printed command', async () => {
    const run = await copyOf(stopped);
    const { code, next } = await failure(fresh(path.basename(run)));
    expect({ code, next }).toMatchObject({
      code: 'ERR_OUTPUT',
      next: expect.stringMatching(/^choose another --name, or continue it: /),
    });
    await runPrinted(next);
    // Of the finished run only the first half is true, and said.
    expect((await failure(fresh(path.basename(run)))).next).toBe('choose another --name');
    await works(...fresh('another'));
  });

  test('more images in a batch than there are: the printed size', async () => {
    const { next } = await failure(fresh('batch', '--batch-size', '128'));
    const [, size] = /^--batch-size (\d+) or smaller/.exec(next)!;
    await works(...fresh('batch', '--batch-size', size));
  });

  test('another size than the images have: left out, and resized for the network', async () => {
    const { next } = await failure(fresh('size', '--size', '64'));
    const [, flag, side] = /^leave --size out; (--resize) (64) resizes/.exec(next)!;
    await works(...fresh('size', flag, side));
  });

  test('labels of another number: corrected, or left out', async () => {
    expect((await failure(fresh('labels', '--label-names', 'a,b'))).next).toBe(
      'correct --label-names, or leave it out',
    );
    await works(...fresh('labels'));
  });

  test('rates that grow without end: a lower gamma, or fewer milestones', async () => {
    const grown = ['--epochs', '3', '--gamma', '1e200'];
    const { next } = await failure(fresh('gamma', ...grown, '--milestones', '1,2'));
    expect(next).toBe('use a lower gamma or fewer milestones');
    await works(...fresh('gamma', '--milestones', '1,2', '--gamma', '0.1'));
  });

  test('a loss that is not finite: a lower rate', async () => {
    const { code, next } = await failure(fresh('loss', '--lr', '1e30', '--epochs', '2'));
    expect({ code, next }).toMatchObject({
      code: 'ERR_NON_FINITE_LOSS',
      next: 'start again with a lower --lr; no epoch has finished, so the run directory has no weights',
    });
    await works(...fresh('loss-2', '--lr', '1e-3'));
  });

  test('a configuration with a mistake: corrected', async () => {
    const file = at('mistake.json');
    for (const text of ['{"lr": 0.001,}', '[]']) {
      await writeFile(file, text);
      expect((await failure(fresh('mistake', '--config', file))).next).toMatch(
        /correct the file, or pass another --config$/,
      );
    }
    await writeFile(file, '{"lr": 0.001}');
    await works(...fresh('mistake', '--config', file));
  });

  const disk = smallDisk('80m');
  (disk ? test : test.skip)(
    'a disk that is full before the first checkpoint: room, then the printed steps, whichever is taken',
    async () => {
      const out = disk!.path;
      const args = [
        'train',
        '--data',
        data,
        '--batch-size',
        '16',
        '--epochs',
        '1',
        ...QUICK,
        '--out',
        out,
        '--name',
        'full',
      ];
      const run = path.join(out, 'full');
      const { code, next } = await failure(args);
      expect({ code, next }).toEqual({
        code: 'ERR_DISK',
        next: `free some space on it, then remove ${run} and start the run again`,
      });
      expect(existsSync(path.join(run, 'checkpoint', 'state.safetensors'))).toBe(false);
      // Whoever resumes it is not sent in a circle.
      expect((await failure(resume(run))).next).toBe('name a run: --resume RUN, or start a new one');
      expect((await failure(args)).next).toBe('choose another --name');
      disk!.remount('size=700m');
      rmSync(run, { recursive: true });
      await works(...args);
    },
  );
});

describe('judging', () => {
  test('weights without data: the printed command, with the data', async () => {
    const weights = path.join(finished, 'weights', 'best.safetensors');
    const { next } = await failure(['evaluate', weights]);
    const [command] = printedCommands(next);
    expect(command).toEqual(['evaluate', weights, '--data', 'chestmnist']);
    await works(...command.slice(0, -1), data, ...CPU);
  });

  test('thresholds that a run does not have: numbers, or a file', async () => {
    expect((await failure(['predict', finished, at('x.npy'), '--thresholds', 'val-sensitivity=0.8'])).next).toBe(
      'pass numbers, or a JSON file of thresholds',
    );
    await writeFile(at('t.json'), JSON.stringify({ thresholds: Array(14).fill(0.2) }));
    for (const thresholds of ['0.3', at('t.json')])
      await works('predict', finished, at('x.npy'), '--thresholds', thresholds, ...CPU);
  });

  test('weights of another network in a run: named themselves, or put back', async () => {
    const run = await copyOf(finished);
    const config = path.join(run, 'config.json');
    await writeFile(config, (await readFile(config, 'utf8')).replace('"torchvision"', '"cifar"'));
    const { next } = await failure(['predict', run, at('x.npy')]);
    const [, weights] = /name this file itself: '([^']+)'$/.exec(next)!;
    await works('predict', weights, at('x.npy'), ...CPU);
  });

  test('weights of another stem: the printed one', async () => {
    const weights = path.join(finished, 'weights', 'best.safetensors');
    const args = ['train', '--data', data, '--batch-size', '16', '--epochs', '1', ...QUICK, '--out', at('my runs')];
    const { next } = await failure([...args, '--weights', weights, '--stem', 'cifar']);
    const [, flag, stem] = /^use (--stem) (torchvision), or weights/.exec(next)!;
    await works(...args, '--name', 'stem', '--weights', weights, flag, stem);
  });

  test("another tool's folder: the printed file in it", async () => {
    await mkdir(at('hub'));
    await copyFile(path.join(finished, 'weights', 'best.safetensors'), at('hub', 'model.safetensors'));
    await writeFile(at('hub', 'config.json'), '{"architectures": []}');
    const [, file] = /^pass the file: (.*)$/.exec((await failure(['predict', at('hub'), at('x.npy')])).next)!;
    await works('predict', file, at('x.npy'), ...CPU);
  });

  test('data with other labels: data with its own, or names for both', async () => {
    const names = Array.from({ length: 14 }, (_, i) => `finding ${i}`).join(',');
    const weights = path.join(finished, 'weights', 'best.safetensors');
    const three = Object.fromEntries(['train', 'val', 'test'].map((split) => [`${split}_labels`, labels(16, 3)]));
    const other = await npz(folder(), 'three.npz', { ...arrays(16, 16, 16), ...three });
    expect((await failure(['evaluate', weights, '--data', other])).next).toBe('pass data with its own labels');
    await works('evaluate', weights, '--data', data, '--label-names', names, ...CPU);
  });

  test('a file that is there: --force, or another', async () => {
    const to = ['--format', 'pth', '-o', at('there.pth')];
    await works('export', finished, ...to);
    expect((await failure(['export', finished, ...to])).next).toBe('choose another --output, or add --force');
    await works('export', finished, ...to, '--force');
    const made = ['data', 'synthesize', '-o', at('there.npz'), '--counts', '30,30,30'];
    await works(...made);
    expect((await failure(made)).next).toMatch(/add --force to overwrite it$/);
    await works(...made, '--force');
    expect((await failure(['data', 'synthesize', '-o', at('new.npz'), '--counts', '30'])).next).toBe(
      'for example --counts 4000,500,1000',
    );
    await works('data', 'synthesize', '-o', at('new.npz'), '--counts', '4000,500,1000');
  });
});
