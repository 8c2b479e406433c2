/**
 * `chestmnist import` from its command line: tables of every kind, splits, bad input, interruption, and a run on what it
 * makes. Real radiographs are used where they are at hand.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { readNpz, readNpzTexts } from '../../src/base/npz';
import { loadDataset } from '../../src/data';
import { readPictures } from '../../src/data/pictures/read';
import { chestmnist, MAIN, scratch, start, type Json } from '../support/chestmnist';
import { grayPng } from '../support/png';
import { realData } from '../support/real-data';
import { smallDisk } from '../support/small-disk';

const folder = scratch();
const at = (...names: string[]) => path.join(folder(), ...names);

/** Pictures that all differ, also in their looks. */
const picture = (seed: number): Buffer => {
  let state = seed + 1;
  const blocks = Array.from({ length: 64 }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24);
  return grayPng(40, 40, (x, y) => blocks[Math.floor(y / 5) * 8 + Math.floor(x / 5)]);
};

async function pictures(name: string, names: readonly string[]): Promise<string> {
  for (const [i, file] of names.entries()) {
    await mkdir(path.dirname(at(name, file)), { recursive: true });
    await writeFile(at(name, file), picture(i));
  }
  return at(name);
}
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `${1000 + i}.png`);

async function table(name: string, lines: readonly string[], end = '\n'): Promise<string> {
  await writeFile(at(name), lines.join(end) + end);
  return at(name);
}

/** The document that import prints. */
async function imported(...args: string[]): Promise<Json> {
  const { code, stdout, stderr } = await chestmnist(['import', ...args, '--json']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout);
}
async function refused(...args: string[]): Promise<Json> {
  const { code, stdout, stderr } = await chestmnist(['import', ...args, '--json']);
  expect({ code, stderr }).not.toMatchObject({ code: 0 });
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
}
const rowsOf = async (file: string): Promise<string[][]> =>
  (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));
/** What is stored for each picture, by its name. */
async function labelsBySource(npz: string): Promise<Record<string, number[]>> {
  const arrays = await readNpz(npz, { keys: ['train_labels', 'val_labels', 'test_labels'] });
  const rows = await rowsOf(npz.replace(/npz$/, 'index.csv'));
  return Object.fromEntries(
    rows.map(([split, row, source]) => {
      const { data, shape } = arrays.get(`${split}_labels`)!;
      return [source, [...(data as Uint8Array).subarray(Number(row) * shape[1], (Number(row) + 1) * shape[1])]];
    }),
  );
}
const hashOf = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

