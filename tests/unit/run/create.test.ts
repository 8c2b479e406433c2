/** Names that are long, folders that are deep: a run finds out before it begins whether its last file can be written. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { checkDepth, checkOutput, createRunDirectory } from '../../../src/run/create';
import { saveCheckpoint } from '../../../src/run/checkpoint';
import { writeJson } from '../../../src/base/json';
import { writePredictions, readMedmnistCsv } from '../../../src/run/predictions';
import { runFiles } from '../../../src/run/directory';
import { checkpointAt } from '../../support/checkpoint';
import { RECORD } from '../../support/record';
import { smallDisk } from '../../support/small-disk';
import { datasetOf, scoredOf } from '../../support/report-fixture';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'create-'));
});
afterEach(() => rm(folder, { recursive: true }));

const now = new Date(2026, 0, 2, 3, 4, 5);
const scored = scoredOf(datasetOf().splits.test);
const facts = { size: 1024, split: 'test', auc: 0.5, acc: 0.5 } as const;

/** A folder below `folder` whose path has this many bytes; it is made. */
async function deep(bytes: number): Promise<string> {
  let place = folder;
  while (bytes - place.length > 201) place = path.join(place, 'd'.repeat(200));
  const rest = bytes - place.length - 1;
  place =
    rest > 100
      ? path.join(place, 'd'.repeat(Math.ceil((rest - 1) / 2)), 'd'.repeat(Math.floor((rest - 1) / 2)))
      : path.join(place, 'd'.repeat(rest));
  await mkdir(place, { recursive: true });
  expect(place.length).toBe(bytes);
  return place;
}

test.each([
  ['one byte', 'd'.repeat(251)],
  ['two bytes', 'é'.repeat(125)],
  ['three bytes', '肺'.repeat(83)],
  ['four bytes', '\u{10400}'.repeat(62)],
])('data whose name is as long as a file may have, of characters with %s', async (_, name) => {
  const made = [];
  for (let i = 0; i < 3; i++) made.push(await createRunDirectory(folder, null, name, now));
  const [first, second] = made.map((directory) => path.basename(directory));
  expect(first.startsWith(`20260102-030405-${[...name][0]}`)).toBe(true);
  expect(second).toBe(`${first}-2`);
  expect(await readdir(folder)).toContain(first); // no character was cut in two
  const [csv] = await writePredictions(made[0], scored, { ...facts, flag: name, run: first });
  await expect(readMedmnistCsv(csv)).resolves.toMatchObject({ size: 1024, split: 'test', count: 160 });
});

test('where the path is long, names become shorter, down to what can still be read', async () => {
  const name = 'x'.repeat(200);
  const lengths = [];
  // Of the 4095 bytes that Linux allows.
  for (const bytes of [3000, 3900, 3950, 3970]) {
    const out = await deep(bytes);
    await checkOutput(out, null);
    const directory = await createRunDirectory(out, null, name, now);
    const [csv] = await writePredictions(directory, scored, { ...facts, flag: name, run: path.basename(directory) });
    await expect(readMedmnistCsv(csv)).resolves.toMatchObject({
      size: 1024,
      split: 'test',
      run: expect.stringMatching(/^2026/),
    });
    await writeFile(path.join(directory, 'plots.tmp'), '');
    lengths.push(path.basename(csv).length);
  }
  expect(lengths).toEqual([...lengths].sort((a, b) => b - a));
  expect(lengths[3]).toBeLessThan(100);
});

test('where it is too long for the shortest, the run is refused before it begins, and nothing is made', async () => {
  const out = await deep(3995);
  for (const name of [null, 'a-run'])
    await expect(checkOutput(out, name)).rejects.toMatchObject({
      code: 'ERR_DISK',
      found: expect.stringMatching(/has a path of 40\d\d bytes, too long for the files of a run in it$/),
      next: 'choose another out with a shorter path',
    });
  await expect(checkDepth(out)).resolves.toBeUndefined();
  expect(await readdir(out)).toEqual([]);
});

const disk = smallDisk('1m,nr_inodes=3'); // room for the run directory and one folder in it
(disk ? test : test.skip)('a run directory that cannot be completed is not left behind', async () => {
  await expect(createRunDirectory(disk!.path, 'first', 'x')).rejects.toMatchObject({ code: 'ERR_DISK' });
  expect(await readdir(disk!.path)).toEqual([]);
});

test('a name that is taken: what can be continued is, and nothing else is offered', async () => {
  const run = await createRunDirectory(folder, 'first', 'x');
  const taken = { code: 'ERR_OUTPUT', next: 'choose another name' };
  await expect(checkOutput(folder, 'first')).rejects.toMatchObject(taken);
  await saveCheckpoint(run, checkpointAt(1));
  await expect(checkOutput(folder, 'first')).rejects.toMatchObject({
    next: `choose another name, or continue it: npx chestmnist train --resume ${run}`,
  });
  await writeJson(runFiles(run).run, RECORD);
  await expect(checkOutput(folder, 'first')).rejects.toMatchObject(taken);
  expect(await readFile(runFiles(run).run, 'utf8')).toContain('finished');
});
