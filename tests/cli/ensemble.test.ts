/** Ensembles: members trained in one directory, continued, scored together, and used as one model. */
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { train, evaluate, listRuns, predict, type TrainEvent, type TrainOptions } from '../../src';
import { readNpz } from '../../src/base/npz';
import { readScored } from '../../src/run/predictions';
import { eventsOf, scratch, type Json } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';
import { runsIn } from '../support/runs';

const folder = scratch();
const at = (...names: string[]): string => path.join(folder(), ...names);
const { interrupt, expectSame } = runsIn(folder);
const json = async (...names: string[]): Promise<Json> => JSON.parse(await readFile(at(...names), 'utf8'));

const SEEDS = [3, 1, 2];
const BASE = ['--data', 'synthetic', '--limit-train', '128', '--limit-val', '64', '--limit-test', '64'];
const BARE = ['--epochs', '1', '--device', 'cpu', '--threads', '2', '--no-report', '--resamples', '50'];
const ARGS = [...BASE, ...BARE, '--batch-size', '32', '--seeds', SEEDS.join()];
const resume = (name: string, ...more: string[]) => chestmnist(['train', '--resume', at(name), ...more]);

beforeAll(async () => {
  const done = await chestmnist(['train', '--out', folder(), '--name', 'whole', ...ARGS]);
  expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(/mean ± sd/) });
  const lines = done.stdout.trimEnd().split('\n');
  expect([lines[0], lines.at(-1)]).toEqual([at('whole'), at('whole')]);
});

/** A copy of the whole ensemble, to break. */
async function copy(name: string): Promise<string> {
  await cp(at('whole'), at(name), { recursive: true });
  return at(name);
}

/** Float32 logits hold the mean: their rounding times the slope of the sigmoid, |x| p (1 - p) <= 0.2239. */
const ROUNDING = 0.2239 * 2 ** -24 + 1e-15;

describe('a trained ensemble', () => {
  test('its predictions are the mean of those of its members', async () => {
    for (const split of ['val', 'test'] as const) {
      const members = await Promise.all(SEEDS.map((seed) => readScored(at('whole', `seed-${seed}`), split)));
      const { scores, truth } = (await readScored(at('whole'), split))!;
      expect(scores).toHaveLength(64 * 14);
      scores.forEach((score, i) => {
        const mean = members.reduce((sum, of) => sum + of!.scores[i], 0) / SEEDS.length;
        expect(Math.abs(score - mean)).toBeLessThanOrEqual(ROUNDING);
      });
      expect(truth).toEqual(members[0]!.truth);
    }
    const names = await readdir(at('whole', 'predictions'));
    expect(names.filter((name) => name.endsWith('@whole.csv'))).toHaveLength(2);
  });

  test('metrics.json has its figures, those of the members, and the comparison with the best on validation', async () => {
    const { best_epoch, splits, tuned, ensemble } = await json('whole', 'metrics.json');
    const members = await Promise.all(SEEDS.map((seed) => json('whole', `seed-${seed}`, 'metrics.json')));
    expect(best_epoch).toBeNull();
    expect(splits.test.confidence).toMatchObject({ resamples: 50 });
    expect(Object.keys(tuned)).toContain('val-f1');
    const aucs = members.map(({ splits }) => splits.test.auc.macro as number);
    const listed = ensemble.members as { seed: number; test: { auc_macro: number } }[];
    expect(listed.map((of) => [of.seed, of.test.auc_macro])).toEqual(SEEDS.map((seed, i) => [seed, aucs[i]]));
    const mean = aucs.reduce((a, b) => a + b) / 3;
    expect(ensemble.mean.test.auc_macro.mean).toBeCloseTo(mean, 12);
    const variance = aucs.reduce((sum, of) => sum + (of - mean) ** 2, 0) / 2;
    expect(ensemble.mean.test.auc_macro.sd).toBeCloseTo(Math.sqrt(variance), 12);
    const onVal = members.map(({ splits }) => splits.val.auc.macro as number);
    const best = onVal.indexOf(Math.max(...onVal));
    expect(ensemble.best).toBe(SEEDS[best]);
    expect(ensemble.comparison.auc_macro).toMatchObject({ a: splits.test.auc.macro, b: aucs[best] });
    // The figures of the file of predictions are those of metrics.json.
    const file = at('whole', 'predictions', 'test.npz');
    const { auc, brier } = JSON.parse((await chestmnist(['metrics', file, '--json'])).stdout);
    expect({ auc, brier }).toEqual({ auc: splits.test.auc, brier: splits.test.brier });
  });

  test('in a list of runs it is one row', async () => {
    const { splits } = await json('whole', 'metrics.json');
    const { runs } = await listRuns(at('whole'));
    expect(runs).toMatchObject([
      { name: '.', kind: 'ensemble', status: 'finished', parts: 3, of_parts: 3, val_auc: splits.val.auc.macro },
    ]);
    expect(runs[0].test?.auc).toBe(splits.test.auc.macro);
    expect(runs[0].seconds).toBeGreaterThan(0);
  });

  test('a member is the run of its seed', async () => {
    const args = [...BASE, ...BARE, '--batch-size', '32', '--seed', '1'];
    expect(await chestmnist(['train', '--out', folder(), '--name', 'single', ...args])).toMatchObject({ code: 0 });
    await expectSame(path.join('whole', 'seed-1'), 'single');
  });

  test('several members at a time end as one after another; events name their member', async () => {
    const sizes = { limitTrain: 128, limitVal: 64, limitTest: 64, epochs: 1, batchSize: 32, resamples: 50 };
    const options: TrainOptions = { ...sizes, data: 'synthetic', device: 'cpu', threads: 2, report: false };
    const run = train({ ...options, out: folder(), name: 'jobs', seeds: SEEDS, jobs: 2 });
    const events: TrainEvent[] = [];
    for await (const event of run) if (event.type !== 'progress' && event.type !== 'note') events.push(event);
    const own = events.filter(({ member }) => member === undefined).map(({ type }) => type);
    expect(own).toEqual(['ensemble', 'finish']);
    for (const seed of SEEDS) {
      const types = events.filter(({ member }) => member === seed).map(({ type }) => type);
      expect(types).toEqual(['start', 'epoch', 'finish']);
      await expectSame(path.join('jobs', `seed-${seed}`), path.join('whole', `seed-${seed}`));
    }
    const starts = events.flatMap((event) => (event.type === 'start' ? [event.threads] : []));
    expect(starts).toEqual([1, 1, 1]);
    expect(await run).toMatchObject({ status: 'finished', runDirectory: at('jobs'), bestEpoch: null });
    for (const name of ['metrics.json', 'predictions/test.npz'])
      expect((await readFile(at('jobs', name))).equals(await readFile(at('whole', name)))).toBe(true);
  });
});

