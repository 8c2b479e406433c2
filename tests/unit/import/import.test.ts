/** `chestmnist import` on generated folders: tables of every kind, splits, what is left out, and what is refused. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { importImages, loadDataset, type ImportOptions } from 'chestmnist';
import { readNpzTexts } from '../../../src/base/npz';
import { chestmnist } from '../../support/in-process';
import { numbered, picture, putPictures } from '../../support/pictures';
import { png } from '../../support/png';

let root: string;
const before = process.env.NCPUS;
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-'));
  process.env.NCPUS = '1'; // no threads, which run compiled files
});
afterEach(() => {
  rmSync(root, { recursive: true });
  if (before === undefined) delete process.env.NCPUS;
  else process.env.NCPUS = before;
});

const at = (name: string): string => path.join(root, name);
const put = (name: string, text: string | Buffer): string => {
  mkdirSync(path.dirname(at(name)), { recursive: true });
  writeFileSync(at(name), text);
  return at(name);
};
/** The rows of an index of sources, without its header. */
const indexOf = (name = 'out'): string[][] =>
  readFileSync(at(`${name}.index.csv`), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));
const run = (options: Partial<ImportOptions> = {}) =>
  importImages({ output: at('out.npz'), folder: at('images'), table: at('table.csv'), ...options });

/** Twenty pictures of ten patients, and a table of these cells after the name and the patient. */
function twenty(header: string, cells: (i: number) => string, names = numbered(20)): void {
  putPictures(at('images'), names);
  put('table.csv', [`image,patient,${header}`, ...names.map((name, i) => `${name},${i >> 1},${cells(i)}`)].join('\n'));
}
/** The truth of each source by its name. */
async function truthBySource(): Promise<Record<string, number[]>> {
  const { splits, labels } = await loadDataset(at('out.npz'));
  return Object.fromEntries(
    indexOf().map(([split, row, name]) => {
      const { truth } = splits[split as 'train'];
      return [name, [...truth.subarray(Number(row) * labels.length, (Number(row) + 1) * labels.length)]];
    }),
  );
}

