import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { advance, loadCheckpoint, restorePrevious, saveCheckpoint, UNTRAINED } from '../../../src/run/checkpoint';
import type { TrainOptions } from '../../../src/recipe/options';
import { train } from '../../../src/train';
import { ask, plan } from '../../../src/train/plan';
import { runFiles } from '../../../src/run/directory';
import { writeJson } from '../../../src/base/json';
import { writeConfig } from '../../../src/run/config';
import { writeHistory } from '../../../src/run/history';
import { checkpointAt } from '../../support/checkpoint';
import { fillIn, RECORD } from '../../support/record';
import { readSafetensors } from '../../../src/weights/safetensors';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'checkpoint-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('it is read as it was written, and the one before is kept', async () => {
  for (const epochs of [0, 1, 2]) {
    await saveCheckpoint(folder, checkpointAt(epochs));
    expect(await loadCheckpoint(folder)).toEqual({ checkpoint: checkpointAt(epochs) });
  }
  expect(await readdir(path.join(folder, 'checkpoint'))).toEqual(['previous.safetensors', 'state.safetensors']);
  expect((await readSafetensors(runFiles(folder).previous)).metadata.facts).toContain('"epoch":2');
});

test('a stop between two batches may have taken time and trained no image', async () => {
  const checkpoint = { ...checkpointAt(1), position: { epoch: 2, ...UNTRAINED, seconds: 0.01 } };
  await saveCheckpoint(folder, checkpoint);
  expect(await loadCheckpoint(folder)).toEqual({ checkpoint });
});

test('right after the best epoch its weights are there once', async () => {
  await saveCheckpoint(folder, checkpointAt(1));
  const { state } = await readSafetensors(runFiles(folder).checkpoint);
  expect(state.map(({ name }) => name)).toEqual(['model.a', 'model.n', 'optimizer.step', 'sha256']);
});

test('every byte flipped in turn, and every length cut to, is detected: the one before is used, and said', async () => {
  const { checkpoint: file, previous } = runFiles(folder);
  await saveCheckpoint(folder, checkpointAt(1));
  await saveCheckpoint(folder, checkpointAt(2));
  const [whole, before] = [await readFile(file), await readFile(previous)];
  expect(whole.length).toBeGreaterThan(1500);
  const damaged = async (content: Uint8Array): Promise<string> => {
    await writeFile(file, content);
    await writeFile(previous, before);
    const { checkpoint, note } = await loadCheckpoint(folder);
    // One field tells which it is: toEqual would compare thousands of times.
    return `${checkpoint.position.epoch} ${note?.includes('damaged')}`;
  };
  const found = new Set<string>();
  for (let i = 0; i < whole.length; i++) {
    const flipped = Buffer.from(whole);
    flipped[i] ^= 1 << (i % 8);
    found.add(await damaged(flipped));
  }
  for (let length = 0; length < whole.length; length += 7) found.add(await damaged(whole.subarray(0, length)));
  found.add(await damaged(Buffer.concat([whole, Buffer.alloc(1)])));
  expect([...found]).toEqual(['2 true']);
  // Reading writes nothing. Before the run goes on the one before takes its place, so that the next save keeps it.
  expect((await readFile(previous)).equals(before)).toBe(true);
  await restorePrevious(folder);
  expect((await readFile(file)).equals(before)).toBe(true);
  expect(await loadCheckpoint(folder)).toEqual({ checkpoint: checkpointAt(1) });
});

test('cut off between its two renames, a save leaves the one before, and nothing is to be said', async () => {
  await saveCheckpoint(folder, checkpointAt(1));
  await copyFile(runFiles(folder).checkpoint, runFiles(folder).previous);
  await rm(runFiles(folder).checkpoint);
  expect(await loadCheckpoint(folder)).toEqual({ checkpoint: { ...checkpointAt(1), isPrevious: true } });
});

test('when both are damaged it says so', async () => {
  await saveCheckpoint(folder, checkpointAt(1));
  await saveCheckpoint(folder, checkpointAt(2));
  const { checkpoint: file, previous } = runFiles(folder);
  for (const name of [file, previous]) await truncate(name, (await stat(name)).size - 1);
  await expect(loadCheckpoint(folder)).rejects.toMatchObject({
    code: 'ERR_CHECKPOINT_INCOMPATIBLE',
    found: expect.stringMatching(/state\.safetensors.*damaged.*previous\.safetensors.*damaged/),
  });
});

test('a sound seal on a file that is not a checkpoint: it is the checkpoint that cannot be used', async () => {
  await saveCheckpoint(folder, checkpointAt(1));
  const { checkpoint: file, previous } = runFiles(folder);
  const content = (await readFile(file)).subarray(0, -32);
  content[8] ^= 1; // the brace that opens the header
  await writeFile(previous, Buffer.concat([content, createHash('sha256').update(content).digest()]));
  await rm(file);
  await expect(loadCheckpoint(folder)).rejects.toMatchObject({
    code: 'ERR_CHECKPOINT_INCOMPATIBLE',
    found: expect.stringContaining('is not a valid safetensors file'),
  });
});