describe('continued', () => {
  test.each(['SIGKILL', 'SIGINT'] as const)(
    'after %s in its second member it ends as one that was left alone',
    async (signal) => {
      const training = (event: Json): boolean =>
        event.member === 1 && (event.type === 'epoch' || (event.type === 'progress' && event.phase === 'train'));
      const stopped = await interrupt(['--name', signal, ...ARGS], signal, training);
      if (signal === 'SIGINT') {
        expect(stopped.code).toBe(130);
        expect(stopped.events.at(-1)).toMatchObject({
          ...{ type: 'stop', runDirectory: at(signal), resume: `npx chestmnist train --resume ${at(signal)}` },
        });
        const { status, members } = await json(signal, 'ensemble.json');
        expect([status, ...(members as { status: string }[]).map((of) => of.status)]).toEqual([
          'stopped',
          'finished',
          'stopped',
          'waiting',
        ]);
        expect(await chestmnist(['evaluate', at(signal)])).toMatchObject({
          code: 2,
          stderr: expect.stringMatching(/is not finished: 1 of its 3 members are/),
        });
        expect(await chestmnist(['report', at(signal)])).toMatchObject({ code: 2 });
      }
      // Alone, --resume finds it: everything else in the folder is finished.
      const done = await chestmnist(['train', '--out', folder(), '--resume']);
      expect(done).toMatchObject({ code: 0, stderr: expect.not.stringContaining('seed 3:') });
      for (const seed of SEEDS) await expectSame(path.join(signal, `seed-${seed}`), path.join('whole', `seed-${seed}`));
      expect(await json(signal, 'metrics.json')).toEqual(await json('whole', 'metrics.json'));
      const predictions = 'predictions/test.npz';
      expect((await readFile(at(signal, predictions))).equals(await readFile(at('whole', predictions)))).toBe(true);
    },
  );

  test('a member that was lost is trained again, with the same result', async () => {
    await copy('lost');
    await rm(at('lost', 'seed-2'), { recursive: true });
    expect(await chestmnist(['evaluate', at('lost')])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /member seed-2: [^]*npx chestmnist train --resume \S+lost trains this member again/,
      ),
    });
    await chestmnist(['data', 'synthesize', '-o', at('other.npz'), '--counts', '128,64,64', '--seed', '9']);
    expect(await resume('lost', '--data', at('other.npz'))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/member seed-2: data other with MD5[^]*the data of \S+lost: synthetic with MD5/),
    });
    // A folder that a killed process left before its first checkpoint.
    await mkdir(at('lost', 'seed-2', 'weights'), { recursive: true });
    expect(await resume('lost')).toMatchObject({ code: 0 });
    await expectSame(path.join('lost', 'seed-2'), path.join('whole', 'seed-2'));
    expect(await json('lost', 'metrics.json')).toEqual(await json('whole', 'metrics.json'));
  });

  test('stopped before it has a directory, there is nothing to continue', async () => {
    const run = train({ data: 'synthetic', out: folder(), name: 'never', seeds: [0, 1] });
    run.stop();
    expect(await run).toMatchObject({ status: 'stopped', runDirectory: null });
    expect(await readdir(folder())).not.toContain('never');
  });
});