describe('tables', () => {
  test("NIH's lists, its header with a comma in brackets, and No Finding", async () => {
    const names = numbered(20);
    putPictures(at('images/deep'), names);
    const header = 'Image Index,Finding Labels,Follow-up #,Patient ID,OriginalImage[Width,Height]';
    const labels = ['Mass|Effusion', 'No Finding', 'Effusion', 'Mass'];
    put(
      'table.csv',
      [header, ...names.map((name, i) => `${name},${labels[i % 4]},0,${i >> 1},1024,1024`)].join('\r\n'),
    );
    expect((await run()).labels).toEqual(['Effusion', 'Mass']);
    expect((await loadDataset(at('out.npz'))).task).toBe('multi-label');
    expect(await readNpzTexts(at('out.npz'), 'label_names')).toEqual(['Effusion', 'Mass']);
    const truth = await truthBySource();
    expect([0, 1, 2, 3].map((i) => truth[`deep/${i}.png`])).toEqual([
      [1, 1],
      [0, 0],
      [1, 0],
      [0, 1],
    ]);
  });

  test.each([
    [
      'zero',
      [
        [1, 0],
        [0, 0],
        [0, 1],
        [0, 0],
      ],
    ],
    [
      'one',
      [
        [1, 1],
        [0, 0],
        [1, 1],
        [0, 0],
      ],
    ],
    ['drop', [undefined, [0, 0], undefined, [0, 0]]],
  ] as const)("CheXpert's marks, uncertain ones as %s", async (uncertain, expected) => {
    const names = numbered(20).map((name, i) => `train/patient${i >> 1}/study1/${name}`);
    putPictures(at('images'), names);
    const marks = ['1.0,-1.0', ',0.0', '-1.0,1', '0,'];
    const rows = names.map((name, i) => `CheXpert-v1.0/${name},F,${i >> 1},${marks[i % 4]}`);
    put('table.csv', ['Path,Sex,subject_id,Edema,Support Devices', ...rows].join('\n'));
    expect((await run({ uncertain })).labels).toEqual(['Edema', 'Support Devices']);
    const truth = await truthBySource();
    expect([0, 1, 2, 3].map((i) => truth[names[i]])).toEqual(expected);
    const { source } = JSON.parse(readFileSync(at('out.json'), 'utf8')) as { source: { uncertain: object } };
    expect(source.uncertain).toEqual({ cells: 10, became: uncertain });
  });

  test('classes in one column: that of no finding is the first, the numbers are stored', async () => {
    twenty('diagnosis', (i) => ['Covid', 'Normal'][i % 2]);
    expect((await run()).labels).toEqual(['Normal', 'Covid']);
    const { labels, task } = await loadDataset(at('out.npz'));
    expect([labels, task]).toEqual([['Covid'], 'binary-class']);
    expect((await truthBySource())['0.png']).toEqual([1]);
  });

  test.each([
    ['semicolons, BOM and CRLF', '\ufeffimage;patient;mass\r\n', ';', '\r\n'],
    ['tabs', 'image\tpatient\tmass\n', '\t', '\n'],
    ["Excel's sep line", 'sep=;\nimage;patient;mass\n', ';', '\n'],
    ['quoted fields with line feeds', '"image","patient","mass"\n', ',', '\n'],
  ])('%s', async (_, header, mark, end) => {
    putPictures(at('images'), numbered(20));
    const quote = (text: string): string => (header.startsWith('"') ? `"${text}"` : text);
    const rows = numbered(20).map((name, i) =>
      [name, `="00${i >> 1}"`, String(i % 2)]
        .map((cell, c) => (c === 1 && quote('') ? `"p\n${i >> 1}"` : cell))
        .join(mark),
    );
    put('table.csv', header + rows.join(end) + end);
    expect((await run()).labels).toEqual(['mass']);
    expect((await loadDataset(at('out.npz'))).task).toBe('binary-class');
    expect(await truthBySource()).toMatchObject({ '0.png': [0], '1.png': [1] });
  });

  test('no table: a folder per class, with folders of the splits around them', async () => {
    const names = ['train', 'val', 'test'].flatMap((split) =>
      [0, 1, 2, 3].map((i) => `${split}/${['NORMAL', 'PNEUMONIA'][i % 2]}/${split}${i}.png`),
    );
    putPictures(at('images'), names);
    const { splits } = await run({ table: undefined });
    expect(splits.train).toEqual({ count: 4, groups: null, positives: [2, 2] });
    expect(new Set(indexOf().map(([split, , name]) => split === name.split('/')[0]))).toEqual(new Set([true]));
  });
});