describe('tables', () => {
  let images: string;
  beforeAll(async () => {
    images = await pictures('images', numbered(30));
  });

  test("NIH's: findings with | between them, patients apart, a header with commas in brackets", async () => {
    const rows = numbered(30).map(
      (name, i) => `${name},${['No Finding', 'Mass|Edema', 'Edema'][i % 3]},${i},${i >> 1},1,2`,
    );
    const file = await table('nih.csv', [
      'Image Index,Finding Labels,Follow-up #,Patient ID,Size[Width,Height]',
      ...rows,
    ]);
    const { path: npz, labels, splits, missing } = await imported(file, images, '-o', at('nih.npz'));
    expect({ labels, missing }).toEqual({ labels: ['Edema', 'Mass'], missing: null });
    expect(await readNpzTexts(npz, 'label_names')).toEqual(labels);
    const stored = await labelsBySource(npz);
    numbered(30).forEach((name, i) =>
      expect([name, stored[name]]).toEqual([
        name,
        [
          [0, 0],
          [1, 1],
          [1, 0],
        ][i % 3],
      ]),
    );
    // The pixels are those that predict would see.
    const arrays = await readNpz(npz, { keys: ['train_images', 'val_images', 'test_images'] });
    for (const [split, row, source] of await rowsOf(at('nih.index.csv'))) {
      const { images: pixels } = await readPictures(path.join(images, source), { size: 28, fit: 'crop', channels: 1 });
      const all = arrays.get(`${split}_images`)!.data as Uint8Array;
      expect(Buffer.from(all.subarray(Number(row) * 784, (Number(row) + 1) * 784)).equals(pixels)).toBe(true);
    }
    const byGroup = new Map<string, Set<string>>();
    for (const [split, , , , , group] of await rowsOf(at('nih.index.csv')))
      byGroup.set(group, (byGroup.get(group) ?? new Set()).add(split));
    expect(byGroup.size).toBe(15);
    expect([...byGroup.values()].every((of) => of.size === 1)).toBe(true);
    expect(splits.train.groups + splits.val.groups + splits.test.groups).toBe(15);
  });

  test('one column per label, semicolons, CRLF, a byte-order mark, sep=; and ="..." of a spreadsheet', async () => {
    const rows = numbered(30).map((name, i) => `="${name}";F;${i % 2};${i % 3 === 0 ? '1.0' : ''}`);
    const file = await table('excel.csv', ['\ufeffsep=;', '"File Name";Sex;"Big ""heart""";Edema', ...rows], '\r\n');
    const { labels } = await imported(file, images, '-o', at('excel.npz'));
    expect(labels).toEqual(['Big "heart"', 'Edema']);
    const stored = await labelsBySource(at('excel.npz'));
    numbered(30).forEach((name, i) => expect(stored[name]).toEqual([i % 2, Number(i % 3 === 0)]));
  });

  test.each([
    ['zero', 0],
    ['one', 1],
    ['drop', undefined],
  ])("CheXpert's: paths from above the folder, patients in them, -1 as %s", async (uncertain, value) => {
    const names = Array.from(
      { length: 24 },
      (_, i) => `train/patient${10000 + (i >> 1)}/study1/view${1 + (i % 2)}_frontal.jpg`,
    );
    const files = await pictures('chexpert', names);
    const rows = names.map((name, i) => `CheXpert-v1.0/${name},Male,60,${['1.0,', '0.0,1.0', '-1.0,0.0'][i % 3]}`);
    const file = await table('chexpert.csv', ['Path,Sex,Age,Edema,Pleural Effusion', ...rows]);
    const out = at(`chexpert-${uncertain}.npz`);
    const { labels } = await imported(file, files, '-o', out, '--uncertain', uncertain);
    expect(labels).toEqual(['Edema', 'Pleural Effusion']);
    const stored = await labelsBySource(out);
    names.forEach((name, i) => {
      expect(stored[name]).toEqual([[1, 0], [0, 1], value === undefined ? undefined : [value, 0]][i % 3]);
    });
    const facts = JSON.parse(await readFile(out.replace('.npz', '.json'), 'utf8'));
    expect(facts.source.uncertain).toEqual({ cells: 8, became: uncertain });
  });

  test('one class column, tabs; two classes are one label', async () => {
    const of = (kinds: string[]) => numbered(30).map((name, i) => `${name.slice(0, 4)}\t${kinds[i % kinds.length]}`);
    const three = await table('three.csv', ['id_code\tdiagnosis', ...of(['10', '2', '1'])]);
    await imported(three, images, '-o', at('three.npz'), '--image', 'id_code');
    expect(await loadDataset(at('three.npz'))).toMatchObject({ task: 'multi-class', labels: ['1', '2', '10'] });
    const two = await table('two.csv', ['image\tlabel', ...of(['normal', 'pneumonia'])]);
    await imported(two, images, '-o', at('two.npz'));
    expect(await loadDataset(at('two.npz'))).toMatchObject({ task: 'binary-class', labels: ['pneumonia'] });
  });

  test('no table: a folder per class, and the folders train, val and test', async () => {
    const names = ['a', 'b', 'c'].flatMap((kind) => numbered(10).map((name) => `${kind}/${name}`));
    await imported(await pictures('classes', names), '-o', at('classes.npz'));
    expect((await labelsBySource(at('classes.npz')))['b/1000.png']).toEqual([1]);
    const splits = ['train', 'val', 'test'].flatMap((split) => names.slice(5, 25).map((name) => `${split}/${name}`));
    const given = await imported(await pictures('given', splits), '-o', at('given.npz'));
    expect(given.splits).toMatchObject({ train: { count: 20 }, val: { count: 20 }, test: { count: 20 } });
  });

  test('rows and pictures without each other are named, and stop with --strict', async () => {
    const rows = numbered(32)
      .slice(1)
      .map((name, i) => `${name},${i % 2}`);
    const file = await table('holes.csv', ['image,Edema', ...rows, '1005.png,0']);
    const { leftOut } = await imported(file, images, '-o', at('holes.npz'));
    expect(leftOut).toBe(4);
    expect(await rowsOf(at('holes.missing.csv'))).toEqual([
      ['line 31: 1030.png', 'the row has no picture'],
      ['line 32: 1031.png', 'the row has no picture'],
      ['line 33: 1005.png', 'says the same as line 6'],
      ['1000.png', 'the picture has no row'],
    ]);
    expect(await refused(file, images, '-o', at('strict.npz'), '--strict')).toMatchObject({ code: 'ERR_DATA_MISSING' });
  });

  test.each([
    ['no label column', ['image,note', '1000.png,x'], 'ERR_DATA_SHAPE', 'no label column among image, note'],
    [
      'a label that is none',
      ['image,Edema,Mass', '1000.png,1,yes'],
      'ERR_DATA_SHAPE',
      'line 2, Mass: "yes"',
      '--labels',
      'Edema,Mass',
    ],
    [
      'rows that disagree',
      ['image,Edema', '1000.png,1', '1000.png,0'],
      'ERR_DATA_SHAPE',
      'lines 2 and 3 disagree about 1000.png',
    ],
    ['two image columns', ['image,path,Edema', '1000.png,1001.png,1'], 'ERR_DATA_SHAPE', 'image, path may be meant'],
    ['a name that is no column', ['image,Edema', '1000.png,1'], 'ERR_CONFIG', 'no such column', '--group', 'Patient'],
    ['an open quote', ['image,Edema', '"1000.png,1'], 'ERR_DATA_CORRUPT', 'is not CSV'],
    ['a row that is cut short', ['image,Edema', '1000.png'], 'ERR_DATA_CORRUPT', '1 cells in line 2'],
    ['HTML', ['<!doctype html>', 'x'], 'ERR_DATA_CORRUPT', 'is an HTML page'],
    ['no picture of it', ['image,Edema', 'x.png,1'], 'ERR_DATA_MISSING', 'no row of'],
  ] as [string, string[], string, string, ...string[]][])(
    '%s is refused, and nothing is written',
    async (name: string, lines: readonly string[], code: string, found: string, ...flags: string[]) => {
      const file = await table(`${name}.csv`, lines);
      const error = await refused(file, images, '-o', at(`${name}.npz`), ...flags);
      expect(error).toMatchObject({ code, found: expect.stringContaining(found) });
      expect((await readdir(folder())).filter((entry) => entry.startsWith(name))).toEqual([`${name}.csv`]);
    },
  );

  test('UTF-16, a place that cannot be written, and one that is taken', async () => {
    await writeFile(at('utf16.csv'), Buffer.from('\ufeffimage,Edema\n1000.png,1\n', 'utf16le'));
    expect((await refused(at('utf16.csv'), images, '-o', at('x.npz'))).found).toContain('UTF-16');
    const file = await table('taken.csv', ['image,Edema', ...numbered(30).map((name, i) => `${name},${i % 2}`)]);
    expect((await refused(file, images, '-o', at('taken.csv', 'x.npz'))).code).toBe('ERR_OUTPUT');
    await writeFile(at('taken.json'), '{}');
    expect(await refused(file, images, '-o', at('taken.npz'))).toMatchObject({ code: 'ERR_OUTPUT' });
    expect(existsSync(at('taken.npz'))).toBe(false);
    await imported(file, images, '-o', at('taken.npz'), '--force');
  });
});