describe('used as one model', () => {
  test('evaluate scores the mean of the members', async () => {
    const { splits, tuned } = await json('whole', 'metrics.json');
    const { metrics, scores, notes } = await evaluate(at('whole'), { threads: 1, device: 'cpu' });
    expect(metrics.auc).toEqual(splits.test.auc);
    expect(scores).toEqual((await readScored(at('whole'), 'test'))!.scores);
    expect(notes).toEqual([]);
    const done = await chestmnist(['evaluate', at('whole'), '--thresholds', 'val-f1', '--json']);
    expect(JSON.parse(done.stdout).threshold).toEqual(tuned['val-f1'].thresholds);
  });

  test('predict has the mean and the spread of the members', async () => {
    await chestmnist(['data', 'synthesize', '-o', at('set.npz'), '--counts', '8,4,6']);
    const input = [at('set.npz')];
    const whole = await predict(at('whole'), input);
    const members = await Promise.all(SEEDS.map((seed) => predict(at('whole', `seed-${seed}`), input)));
    expect(members[0].spread).toBeNull();
    expect(whole.scores).toHaveLength(18 * 14);
    whole.scores.forEach((score, i) => {
      const of = members.map(({ scores }) => scores[i]);
      const mean = of.reduce((a, b) => a + b) / 3;
      expect(Math.abs(score - mean)).toBeLessThanOrEqual(ROUNDING);
      const sd = Math.sqrt(of.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 2);
      expect(whole.spread![i]).toBeCloseTo(sd, 12);
    });
    const csv = (await chestmnist(['predict', at('whole'), ...input])).stdout.split('\n');
    expect(csv[0]).toMatch(/^image,atelectasis,atelectasis_spread,atelectasis_decision,/);
    expect(csv[1].split(',')).toHaveLength(1 + 3 * 14);
    expect(csv[1].split(',')[2]).toBe(whole.spread![0].toFixed(6));
    await chestmnist(['predict', at('whole'), ...input, '-o', at('out.npz')]);
    expect((await readNpz(at('out.npz'), { keys: ['spread'] })).get('spread')!.data).toEqual(whole.spread);
    const { predictions } = JSON.parse((await chestmnist(['predict', at('whole'), ...input, '--json'])).stdout);
    expect(predictions[0].spread).toEqual([...whole.spread!.subarray(0, 14)]);
  });

  test('export writes a file for each member into a folder', async () => {
    const done = await chestmnist(['export', at('whole'), '--format', 'safetensors', '-o', at('files'), '--json']);
    expect(done.code).toBe(0);
    const { files } = JSON.parse(done.stdout) as { files: { file: string }[] };
    expect(files.map(({ file }) => file)).toEqual(SEEDS.map((seed) => at('files', `seed-${seed}.safetensors`)));
    const evaluated = await evaluate(at('files', 'seed-2.safetensors'), {
      ...{ data: 'synthetic', limit: 64, device: 'cpu' },
    });
    expect(evaluated.labels).toHaveLength(14);
    expect(await chestmnist(['export', at('whole'), '--format', 'onnx', '-o', at('files')])).toMatchObject({ code: 0 });
    // Each with its model card, as Markdown and JSON.
    expect(await readdir(at('files'))).toHaveLength(18);
    const again = await chestmnist(['export', at('whole'), '--format', 'onnx', '-o', at('files')]);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringMatching(/seed-3\.onnx exists/) });
    const one = await chestmnist(['export', at('whole'), '--format', 'onnx', '-o', at('one.onnx')]);
    expect(one).toMatchObject({ code: 2, stderr: expect.stringMatching(/a folder: an ensemble of 3 members/) });
  });

  test('report draws its page with the members', async () => {
    const { code, stdout } = await chestmnist(['report', at('whole')]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${at('whole', 'report.html')}\n` });
    const page = await readFile(at('whole', 'report.html'), 'utf8');
    expect(page).toContain('mean of the probabilities of 3 members');
    expect(page).toMatch(/<h2 id="members">Members<\/h2>/);
    expect(page).toMatch(/seed 3/);
    expect(await readdir(at('whole', 'plots'))).toContain('roc.svg');
  });
});

describe('refused', () => {
  test.each([
    [['--seeds', '0,1,0'], /--seeds has 0 twice/],
    [['--seeds', '4'], /--seeds is \[4\][^]*two or more different whole numbers/],
    [['--seeds', '0,-1'], /--seeds is \[0,-1\]/],
    [['--seeds', '0,x'], /--seeds/],
    [['--jobs', '2'], /--jobs is 2, and one network is trained/],
  ])('%j', async (flags, message) => {
    const refused = await chestmnist(['train', '--data', 'synthetic', '--out', at('none'), ...flags]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
  });

  test('a finished ensemble has nothing to continue; other options and seeds are not its own', async () => {
    expect(await resume('whole')).toMatchObject({ code: 2, stderr: expect.stringMatching(/is finished: all its 3/) });
    for (const flags of [
      ['--epochs', '4'],
      ['--seeds', '3,1'],
      ['--lr', '0.1'],
    ])
      expect(await resume('whole', ...flags)).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/the options of/),
      });
    const taken = await chestmnist(['train', '--out', folder(), '--name', 'whole', ...ARGS]);
    expect(taken).toMatchObject({ code: 2, stderr: expect.stringMatching(/already exists/) });
    const single = await chestmnist(['train', '--resume', at('whole', 'seed-1'), '--seeds', '0,1']);
    expect(single.code).toBe(2);
  });

  test('a member of another network, of other data, or damaged, is named with what repairs it', async () => {
    await copy('broken');
    const place = at('broken', 'seed-1');
    const refusal = async (): Promise<string> => {
      const { code, stderr } = await chestmnist(['evaluate', at('broken')]);
      expect(code).toBeGreaterThan(0);
      return stderr;
    };
    const change = async (file: string, make: (value: Json) => void): Promise<string> => {
      const before = await readFile(path.join(place, file), 'utf8');
      const value = JSON.parse(before);
      make(value);
      await writeFile(path.join(place, file), JSON.stringify(value));
      const text = await refusal();
      await writeFile(path.join(place, file), before);
      return text;
    };
    expect(await change('config.json', (of) => (of.lr = 0.5))).toMatch(/seed-1 was trained with lr 0\.5[^]*lr 0\.001/);
    expect(await change('config.json', (of) => (of.stem = 'cifar'))).toMatch(/member seed-1: [^]*stem/);
    expect(await change('run.json', (of) => (of.data.md5 = 'f'.repeat(32)))).toMatch(
      /seed-1 was trained on synthetic with MD5 f/,
    );
    const weights = path.join(place, 'weights', 'best.safetensors');
    await writeFile(weights, 'no weights');
    expect(await refusal()).toMatch(
      /member seed-1: [^]*remove \S+best\.safetensors, then npx chestmnist train --resume \S+seed-1 writes it again/,
    );
    await rm(weights);
    expect(await refusal()).toMatch(/member seed-1: [^]*npx chestmnist train --resume \S+seed-1/);
    // The ensemble repairs it too.
    expect(await resume('broken')).toMatchObject({ code: 0 });
    await expectSame(path.join('broken', 'seed-1'), path.join('whole', 'seed-1'));
    await writeFile(at('broken', 'ensemble.json'), '{"status": "finished"}');
    expect(await refusal()).toMatch(/ensemble\.json is not as expected/);
    const key = await chestmnist(['evaluate', at('whole'), '--weights-key', 'ema']);
    expect(key).toMatchObject({ code: 2, stderr: expect.stringMatching(/is an ensemble/) });
  });
});

test('with --json the first line tells the directory, and members are in their events', async () => {
  await copy('json');
  await rm(at('json', 'metrics.json'));
  const { stdout } = await resume('json', '--json');
  expect(eventsOf(stdout).map((event): unknown => event.type)).toEqual(['ensemble', 'finish']);
  expect(eventsOf(stdout)[0]).toMatchObject({ runDirectory: at('json'), seeds: SEEDS, resumed: true });
});
