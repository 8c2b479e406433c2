/** A run directory that contradicts itself: said before anything is written, with advice that works. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { writeJson } from '../../../src/base/json';
import type { TrainOptions } from '../../../src/recipe/options';
import { loadCheckpoint, saveCheckpoint, type Checkpoint } from '../../../src/run/checkpoint';
import { writeConfig } from '../../../src/run/config';
import { runFiles } from '../../../src/run/directory';
import { writeHistory } from '../../../src/run/history';
import { ask, findRun, plan } from '../../../src/train/plan';
import { checkpointAt } from '../../support/checkpoint';
import { fillIn, RECORD } from '../../support/record';
import { snapshot } from '../../support/strangers';

let folder: string;
let run: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'agree-'));
  run = path.join(folder, 'run');
  await made(checkpointAt(2, { epochs: 400 }));
});
afterEach(() => rm(folder, { recursive: true }));

const record = (checkpoint: Checkpoint) => ({
  ...{ ...RECORD, status: 'stopped', id: 'this', epochs: checkpoint.history.length },
  data: { ...checkpoint.data, path: null },
});

/** A stopped run. */
async function made(checkpoint: Checkpoint): Promise<void> {
  await saveCheckpoint(run, { ...checkpoint, run: 'this' });
  await writeConfig(run, checkpoint.options);
  await writeJson(runFiles(run).run, record(checkpoint));
}

const edit = async (file: string, change: (text: string) => string): Promise<void> =>
  writeFile(file, change(await readFile(file, 'utf8')));
const editRecord = (change: object): Promise<void> =>
  edit(runFiles(run).run, (text) => JSON.stringify({ ...(JSON.parse(text) as object), ...change }));
const editConfig = (change: object): Promise<void> =>
  edit(runFiles(run).config, (text) => JSON.stringify({ ...(JSON.parse(text) as object), ...change }));
const resume = (given: TrainOptions = {}) => plan(ask({ resume: run, ...given }), run);

async function refused(found: RegExp, given: TrainOptions = {}): Promise<string> {
  const before = snapshot(folder);
  const error: unknown = await resume(given).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'ERR_CHECKPOINT_INCOMPATIBLE', found: expect.stringMatching(found) });
  expect(snapshot(folder)).toEqual(before);
  return (error as { next: string }).next;
}

test('without a contradiction it is resumed', async () => {
  expect((await resume()).resumed?.notes).toEqual([]);
});

describe("another run's checkpoint", () => {
  test('is told by its run, even when all options are the same; it is continued once the others are removed', async () => {
    await saveCheckpoint(run, { ...checkpointAt(1, { epochs: 400 }), run: 'another' });
    expect(await refused(/run\.json is of the run this, its checkpoint of the run another$/)).toContain(
      `remove ${runFiles(run).run} and ${runFiles(run).config} and ${runFiles(run).history}, then npx chestmnist train --resume ${run}`,
    );
    for (const file of [runFiles(run).run, runFiles(run).config]) await rm(file);
    expect((await resume()).resumed?.checkpoint.position.epoch).toBe(2);
  });

  test('of an earlier version, without the name of its run, by its options', async () => {
    await saveCheckpoint(run, checkpointAt(2, { epochs: 400, lr: 0.5 }));
    await refused(/config\.json says lr 0\.001, its checkpoint lr 0\.5$/);
  });

  test('or by its data', async () => {
    const other = checkpointAt(2, { epochs: 400 });
    await saveCheckpoint(run, { ...other, data: { ...other.data, md5: 'cd' } });
    await refused(/run\.json has data with MD5 ab, its checkpoint data with MD5 cd$/);
  });
});

describe('run.json', () => {
  test('says finished with 2 of 400 epochs', async () => {
    await editRecord({ status: 'finished' });
    await fillIn(run);
    // Named or found, it is not taken for finished.
    expect(await findRun(ask({ resume: run }))).toBe(run);
    expect(await findRun(ask({ resume: true, out: folder }))).toBe(run);
    await refused(/run\.json says finished, its checkpoint has 2 of 400 epochs$/);
  });

  test('has more epochs than the checkpoint, unless the newest checkpoint was damaged', async () => {
    await editRecord({ epochs: 5 });
    await refused(/run\.json has 5 epochs, its checkpoint has 2 of 400 epochs$/);
    await made(checkpointAt(3, { epochs: 400 }));
    await writeFile(runFiles(run).checkpoint, 'damaged');
    expect((await resume()).resumed?.checkpoint.history).toHaveLength(2);
  });

  test('of another kind than it should be is written again, and that is said', async () => {
    for (const change of [{ epochs: -1 }, { started: 'yesterday' }, { status: 'asleep' }, { data: 7 }]) {
      await made(checkpointAt(2, { epochs: 400 }));
      await editRecord(change);
      expect((await resume()).resumed?.notes).toEqual([expect.stringContaining('run.json is missing or damaged')]);
    }
  });
});