describe('splits', () => {
  test('a given split that leaks patients is refused with the numbers', async () => {
    const images = await pictures('leaks', numbered(12));
    const rows = numbered(12).map((name, i) => `${name},${i % 2},${i % 5},${['train', 'valid', 'test'][i % 3]}`);
    const file = await table('leaks.csv', ['image,Edema,patient_id,split', ...rows]);
    const error = await refused(file, images, '-o', at('leaks.npz'));
    expect(error).toMatchObject({ code: 'ERR_DATA_SHAPE', found: expect.stringContaining('5 of 5 patients') });
    const lists = ['train', 'test'].map((split, i) => `${split}=${at(`${split}.txt`)}${i === 0 ? ',' : ''}`).join('');
    await writeFile(at('train.txt'), numbered(6).join('\n'));
    await writeFile(at('test.txt'), numbered(12).slice(6).join('\r\n'));
    expect((await refused(file, images, '-o', at('leaks.npz'), '--split', lists)).found).toContain('in train and test');
    const drawn = await imported(file, images, '-o', at('leaks.npz'), '--split', '60/20/20');
    expect(drawn.splits.train.groups).toBeGreaterThan(1);
  });

  test('equal pixels keep to one split, in two formats too; in a given split they are reported', async () => {
    const images = await pictures('twins', numbered(40));
    for (const name of numbered(20))
      await sharp(at('twins', name))
        .tiff({ compression: 'lzw' })
        .toFile(at('twins', `${name}.tif`));
    const names = [...numbered(40), ...numbered(20).map((name) => `${name}.tif`)];
    const drawn = await table('twins.csv', ['image,Edema', ...names.map((name, i) => `${name},${i % 2}`)]);
    await imported(drawn, images, '-o', at('twins.npz'));
    const splitOf = Object.fromEntries(
      (await rowsOf(at('twins.index.csv'))).map(([split, , source]) => [source, split]),
    );
    for (const name of numbered(20)) expect(splitOf[`${name}.tif`]).toBe(splitOf[name]);
    expect(JSON.parse(await readFile(at('twins.json'), 'utf8')).alike).toEqual([]);

    // A brighter copy is alike, and not the same.
    await sharp(at('twins', '1020.png')).linear(1, 2).toFile(at('twins', 'brighter.png'));
    const rows = [...names, 'brighter.png'].map(
      (name, i) => `${name},${i % 2},${name.endsWith('.tif') ? 'test' : name[0] === 'b' ? 'val' : 'train'}`,
    );
    const given = await table('given.csv', ['image,Edema,split', ...rows]);
    await imported(given, images, '-o', at('given-twins.npz'));
    const { alike } = JSON.parse(await readFile(at('given-twins.json'), 'utf8'));
    expect(alike).toHaveLength(21);
    expect(alike).toContainEqual({ a: '1003.png', b: '1003.png.tif', same_pixels: true });
    expect(alike).toContainEqual({ a: '1020.png', b: 'brighter.png', same_pixels: false });
  });
});

