/** The run directory as a closed world: what is not the run's own is neither opened, followed, overwritten nor removed. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { cp, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { drawReport } from '../../../src/report';
import { loadCheckpoint, saveCheckpoint } from '../../../src/run/checkpoint';
import { readConfig, writeConfig } from '../../../src/run/config';
import { runFiles } from '../../../src/run/directory';
import { removeLeftovers } from '../../../src/run/entries';
import { readHistory, writeHistory } from '../../../src/run/history';
import { readMetrics } from '../../../src/run/metrics-file';
import { readScored } from '../../../src/run/predictions';
import { readRunFile } from '../../../src/run/record';
import { ask, findRun, plan } from '../../../src/train/plan';
import { checkpointAt } from '../../support/checkpoint';
import { NOT_FILES, othersFolder, replace, snapshot, socketAt, STRANGERS } from '../../support/strangers';

let folder: string;
let run: string;
let others: string;
beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'entries-'));
  run = path.join(folder, 'runs', 'run');
  others = othersFolder(folder);
  const checkpoint = checkpointAt(2);
  await saveCheckpoint(run, checkpointAt(1));
  await saveCheckpoint(run, checkpoint);
  await writeConfig(run, checkpoint.options);
  await writeHistory(run, checkpoint.history);
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => path.join(run, name);
const resume = () => plan(ask({ resume: run }), run);

const FILES = [
  ...['config.json', 'run.json', 'history.csv', 'metrics.json', 'report.html', 'checkpoint/state.safetensors'],
  ...['checkpoint/previous.safetensors', 'weights/best.safetensors', 'weights/last.safetensors', 'predictions/val.npz'],
  ...['predictions/examples.json', 'predictions/x_test_[AUC]0.500_[ACC]0.500@run.csv', 'plots/loss.svg'],
];

describe.each(FILES)('%s is resumed over only where it is a file:', (name) => {
  test.each(Object.entries(NOT_FILES))('%s is refused before anything is written', async (_, put) => {
    mkdirSync(path.dirname(at(name)), { recursive: true });
    replace(at(name), put, others);
    const before = snapshot(folder);
    const error: unknown = await resume().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ERR_OUTPUT', found: expect.stringContaining(`${at(name)} is a`) });
    expect(error).toMatchObject({ next: expect.stringContaining(`then npx chestmnist train --resume ${run}`) });
    expect(snapshot(folder)).toEqual(before);
  });
});

describe.each(['weights', 'predictions', 'plots'])('%s is written into only where it is a folder:', (name) => {
  test.each(Object.entries(STRANGERS))('%s is refused, and its remedy works', async (_, put) => {
    replace(at(name), put, others);
    const before = snapshot(others);
    await expect(resume()).rejects.toMatchObject({
      code: 'ERR_OUTPUT',
      next: expect.stringMatching(/(move it away|or remove it), then/),
    });
    expect(snapshot(others)).toEqual(before);
    rmSync(at(name));
    expect((await resume()).resumed?.checkpoint.position.epoch).toBe(3);
  });
});

test('a checkpoint folder that is a link is replaced by what it leads to', async () => {
  const moved = path.join(folder, 'moved');
  await rename(at('checkpoint'), moved);
  symlinkSync(moved, at('checkpoint'));
  await expect(resume()).rejects.toMatchObject({
    found: `${at('checkpoint')} is a link`,
    next: `replace the link by what it leads to, then npx chestmnist train --resume ${run}`,
  });
  rmSync(at('checkpoint'));
  await cp(moved, at('checkpoint'), { recursive: true });
  expect((await resume()).resumed?.checkpoint.position.epoch).toBe(3);
});

test('a socket and a device stand in the way too', async () => {
  const close = await socketAt(at('run.json'));
  await expect(resume()).rejects.toMatchObject({ found: `${at('run.json')} is a socket` });
  close();
});

test('what is not ours is left alone, however it is named, and no link is followed', async () => {
  symlinkSync(others, at('data'));
  symlinkSync('.', at('self'));
  symlinkSync('loop', at('loop'));
  mkdirSync(at('notes'));
  for (const name of ['thesis.0123abcd.tmp', 'weights.0123abcd.tmp', 'notes/history.csv.0123abcd.tmp', 'lock.stale.x'])
    writeFileSync(at(name), 'theirs');
  mkdirSync(at('history.csv.0123abcd.tmp')); // a folder of this name is not ours either
  mkdirSync(at('weights'));
  symlinkSync(path.join(others, 'thesis.0123abcd.tmp'), at('weights/best.safetensors.0123abcd.tmp'));
  const before = snapshot(folder);
  for (const name of [
    ...['run.json.deadbeef.tmp', 'lock.stale.17', 'checkpoint/state.safetensors.deadbeef.tmp'],
    ...['weights/last.safetensors.deadbeef.tmp', `predictions/${'f'.repeat(60)}.deadbeef.tmp`],
    ...['predictions/x_val_[AUC]0.500_[ACC]0.500@run.csv.deadbeef.tmp', 'plots/roc.png.deadbeef.tmp'],
  ]) {
    mkdirSync(path.dirname(at(name)), { recursive: true });
    writeFileSync(at(name), 'left by a killed process');
  }
  await removeLeftovers(run);
  const ours = ['predictions', 'plots'].map((name) => `${at(name)}/`);
  expect(snapshot(folder).filter((line) => !ours.includes(line))).toEqual(before);
});

test('leftovers in folders that are links stay', async () => {
  for (const name of ['weights', 'plots', 'predictions']) symlinkSync(others, at(name));
  writeFileSync(path.join(others, 'best.safetensors.0123abcd.tmp'), 'theirs');
  const before = snapshot(others);
  await removeLeftovers(run);
  expect(snapshot(others)).toEqual(before);
});

test('a run directory that is itself named by a link is cleaned and resumed', async () => {
  const link = path.join(folder, 'latest');
  symlinkSync(run, link);
  writeFileSync(at('run.json.deadbeef.tmp'), '');
  await removeLeftovers(link);
  expect(existsSync(at('run.json.deadbeef.tmp'))).toBe(false);
  expect((await plan(ask({ resume: link }), link)).resumed?.directory).toBe(link);
});

describe('whoever reads a run does not wait', () => {
  const readers: [string, () => Promise<unknown>][] = [
    ['config.json', () => readConfig(run)],
    ['run.json', () => readRunFile(run)],
    ['history.csv', () => readHistory(run)],
    ['metrics.json', () => readMetrics(run)],
    ['predictions/test.npz', () => readScored(run, 'test')],
  ];
  const waiting = ['a named pipe', 'a folder', 'a link to itself'];
  test.each(readers.flatMap(([name, read]) => waiting.map((kind) => [name, kind, read] as const)))(
    '%s is %s',
    async (name, kind, read) => {
      mkdirSync(path.dirname(at(name)), { recursive: true });
      replace(at(name), NOT_FILES[kind], others);
      await expect(read()).rejects.toMatchObject({
        code: 'ERR_DATA_CORRUPT',
        found: expect.stringContaining(at(name)),
        next: `restore it from a copy; or remove it, and npx chestmnist train --resume ${run} writes it again`,
      });
    },
  );

  test('the checkpoint is a pipe', async () => {
    for (const name of ['state', 'previous'])
      replace(at(`checkpoint/${name}.safetensors`), NOT_FILES['a named pipe'], others);
    await expect(loadCheckpoint(run)).rejects.toMatchObject({ code: 'ERR_CHECKPOINT_INCOMPATIBLE' });
  });
});

test('--resume alone looks at folders of runs, not at what links lead to, and at nothing that would be waited for', async () => {
  const runs = path.dirname(run);
  await saveCheckpoint(path.join(folder, 'elsewhere'), checkpointAt(1)); // newer, and somebody else's
  symlinkSync(path.join(folder, 'elsewhere'), path.join(runs, 'others'));
  symlinkSync('loop', path.join(runs, 'loop'));
  for (const [name, file] of [
    ['pipe', 'state.safetensors'],
    ['pipes', 'previous.safetensors'],
  ]) {
    mkdirSync(path.join(runs, name, 'checkpoint'), { recursive: true });
    replace(path.join(runs, name, 'checkpoint', file), NOT_FILES['a named pipe'], others);
  }
  replace(at('run.json'), NOT_FILES['a named pipe'], others);
  expect(await findRun(ask({ resume: true, out: runs }))).toBe(run);
});

test('a report is not drawn over what is not its own, nor into an event file that is a pipe', async () => {
  await rm(runFiles(run).run, { force: true });
  for (const name of ['report.html', 'predictions', 'plots']) {
    for (const put of Object.values(STRANGERS)) {
      replace(at(name), put, others);
      const before = snapshot(folder);
      await expect(drawReport(run)).rejects.toMatchObject({
        code: 'ERR_OUTPUT',
        next: expect.stringContaining(`then npx chestmnist report ${run}`),
      });
      expect(snapshot(folder)).toEqual(before);
    }
    rmSync(at(name));
  }
  replace(at('events.out.tfevents.1.1.1.report'), NOT_FILES['a named pipe'], others);
  await drawReport(run);
  expect(readdirSync(run)).toContain('events.out.tfevents.1.1.1.report');
});