describe('MIMIC-CXR', () => {
  /** Ten patients with two studies of two pictures each. */
  const studies = Array.from({ length: 20 }, (_, i) => ({ subject: 10_000_000 + (i >> 1), study: 50_000_000 + i }));
  const filesOf = ({ subject, study }: (typeof studies)[number]): string[] =>
    ['02aa804e', '174413ec'].map((id) => `p10/p${subject}/s${study}/${id}-${study}.jpg`);
  const TABLE = 'mimic-cxr-2.0.0-chexpert.csv';
  const SPLIT = 'mimic-cxr-2.0.0-split.csv';
  beforeEach(() => {
    const names = studies.flatMap(filesOf);
    putPictures(at('files'), names);
    const rows = studies.map(
      ({ subject, study }, i) => `${subject},${study},${i % 2 ? '1.0' : ''},${i % 3 ? '' : '-1.0'}`,
    );
    put(TABLE, ['subject_id,study_id,Edema,No Finding', ...rows].join('\n'));
    const splitOf = (i: number): string => (i < 12 ? 'train' : i < 16 ? 'validate' : 'test');
    const splits = studies.flatMap((one, i) =>
      filesOf(one).map((name) => [path.parse(name).name, one.study, one.subject, splitOf(i)].join(',')),
    );
    put(SPLIT, ['dicom_id,study_id,subject_id,split', ...splits, 'not-here,1,1,train'].join('\n'));
  });

  test('the labels of a study are those of each of its pictures, the subjects stay apart', async () => {
    const { labels, splits, leftOut } = await run({ table: at(TABLE), folder: at('files'), uncertain: 'one' });
    expect({ labels, leftOut }).toEqual({ labels: ['Edema', 'No Finding'], leftOut: 0 });
    const truth = await truthBySource();
    studies.forEach((one, i) => {
      for (const name of filesOf(one)) expect([name, truth[name]]).toEqual([name, [i % 2, Number(i % 3 === 0)]]);
    });
    expect(splits.train.groups! + splits.val.groups! + splits.test.groups!).toBe(10);
  });

  test('its own table of the split is followed', async () => {
    const { splits } = await run({ table: at(TABLE), folder: at('files'), split: at(SPLIT) });
    expect([splits.train.count, splits.val.count, splits.test.count]).toEqual([24, 8, 8]);
    const index = indexOf().map(([split, , name]) => [split, Number(/s5(\d+)\//.exec(name)![1])] as const);
    expect(index.every(([split, i]) => split === (i < 12 ? 'train' : i < 16 ? 'val' : 'test'))).toBe(true);
  });

  test('a table of the split with a leak, a word that is none or without the column is refused', async () => {
    const text = readFileSync(at(SPLIT), 'utf8');
    const refusal = async (changed: string): Promise<unknown> => {
      put(SPLIT, changed);
      return run({ table: at(TABLE), folder: at('files'), split: at(SPLIT) }).catch(
        ({ found }: Error & { found: string }) => found,
      );
    };
    expect(await refusal(text.replace(/train/, 'test'))).toMatch('1 of 10 patients are in two splits');
    expect(await refusal(text.replace(/train/, 'trial'))).toMatch('line 2: the split "trial"');
    expect(await refusal(text.replace(',split', ',part'))).toMatch(
      'has the columns dicom_id, study_id, subject_id, part',
    );
    expect(readdirSync(root).filter((name) => name.startsWith('out'))).toEqual([]);
  });
});

test("CheXpert's train.csv as it is: paths from above the folder, facts that are no labels, no column of patients", async () => {
  const names = numbered(20).map(
    (_, i) => `train/patient${String(i >> 1).padStart(5, '0')}/study1/view${(i % 2) + 1}_frontal.jpg`,
  );
  putPictures(at('CheXpert-v1.0-small'), names);
  const header = 'Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Pleural Effusion';
  const rows = names.map(
    (name, i) =>
      `CheXpert-v1.0-small/${name},Female,${i % 2},Frontal,AP,${i % 2 ? '1.0' : ''},${i % 3 ? '' : '0.0'},${['-1.0', '1.0', ''][i % 3]}`,
  );
  put('table.csv', [header, ...rows].join('\n'));
  for (const folder of [at('CheXpert-v1.0-small'), root]) {
    const { labels, splits, leftOut } = await run({ folder, force: true });
    expect({ labels, leftOut }).toEqual({
      labels: ['No Finding', 'Enlarged Cardiomediastinum', 'Pleural Effusion'],
      leftOut: 0,
    });
    expect(splits.train.groups! + splits.val.groups! + splits.test.groups!).toBe(10);
  }
});

describe('--labels', () => {
  test('chooses labels of a list, in their order; others are left out', async () => {
    twenty('Finding Labels', (i) => ['Mass|Edema', 'Nodule', 'No Finding', 'Edema'][i % 4]);
    expect((await run({ labels: ['Nodule', 'Edema'] })).labels).toEqual(['Nodule', 'Edema']);
    const truth = await truthBySource();
    expect([0, 1, 2, 3].map((i) => truth[`${i}.png`])).toEqual([
      [0, 1],
      [1, 0],
      [0, 0],
      [0, 1],
    ]);
    await expect(run({ labels: ['Nodul', 'Edema'], force: true })).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      found: expect.stringContaining('has no such label'),
    });
  });

  test('gives the order of classes, of a column and of folders', async () => {
    twenty('diagnosis', (i) => ['a', 'b', 'c'][i % 3]);
    expect((await run({ labels: ['c', 'a', 'b'] })).labels).toEqual(['c', 'a', 'b']);
    expect((await truthBySource())['0.png']).toEqual([0, 1, 0]);
    await expect(run({ labels: ['a', 'b'], force: true })).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      found: expect.stringContaining('also the class "c"'),
    });
    putPictures(
      at('folders'),
      ['x', 'y'].flatMap((kind) => numbered(10).map((name) => `${kind}/${name}`)),
    );
    const { labels } = await run({ table: undefined, folder: at('folders'), labels: ['y', 'x'], force: true });
    expect(labels).toEqual(['y', 'x']);
  });
});