test('pictures that cannot be read are named; --strict stops at the first; links that loop end', async () => {
  const images = await pictures('bad', numbered(20));
  await writeFile(at('bad', '1001.png'), '<html>not found</html>');
  await writeFile(at('bad', '1002.png'), picture(2).subarray(0, 100));
  await writeFile(at('bad', '1003.png'), '');
  await symlink(images, at('bad', 'loop'));
  const file = await table('bad.csv', ['image,Edema', ...numbered(20).map((name, i) => `${name},${i % 2}`)]);
  const { code, stdout } = await chestmnist(['import', file, images, '-o', at('bad.npz'), '--json']);
  expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 3, unreadable: 3, leftOut: 3 });
  const [html, cut, empty] = (await rowsOf(at('bad.missing.csv'))).map(([what, ...why]) => [what, why.join(',')]);
  expect(html).toEqual(['1001.png', expect.stringContaining('is an HTML page')]);
  expect(cut).toEqual(['1002.png', expect.stringContaining('cannot be decoded')]);
  expect(empty).toEqual(['1003.png', expect.stringContaining('is empty')]);
  const error = await refused(file, images, '-o', at('bad2.npz'), '--strict');
  expect(error).toMatchObject({ code: 'ERR_DATA_CORRUPT', found: expect.stringMatching(/100[123]\.png/) });
  expect(existsSync(at('bad2.npz'))).toBe(false);
});