test('a save that fails leaves both as they were', async () => {
  await saveCheckpoint(folder, checkpointAt(1));
  await saveCheckpoint(folder, checkpointAt(2));
  const broken = { ...checkpointAt(3), optimizer: [{ ...checkpointAt(3).optimizer[0], shape: [2] }] };
  await expect(saveCheckpoint(folder, broken)).rejects.toThrow();
  expect(await loadCheckpoint(folder)).toEqual({ checkpoint: checkpointAt(2) });
  expect(await readdir(path.join(folder, 'checkpoint'))).toEqual(['previous.safetensors', 'state.safetensors']);
});

test('the loss of an epoch in parts is that of the whole, to the last bit', () => {
  const batches = Array.from({ length: 600 }, (_, i) => Math.fround(0.2 + Math.sin(i) / 7) * (i === 599 ? 5 : 128));
  const sum = (from: number, to: number): number => batches.slice(from, to).reduce((a, b) => a + b, 0);
  let position = { epoch: 1, ...UNTRAINED };
  for (const [from, to] of [
    [0, 1],
    [1, 137],
    [137, 600],
  ])
    position = advance(position, { samples: to - from, lossSum: sum(from, to), seconds: 1 });
  expect(position).toEqual({ epoch: 1, samples: 600, lossSum: sum(0, 600), seconds: 3 });
});

test('a run whose data are gone says that, and not that its directory cannot be written', async () => {
  await saveCheckpoint(folder, checkpointAt(1, { data: path.join(folder, 'gone.npz'), device: 'cpu' }));
  await expect(train({ resume: folder })).rejects.toMatchObject({
    code: 'ERR_DATA_MISSING',
    found: expect.stringContaining('gone.npz'),
  });
});

describe('the options of a resumed run', () => {
  const open = async (epochs: number, given: TrainOptions, kept: TrainOptions = { epochs: 4 }) => {
    await saveCheckpoint(folder, checkpointAt(epochs, kept));
    const { options, resumed } = await plan(ask({ resume: folder, ...given }), folder);
    return { options, ...resumed! };
  };

  test('are those it had, but for what does not change the result', async () => {
    const { options, extended, notes } = await open(2, { checkpointEvery: 1, tensorboard: true, epochs: 4 });
    expect({ options, extended, notes }).toMatchObject({
      options: { epochs: 4, milestones: ['50%', '75%'], checkpointEvery: 1, tensorboard: true, threads: 1 },
      extended: false,
      notes: [expect.stringContaining('run.json is missing')],
    });
    await expect(open(2, { lr: 0.5 })).rejects.toMatchObject({
      code: 'ERR_CHECKPOINT_INCOMPATIBLE',
      found: 'lr is 0.5',
    });
  });

  test('may draw a report and resample differently: the training is the same', async () => {
    expect((await open(2, { report: false, resamples: 0 })).options).toMatchObject({ report: false, resamples: 0 });
  });

  test('a run saved before an option existed has its default', async () => {
    const { options, ...rest } = checkpointAt(2, { epochs: 4, lr: 0.5 });
    const { report, resamples, ...older } = options;
    expect({ report, resamples }).toEqual({ report: true, resamples: 2000 });
    // The first version also wrote the loss, of which there was one.
    await saveCheckpoint(folder, { ...rest, options: { ...older, loss: 'bce' } as unknown as typeof options });
    expect((await plan(ask({}), folder)).options).toEqual(options);
  });

  test('more epochs: the milestones stay at their epochs, and the note says so', async () => {
    const { options, extended, notes } = await open(4, { epochs: 9 });
    expect({ options, extended }).toMatchObject({ options: { epochs: 9, milestones: [2, 3] }, extended: true });
    expect(notes.at(-1)).toBe(
      'epochs 4 -> 9; the milestones stay where they were: 2, 3 (50%,75% of 4), so the last epoch has learning rate 0.00001',
    );
  });

  test('fewer epochs, down to those begun', async () => {
    expect((await open(2, { epochs: 2 })).options.epochs).toBe(2);
    await expect(open(2, { epochs: 1 })).rejects.toMatchObject({ code: 'ERR_CHECKPOINT_INCOMPATIBLE' });
  });

  test('a finished run needs more epochs than it has, and patience left', async () => {
    await writeJson(runFiles(folder).run, { ...RECORD, data: { ...checkpointAt(4).data, path: null } });
    await writeConfig(folder, checkpointAt(4, { epochs: 4 }).options);
    await writeHistory(folder, checkpointAt(4).history);
    await fillIn(folder);
    const nothing = { code: 'ERR_NOTHING_TO_RESUME' };
    await expect(open(4, { epochs: 4 })).rejects.toMatchObject(nothing);
    expect((await open(4, { epochs: 5 })).notes).toHaveLength(1);
    await writeConfig(folder, checkpointAt(4, { epochs: 8, patience: 3 }).options);
    await expect(open(4, { epochs: 5 }, { epochs: 8, patience: 3 })).rejects.toMatchObject({
      ...nothing,
      found: expect.stringContaining('patience 3 ended it after 4 epochs'),
    });
  });
});