describe("another run's files, which resuming would replace", () => {
  test.each(['best', 'metrics'] as const)('%s', async (name) => {
    const file = runFiles(run)[name];
    const sha256 = createHash('sha256').update('{}').digest('hex');
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, '{}');
    await editRecord({ [`${name}_sha256`]: sha256 });
    expect((await resume()).resumed?.notes).toEqual([]);
    await writeFile(file, '{"of": "another"}');
    const next = await refused(/(best\.safetensors|metrics\.json) is not the file that the run wrote$/);
    expect(next).toContain(`move this one away, then npx chestmnist train --resume ${run}`);
    await rm(file);
    await resume();
  });

  test('history.csv; one that is shorter or damaged is none', async () => {
    const { history } = checkpointAt(2, { epochs: 400 });
    for (const rows of [history, history.slice(0, 1), []]) {
      await writeHistory(run, rows);
      await resume();
    }
    for (const rows of [
      [history[0], { ...history[1], valLoss: 9 }],
      [...history, { ...history[1], epoch: 3 }],
    ]) {
      await writeHistory(run, rows);
      await refused(/history\.csv is not the file that the run wrote$/);
    }
    await writeFile(runFiles(run).history, 'damaged');
    await resume();
  });
});

describe('config.json changed by hand', () => {
  test.each([
    [{ lr: 0.5 }, /config\.json says lr 0\.5, its checkpoint lr 0\.001$/],
    [{ epochs: 9 }, /says epochs 9, its checkpoint epochs 400$/],
    [{ data: 'mine.npz', checkpointEvery: 1 }, /says data "mine\.npz", checkpointEvery 1, its/],
    [{ epochs: 'nine' }, /config\.json is wrong: \S+ is "nine"$/],
  ])('%j is not overwritten', async (change, found) => {
    await editConfig(change);
    const next = await refused(found);
    expect(next).toContain(`npx chestmnist train --config ${runFiles(run).config}`);
    await rm(runFiles(run).config);
    expect((await resume()).options.epochs).toBe(400);
  });

  test('of a finished run too, before it is called finished', async () => {
    await made(checkpointAt(2, { epochs: 2 }));
    await editRecord({ status: 'finished' });
    await fillIn(run);
    await expect(findRun(ask({ resume: run }))).rejects.toMatchObject({ code: 'ERR_NOTHING_TO_RESUME' });
    await editConfig({ epochs: 400 });
    await expect(findRun(ask({ resume: run }))).rejects.toMatchObject({
      code: 'ERR_CHECKPOINT_INCOMPATIBLE',
      found: expect.stringMatching(/config\.json says epochs 400, its checkpoint epochs 2$/),
    });
  });

  test('what the caller gives anew counts, whatever the file says', async () => {
    await editConfig({ epochs: 9 });
    expect((await resume({ epochs: 9 })).options.epochs).toBe(9);
    expect((await resume({ epochs: 7 })).options.epochs).toBe(7);
  });

  test('damaged, it is written again, and that is said', async () => {
    await writeFile(runFiles(run).config, '{"lr": 0.');
    expect((await resume()).resumed?.notes).toEqual(['config.json is damaged: it is rewritten from the checkpoint']);
  });

  test('a process that was killed between its checkpoint and config.json changed nothing by hand', async () => {
    const { options: former } = checkpointAt(2, { epochs: 400 });
    await saveCheckpoint(run, { ...checkpointAt(2, { epochs: 500 }), run: 'this', former });
    expect((await resume()).options.epochs).toBe(500);
    await editConfig({ epochs: 9 });
    await refused(/says epochs 9/);
  });
});