test('an import that was killed goes on, and ends with the bytes of one that was not', async () => {
  const names = numbered(400);
  const images = await pictures('many', names.slice(0, 200));
  for (const [i, name] of names.slice(200).entries()) await copyFile(at('many', names[i]), at('many', name));
  const file = await table('many.csv', ['image,Edema', ...names.map((name, i) => `${name},${i % 2}`)]);
  await imported(file, images, '-o', at('whole.npz'));
  const { child, done } = start([MAIN, 'import', file, images, '-o', at('killed.npz')]);
  const journal = at('killed.part', 'journal');
  const lines = async (): Promise<number> => (await readFile(journal, 'utf8').catch(() => '')).split('\n').length;
  while ((await lines()) < 20) await new Promise((next) => setImmediate(next));
  child.kill('SIGKILL');
  await done;
  expect((await readdir(folder())).filter((name) => name.startsWith('killed'))).toEqual(['killed.part']);
  const kept = await lines();
  expect(kept).toBeLessThan(400);
  const { stderr, code } = await chestmnist(['import', file, images, '-o', at('killed.npz')]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/\d+ of 400 pictures were done before/) });
  expect(await hashOf(at('killed.npz'))).toBe(await hashOf(at('whole.npz')));
  expect(existsSync(at('killed.part'))).toBe(false);
}, 120_000);

test('Ctrl-C keeps what is done and nothing else; a second import of the file meanwhile is refused', async () => {
  const { child, done } = start([MAIN, 'import', at('many.csv'), at('many'), '-o', at('stopped.npz')]);
  while (!existsSync(at('stopped.part', 'journal'))) await new Promise((next) => setImmediate(next));
  child.kill('SIGSTOP');
  const error = await refused(at('many.csv'), at('many'), '-o', at('stopped.npz'));
  expect(error).toMatchObject({ code: 'ERR_BUSY', found: expect.stringContaining('stopped.part') });
  child.kill('SIGCONT');
  child.kill('SIGINT');
  const { code, stderr } = await done;
  expect({ code, stderr }).toEqual({ code: 130, stderr: expect.stringContaining('the same command resumes it') });
  expect((await readdir(folder())).filter((name) => name.startsWith('stopped'))).toEqual(['stopped.part']);
});

const nih = realData('import');
(nih === undefined ? test.skip : test)("30 radiographs of NIH with NIH's own table, RGBA among them", async () => {
  const file = path.join(nih!, 'Data_Entry_2017_v2020.csv');
  const { labels, splits, leftOut } = await imported(
    file,
    path.join(nih!, 'images'),
    '-o',
    at('radiographs.npz'),
    '--size',
    '64',
  );
  expect({ count: labels.length, leftOut }).toEqual({ count: 11, leftOut: 10 });
  expect(splits.train.count + splits.val.count + splits.test.count).toBe(30);
  expect(JSON.parse(await readFile(at('radiographs.json'), 'utf8')).preprocessing.decided).toEqual([
    expect.stringMatching(/alpha channel, which is dropped \(and 2 more files likewise\)/),
  ]);
});