test('a path that leads elsewhere is not found by its bare name', async () => {
  twenty('mass', (i) => String(i % 2));
  put(
    'table.csv',
    readFileSync(at('table.csv'), 'utf8')
      .replace('\n0.png', '\nother/0.png')
      .replace('\n1.png', '\nabove/images/1.png'),
  );
  expect((await run()).leftOut).toBe(2);
  expect(readFileSync(at('out.missing.csv'), 'utf8')).toContain('line 2: other/0.png,the row has no picture');
});

test('links that lead nowhere or to themselves, and pictures of absurd size, are named', async () => {
  twenty('mass', (i) => String(i % 2));
  for (const [i, target] of ['0.png', 'nowhere.png'].entries()) {
    rmSync(at(`images/${i}.png`));
    symlinkSync(at(`images/${target}`), at(`images/${i}.png`));
  }
  // A bomb, which declares 3,600 million pixels in a few bytes, and a line that --fit pad would make as many.
  const bomb = png(1, 1, [0]);
  bomb.writeUInt32BE(60_000, 16);
  bomb.writeUInt32BE(60_000, 20);
  bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
  put('images/2.png', bomb);
  put('images/3.png', png(60_000, 1, new Uint8Array(60_000)));
  expect(await run({ fit: 'pad' })).toMatchObject({ unreadable: 4 });
  const missing = readFileSync(at('out.missing.csv'), 'utf8');
  expect(missing).toMatch(/0\.png,.*ELOOP/);
  expect(missing).toMatch(/1\.png,.*ENOENT/);
  expect(missing).toMatch(/2\.png,.*60000x60000/);
  expect(missing).toMatch(/3\.png,.*60000x1 pixels, more than 20000 on a side/);
});

test('not one picture that can be read is an error, as is a split without any', async () => {
  twenty('mass', (i) => String(i % 2));
  put('list.txt', 'x.png');
  await expect(run({ split: `train=${at('list.txt')},test=${at('list.txt')}` })).rejects.toMatchObject({
    found: expect.stringContaining('the picture is in no list of --split'),
  });
  for (const name of numbered(20)) put(`images/${name}`, '<html>');
  await expect(run()).rejects.toMatchObject({
    code: 'ERR_DATA_CORRUPT',
    found: expect.stringMatching(/^none of 20 pictures can be read; the first: .*0\.png is an HTML page/),
  });
});