describe('sealed facts that a run cannot have written', () => {
  /** Saves facts as a program would that knows how to seal them. */
  async function seal(change: (facts: Checkpoint) => unknown): Promise<void> {
    await saveCheckpoint(run, change({ ...checkpointAt(2, { epochs: 400, batchSize: 2 }), run: 'this' }) as Checkpoint);
  }

  test.each<[string, (facts: Checkpoint) => unknown, RegExp]>([
    [
      'an epoch that took no time',
      (c) => ({ ...c, position: { epoch: 3, samples: 4, lossSum: 1, seconds: 0 } }),
      /an epoch took no time/,
    ],
    [
      'more images than there are',
      (c) => ({ ...c, position: { epoch: 3, samples: 6, lossSum: 1, seconds: 1 } }),
      /6 of 4 images/,
    ],
    [
      'half a batch',
      (c) => ({ ...c, position: { epoch: 3, samples: 1, lossSum: 1, seconds: 1 } }),
      /1 images are not whole batches/,
    ],
    [
      'a loss of nothing',
      (c) => ({ ...c, position: { epoch: 3, samples: 0, lossSum: 1, seconds: 0 } }),
      /no image has a loss/,
    ],
    ['an epoch that is left out', (c) => ({ ...c, history: [c.history[1]] }), /not 1, 2, 3/],
    ['a position elsewhere', (c) => ({ ...c, position: { ...c.position, epoch: 7 } }), /in epoch 7 after 2 finished/],
    ['more epochs than asked for', (c) => ({ ...c, options: { ...c.options, epochs: 1 } }), /2 of 1 epochs/],
    ['text for a number', (c) => ({ ...c, history: [{ ...c.history[0], seconds: '1' }, c.history[1]] }), /seconds/],
    [
      'a negative speed',
      (c) => ({ ...c, history: [{ ...c.history[0], imagesPerSecond: -1 }, c.history[1]] }),
      /imagesPerSecond/,
    ],
    ['no data', (c) => ({ ...c, data: null }), /data/],
    ['no images', (c) => ({ ...c, data: { ...c.data, counts: { train: 0, val: 1, test: 1 } } }), /train/],
    ['options of another type', (c) => ({ ...c, options: { ...c.options, batchSize: 'two' } }), /batch.?size/i],
    ['options that are none', (c) => ({ ...c, options: [] }), /options/],
    ['a device of another type', (c) => ({ ...c, device: { cpu: 1 } }), /device/],
    [
      'best weights of another network',
      (c) => ({ ...c, best: [{ ...c.model[0], shape: [1, 3] }, c.model[1]] }),
      /best weights are of another network/,
    ],
  ])('%s', async (_, change, found) => {
    await seal(change);
    await refused(found);
  });

  test('the checkpoint before is not put in its place: it may be one of a newer version', async () => {
    await made(checkpointAt(3, { epochs: 400 }));
    const { checkpoint: file } = runFiles(run);
    const content = (await readFile(file)).subarray(0, -32);
    const newer = Buffer.from(
      content.toString('latin1').replace('chestmnist checkpoint 2', 'chestmnist checkpoint 3'),
      'latin1',
    );
    await writeFile(file, Buffer.concat([newer, createHash('sha256').update(newer).digest()]));
    await refused(/is of kind "chestmnist checkpoint 3"$/);
  });

  test('a history in which patience ended early is not resumed by --epochs, and what is offered can be done', async () => {
    await made(checkpointAt(4, { epochs: 8, patience: 3 }));
    await editRecord({ status: 'finished' });
    await fillIn(run);
    for (const given of [{}, { epochs: 20 }]) {
      await expect(findRun(ask({ resume: run, ...given })).then(() => resume(given))).rejects.toMatchObject({
        code: 'ERR_NOTHING_TO_RESUME',
        found: expect.stringContaining('patience 3 ended it after 4 epochs'),
        next: `for a new run with more patience: npx chestmnist train --config ${runFiles(run).config} --patience 13`,
      });
    }
  });
});

test('an earlier version wrote neither the name of the run nor its former options: it is resumed', async () => {
  await rm(run, { recursive: true });
  const checkpoint = checkpointAt(2, { epochs: 400 });
  await saveCheckpoint(run, checkpoint);
  await writeConfig(run, checkpoint.options);
  await writeJson(runFiles(run).run, { ...record(checkpoint), id: undefined });
  expect((await resume()).resumed?.notes).toEqual([]);
  expect((await loadCheckpoint(run)).checkpoint.run).toBeUndefined();
});