const dicom = realData('dicom');
(dicom === undefined ? test.skip : test)('patients of DICOM files, hashed; nothing else of their headers', async () => {
  const files = (await readdir(dicom!)).filter((name) => name.endsWith('.dcm'));
  await pictures('dicom', []);
  for (const [i, name] of files.entries()) {
    await mkdir(at('dicom', `${i % 2}`), { recursive: true });
    await symlink(path.join(dicom!, name), at('dicom', `${i % 2}`, name));
  }
  const ask = ['import', at('dicom'), '-o', at('dicom.npz'), '--group', 'Patient ID', '--split', '34/33/33', '--json'];
  const { code, stdout, stderr } = await chestmnist(ask);
  expect({ code, stderr }).toMatchObject({ code: expect.any(Number), stderr: expect.stringContaining('Patient ID') });
  expect(JSON.parse(stdout).splits.train.groups).toBeGreaterThan(0);
  const rows = await rowsOf(at('dicom.index.csv'));
  expect(rows.length).toBeGreaterThan(3);
  for (const row of rows) expect(row[5]).toMatch(/^[0-9a-f]{64}$/);
});

test('imported, trained, evaluated, reported and predicted, with its own fourteen names everywhere', async () => {
  const own = Array.from({ length: 14 }, (_, i) => `Own finding ${String.fromCharCode(65 + i)}`);
  const images = await pictures('end', numbered(60));
  const marks = (i: number): string => own.map((_, label) => Number((i + label) % (2 + (label % 3)) === 0)).join(',');
  const rows = numbered(60).map((name, i) => `${name},${i >> 1},${marks(i)}`);
  const file = await table('end.csv', [`image,patient_id,${own.join(',')}`, ...rows]);
  await imported(file, images, '-o', at('end.npz'));
  const ask = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await chestmnist(args);
    expect({ args, code, stderr }).toMatchObject({ code: 0 });
    return stdout;
  };
  const quick = ['--device', 'cpu', '--resamples', '0', '--batch-size', '16', '--milestones', 'none'];
  const trained = await ask(
    'train',
    '--data',
    at('end.npz'),
    '--epochs',
    '1',
    '--out',
    folder(),
    '--name',
    'run',
    ...quick,
  );
  const report = await readFile(at('run', 'report.html'), 'utf8');
  const metrics = JSON.parse(await readFile(at('run', 'metrics.json'), 'utf8'));
  const judged: Json = JSON.parse(await ask('evaluate', at('run'), '--data', at('end.npz'), '--json'));
  expect([metrics.labels, judged.labels]).toEqual([own, own]);
  const [header, first] = (await ask('predict', at('run'), at('end', '1000.png'))).split('\n');
  expect(header.split(',').filter((name) => own.includes(name))).toEqual(own);
  expect(first).toContain('1000.png');
  const verified = await ask('data', 'verify', at('end.npz'));
  for (const name of own) for (const text of [report, verified]) expect(text).toContain(name);
  for (const text of [trained, report, verified]) expect(text).not.toMatch(/Atelectasis|Pneumothorax/);
}, 120_000);

const disk = smallDisk('1m');
(disk === undefined ? test.skip : test)('a disk that is read-only or full ends it with a clear error', async () => {
  const images = await pictures('disk', numbered(60));
  const file = await table('disk.csv', ['image,Edema', ...numbered(60).map((name, i) => `${name},${i % 2}`)]);
  const out = path.join(disk!.path, 'out.npz');
  const full = await refused(file, images, '-o', out, '--size', '224');
  expect(full).toMatchObject({ code: 'ERR_DISK', found: expect.stringContaining(disk!.path) });
  expect(existsSync(out)).toBe(false);
  disk!.remount('ro');
  expect(await refused(file, images, '-o', out)).toMatchObject({ code: 'ERR_DISK' });
  // With room, it goes on from what was done.
  disk!.remount('rw,size=16m');
  const { code, stderr } = await chestmnist(['import', file, images, '-o', out, '--size', '224']);
  expect({ code, stderr }).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/\d+ of 60 pictures were done before/),
  });
});