describe('splits', () => {
  test('patients by the folders of CheXpert, which has no column of them', async () => {
    const names = numbered(20).map((name, i) => `train/patient0${i >> 1}/study1/${name}`);
    putPictures(at('images'), names);
    put('table.csv', ['Path,Edema', ...names.map((name, i) => `CheXpert/${name},${i % 2}`)].join('\n'));
    const { splits } = await run();
    expect([splits.train.groups, splits.val.groups, splits.test.groups].reduce((a, b) => a! + b!)).toBe(10);
  });

  test('keep patients together and prevalence close, the same for the same seed', async () => {
    const labels = ['common', 'rare'];
    putPictures(at('images'), numbered(300));
    const rows = numbered(300).map((name, i) => `${name},${i % 100},${Number(i % 3 === 0)},${Number(i % 100 < 10)}`);
    put('table.csv', ['image,patient,common,rare', ...rows].join('\n'));
    const first = await run();
    const index = indexOf();
    const splitsOf = new Map<string, Set<string>>();
    for (const [split, , name] of index) {
      const patient = String(Number.parseInt(name, 10) % 100);
      splitsOf.set(patient, (splitsOf.get(patient) ?? new Set()).add(split));
    }
    expect([...splitsOf.values()].every(({ size }) => size === 1)).toBe(true);
    // Shares of 70/10/20; one patient has three images, which is the most that a split can be off.
    for (const [split, share] of [
      ['train', 0.7],
      ['val', 0.1],
      ['test', 0.2],
    ] as const) {
      expect(Math.abs(first.splits[split].count - share * 300)).toBeLessThanOrEqual(3);
      labels.forEach((_, label) =>
        expect(Math.abs(first.splits[split].positives[label] - share * [100, 30][label])).toBeLessThanOrEqual(3),
      );
    }
    const bytes = readFileSync(at('out.npz'));
    await run({ force: true });
    expect(readFileSync(at('out.npz'))).toEqual(bytes);
    await run({ force: true, seed: 1 });
    expect(indexOf().map(([, , name]) => name)).not.toEqual(index.map(([, , name]) => name));
  });

  test('a given split with a leak is refused with its numbers, before any work', async () => {
    twenty('split,mass', (i) => `${['train', 'val', 'test', 'train'][i % 4]},${i % 2}`);
    await expect(run()).rejects.toMatchObject({
      code: 'ERR_DATA_SHAPE',
      found:
        'the given split leaks: 10 of 10 patients are in two splits (5 in train and val, 5 in train and test), with 20 of 20 images',
    });
    expect(readdirSync(root).sort()).toEqual(['images', 'table.csv']);
  });

  test('a column and lists of files are followed; val is drawn where there is none', async () => {
    twenty('split,mass', (i) => `${['train', 'valid', 'test'][(i >> 1) % 3]},${i % 2}`);
    await run();
    expect(
      indexOf().every(([split, , name]) => split === ['train', 'val', 'test'][(Number.parseInt(name, 10) >> 1) % 3]),
    ).toBe(true);
    put('train.txt', numbered(16).join('\n'));
    put('test.txt', '16.png\n17.png\n');
    const { splits, leftOut } = await run({ force: true, split: `train=${at('train.txt')},test=${at('test.txt')}` });
    expect([splits.train.count, splits.val.count, splits.test.count]).toEqual([14, 2, 2]);
    expect(leftOut).toBe(2);
    expect(readFileSync(at('out.missing.csv'), 'utf8')).toContain('18.png,the picture is in no list of --split');
  });

  test('equal pictures of two patients stay in one split', async () => {
    putPictures(at('images'), numbered(40));
    for (let i = 1; i < 20; i += 2) writeFileSync(at(`images/${i}.png`), picture(i - 1));
    put(
      'table.csv',
      ['image,patient,mass', ...numbered(40).map((name, i) => `${name},${i},${i % 3 === 0 ? 1 : 0}`)].join('\n'),
    );
    await run();
    const split = Object.fromEntries(indexOf().map(([name, , file]) => [file, name]));
    for (let i = 0; i < 20; i += 2) expect(split[`${i}.png`]).toBe(split[`${i + 1}.png`]);
  });

  test('pictures in two splits that look alike are reported', async () => {
    twenty('split,mass', (i) => `${['train', 'val', 'test'][(i >> 1) % 3]},${i % 2}`);
    const bytes = picture(0);
    const sharp = (await import('sharp')).default;
    await sharp(bytes).linear(0.98, 2).toColourspace('b-w').toFile(at('images/2.png'));
    await run();
    const { alike } = JSON.parse(readFileSync(at('out.json'), 'utf8')) as { alike: object[] };
    expect(alike).toEqual([{ a: '0.png', b: '2.png', same_pixels: false }]);
  });
});

test('rows without an image and images without a row are named; --strict stops there', async () => {
  twenty('mass', (i) => String(i % 2));
  rmSync(at('images/3.png'));
  putPictures(at('images/more'), ['extra.png']);
  put('images/4.png', '<!DOCTYPE html><html>');
  put('images/5.png', picture(5).subarray(0, 200));
  put('images/6.png', '');
  expect(await run()).toMatchObject({ leftOut: 5, unreadable: 3 });
  const missing = readFileSync(at('out.missing.csv'), 'utf8');
  for (const text of [
    'line 5: 3.png,the row has no picture',
    'more/extra.png,the picture has no row',
    'is an HTML page',
    '5.png',
    'is empty',
  ])
    expect(missing).toContain(text);
  await expect(run({ force: true, strict: true })).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' });
  rmSync(at('images/more'), { recursive: true });
  putPictures(at('images'), numbered(4));
  await expect(run({ force: true, strict: true })).rejects.toMatchObject({
    code: 'ERR_DATA_CORRUPT',
    found: expect.stringContaining('4.png is an HTML page'),
  });
});

describe('refused, with nothing written', () => {
  test.each([
    ['no label column', 'image,age\n0.png,3\n', {}, 'ERR_DATA_SHAPE', /no label column among image, age/],
    ['no image column', 'x,mass\n0,1\n', {}, 'ERR_DATA_SHAPE', /no column is known to name the images among x, mass/],
    ['two image columns', 'image,path,mass\n0.png,0.png,1\n', {}, 'ERR_DATA_SHAPE', /image, path may be meant/],
    [
      'a value that is no label',
      'image,mass\n0.png,1\n1.png,2\n',
      { labels: ['mass', 'image'] },
      'ERR_DATA_SHAPE',
      /line 2, image: "0.png"/,
    ],
    [
      'rows that disagree',
      'image,mass\n0.png,1\n1.png,0\n0.png,0\n',
      {},
      'ERR_DATA_SHAPE',
      /lines 2 and 4 disagree about 0.png/,
    ],
    ['a ragged row', 'image,mass\n0.png,1,3\n', {}, 'ERR_DATA_CORRUPT', /line 2/],
    ['a quote that is not closed', 'image,mass\n"0.png,1\n', {}, 'ERR_DATA_CORRUPT', /table\.csv/],
    ['no rows', 'image,mass\n', {}, 'ERR_DATA_CORRUPT', /no rows/],
    ['one column twice', 'image,mass,mass\n0.png,1,1\n', {}, 'ERR_DATA_CORRUPT', /the column "mass" twice/],
    ['an unknown column', 'image,mass\n0.png,1\n', { group: 'patent' }, 'ERR_CONFIG', /group patent: .*no such column/],
    ['no image at all', 'image,mass\na.png,1\n', {}, 'ERR_DATA_MISSING', /no row of .* names a picture/],
    ['shares that are none', 'image,mass\n0.png,1\n', { split: '80/20' }, 'ERR_CONFIG', /split 80\/20/],
    ['an HTML page', '<!DOCTYPE html>\n', {}, 'ERR_DATA_CORRUPT', /HTML page/],
  ] as const)('%s', async (_, table, options, code, found) => {
    putPictures(at('images'), numbered(3));
    put('table.csv', table);
    await expect(run(options)).rejects.toMatchObject({ code, message: expect.stringMatching(found) });
    expect(readdirSync(root).sort()).toEqual(['images', 'table.csv']);
  });

  test('UTF-16 by name, a table that is absent, a folder that is a file', async () => {
    putPictures(at('images'), numbered(3));
    put('table.csv', Buffer.from('\ufeffimage,mass\n0.png,1\n', 'utf16le'));
    await expect(run()).rejects.toMatchObject({ code: 'ERR_DATA_CORRUPT', found: expect.stringContaining('UTF-16') });
    await expect(run({ table: at('absent.csv') })).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' });
    await expect(run({ folder: at('table.csv') })).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' });
  });

  test('a file that is there, one class, pictures outside of folders', async () => {
    putPictures(at('images/a'), numbered(3));
    await expect(run({ table: undefined })).rejects.toMatchObject({
      code: 'ERR_DATA_SHAPE',
      found: expect.stringContaining('one class'),
    });
    putPictures(at('images'), ['0.png']);
    await expect(run({ table: undefined })).rejects.toMatchObject({
      found: expect.stringContaining('lies in no folder'),
    });
    put('out.npz', 'mine');
    await expect(run()).rejects.toMatchObject({ code: 'ERR_OUTPUT' });
    expect(readFileSync(at('out.npz'), 'utf8')).toBe('mine');
  });
});

test('folders that link to themselves end', async () => {
  twenty('mass', (i) => String(i % 2));
  symlinkSync(at('images'), at('images/again'));
  expect((await run()).leftOut).toBe(0);
});

test('patients and names of the command line; what was found is said before the work', async () => {
  twenty('mass,edema', (i) => `${i % 2},${Number(i % 3 === 0)}`);
  const { code, stderr, stdout } = await chestmnist([
    'import',
    at('table.csv'),
    at('images'),
    '-o',
    at('out.npz'),
    '--license',
    'CC0',
    '--labels',
    'edema,mass',
  ]);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  expect(stderr.indexOf('patients: patient')).toBeLessThan(stderr.indexOf('pictures  '));
  expect(stdout).toContain(at('out.npz'));
  expect(JSON.parse(readFileSync(at('out.json'), 'utf8'))).toMatchObject({ license: 'CC0', labels: ['edema', 'mass'] });
  expect(existsSync(at('out.part'))).toBe(false);
  expect(readFileSync(at('out.index.csv'), 'utf8')).toMatch(
    /^split,row,source,from,sha256,group\ntrain,0,\d+\.png,\d+,[0-9a-f]{64},[0-9a-f]{64}\n/,
  );
});
