/** `evaluate` and `predict` on a small run: in this process, but for the run itself and what people see. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { readNpz } from '../../src/base/npz';
import { chestmnist as spawned, MAIN, scratch, SMALL, type Json } from '../support/chestmnist';
import { chestmnist } from '../support/in-process';
import { arrays, images, labels as labelsOf, npy, npz } from '../support/npz';
import { png } from '../support/png';
import { REPOSITORY } from '../support/reference';

/** Fourteen names that a spreadsheet, a table or the names of columns may stumble over. */
const NAMES = ['=1+1', '@a', 'b', 'b_decision', 'image', '-c', ...'defghijk'];
const folder = scratch();
const onPosix = process.platform === 'win32' ? test.skip : test;
let run: string;
let metrics: Json;
const json = (text: string): Json => JSON.parse(text) as unknown;

beforeAll(async () => {
  run = path.join(folder(), 'run');
  const flags = ['--epochs', '1', '--no-report', '--resamples', '0', '--out', folder(), '--name', 'run'];
  expect(await spawned(['train', ...SMALL, ...flags, '--label-names', NAMES.join()])).toMatchObject({ code: 0 });
  metrics = json(await readFile(path.join(run, 'metrics.json'), 'utf8'));
});

describe('evaluate', () => {
  const evaluate = async (...args: string[]): Promise<Json> => {
    const { code, stdout, stderr } = await chestmnist(['evaluate', ...args, '--json', '--device', 'cpu']);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    return json(stdout);
  };

  test.each(['val', 'test'])('a run: the figures of %s in its metrics.json', async (split) => {
    const expected = { labels: NAMES, ...metrics.splits[split], confidence: undefined };
    const found = await evaluate(run, '--split', split);
    expect(found).toEqual({ ...expected, loss: expect.closeTo(expected.loss, 6) });
  });

  test('thresholds: the ones the run has kept, numbers, a file', async () => {
    expect((await evaluate(run, '--thresholds', 'val-f1')).f1).toEqual(metrics.tuned['val-f1'].test.f1);
    for (const number of ['0.9', '0.90', '.9', '9e-1']) {
      const { threshold } = await evaluate(run, '--thresholds', `val-sensitivity=${number}`);
      expect(threshold).toEqual(metrics.tuned['val-sensitivity=0.9'].thresholds);
    }
    expect((await evaluate(run, '--thresholds', '0')).recall.macro).toBe(1);
    const file = path.join(folder(), 'thresholds.json');
    // With the byte-order mark of Windows.
    await writeFile(file, `\ufeff${JSON.stringify(metrics.tuned['val-youden'].thresholds)}`);
    expect((await evaluate(run, '--thresholds', file)).recall).toEqual(metrics.tuned['val-youden'].test.recall);
  });

  test('a file of weights, on data of its own; a rule is tuned on their validation split', async () => {
    const data = path.join(folder(), 'data.npz');
    expect(await chestmnist(['data', 'synthesize', '-o', data, '--counts', '30,128,128'])).toMatchObject({ code: 0 });
    const weights = path.join(run, 'weights', 'best.safetensors');
    expect((await evaluate(weights, '--data', data)).auc).toEqual(metrics.splits.test.auc);
    expect((await evaluate(weights, '--data', data, '--thresholds', 'val-f1')).threshold).toEqual(
      metrics.tuned['val-f1'].thresholds,
    );
    expect((await evaluate(weights, '--data', data, '--limit', '50')).n).toBe(50);
  });

  test('--precision bf16 rounds where the processor has AMX, and elsewhere says that it is float32', async () => {
    const file = path.join(folder(), 'picture.npy');
    await writeFile(file, npy(images(4)));
    const calls = [
      ['evaluate', run],
      ['predict', run, file],
    ];
    for (const call of calls) {
      const args = [...call, '--json', '--device', 'cpu'];
      const fp32 = await chestmnist([...args, '--precision', 'fp32']);
      const bf16 = await chestmnist([...args, '--precision', 'bf16']);
      expect([fp32, bf16]).toMatchObject([{ code: 0 }, { code: 0 }]);
      expect(fp32.stderr).not.toContain('bf16');
      const isFloat32 = bf16.stderr.includes('--precision bf16 is computed in float32 here: on a CPU it needs AMX');
      expect(bf16.stdout === fp32.stdout).toBe(isFloat32);
    }
  });

  test('-o writes the metrics, or labels and logits', async () => {
    const file = path.join(folder(), 'metrics-out.json');
    const printed = await evaluate(run, '-o', file);
    expect(json(await readFile(file, 'utf8'))).toEqual(printed);
    const predictions = path.join(folder(), 'out.npz');
    await evaluate(run, '-o', predictions);
    const [ours, kept] = await Promise.all([readNpz(predictions), readNpz(path.join(run, 'predictions', 'test.npz'))]);
    expect(ours.get('labels')!.data).toEqual(kept.get('labels')!.data);
    expect(ours.get('logits')!.data).toEqual(kept.get('logits')!.data);
    // On stdout stands nothing but what was asked for there.
    const args = ['evaluate', run, '--device', 'cpu', '-o', '/dev/stdout'];
    const [people, machine] = [await chestmnist(args), await chestmnist([...args, '--json'])];
    expect([json(people.stdout), json(machine.stdout)]).toEqual([printed, printed]);
    expect(people.stderr).toContain('predicting nothing');
  });

  test('people see the baseline', async () => {
    const { stdout } = await spawned(['evaluate', run, '--device', 'cpu']);
    expect(stdout).toContain('predicting nothing');
  });

  test.each([
    [['none'], 'ERR_CONFIG', 2],
    [['WEIGHTS'], 'ERR_CONFIG', 2],
    [['RUN', '--thresholds', 'val-best'], 'ERR_CONFIG', 2],
    [['RUN', '--thresholds', 'none.json'], 'ERR_CONFIG', 2],
    [['RUN', '--thresholds', '1.5'], 'ERR_CONFIG', 2],
    [['RUN', '--device', 'gpu'], 'ERR_CONFIG', 2],
    [['RUN', '--limit', 'x'], 'ERR_CONFIG', 2],
    [['RUN', '-o', 'metrics.csv'], 'ERR_CONFIG', 2],
    [['RUN', '-o', '.'], 'ERR_OUTPUT', 2],
    [['RUN', '-o', 'RUN/metrics.json'], 'ERR_CONFIG', 2],
    [['RUN', '-o', 'DATA', '--data', 'DATA'], 'ERR_CONFIG', 2],
    [['RUN', '--data', 'none.npz'], 'ERR_DATA_MISSING', 3],
  ])('%j is refused', async (args, code, exit) => {
    const weights = path.join(run, 'weights', 'best.safetensors');
    const data = path.join(folder(), 'data.npz');
    const named = args.map((word) => word.replace(/^RUN/, run).replace('WEIGHTS', weights).replace('DATA', data));
    const result = await chestmnist(['evaluate', '--json', ...named]);
    expect({ exit: result.code, code: json(result.stdout).code }).toEqual({ exit, code });
  });

  test('other labels than the data have', async () => {
    const three = {
      ...arrays(8, 8, 8),
      train_labels: labelsOf(8, 3),
      val_labels: labelsOf(8, 3),
      test_labels: labelsOf(8, 3),
    };
    const file = await npz(folder(), 'three.npz', three);
    const { code, stderr } = await chestmnist(['evaluate', run, '--data', file]);
    expect({ code, stderr }).toMatchObject({ code: 3, stderr: expect.stringContaining('ERR_WEIGHTS') });
  });
});

describe('predict', () => {
  test('the test images from a file give the probabilities of the run', async () => {
    const data = path.join(folder(), 'again.npz');
    await chestmnist(['data', 'synthesize', '-o', data, '--counts', '30,30,128']);
    const test = (await readNpz(data, { keys: ['test_images'] })).get('test_images')!;
    const file = path.join(folder(), 'test.npy');
    await writeFile(file, npy({ descr: '|u1', shape: test.shape, data: test.data as Uint8Array }));
    const { stdout } = await chestmnist(['predict', run, file, '--json', '--thresholds', 'val-f1', '--device', 'cpu']);
    const { labels, thresholds, predictions } = json(stdout);
    expect(labels).toEqual(metrics.labels);
    expect(thresholds).toEqual(metrics.tuned['val-f1'].thresholds);
    const logits = (await readNpz(path.join(run, 'predictions', 'test.npz'))).get('logits')!.data as Float32Array;
    expect(predictions).toHaveLength(128);
    (predictions as { probabilities: number[]; decisions: number[] }[]).forEach(({ probabilities, decisions }, i) => {
      probabilities.forEach((p, l) => {
        expect(p).toBeCloseTo(1 / (1 + Math.exp(-logits[i * 14 + l])), 5);
        expect(decisions[l]).toBe(Number(p > thresholds[l]));
      });
    });
  });

  test('pictures, as CSV; the same picture of 16 bits gives the same answer', async () => {
    const small = images(1).data;
    const files = [path.join(folder(), 'a.png'), path.join(folder(), 'b, "deep".png')];
    await writeFile(files[0], png(28, 28, small));
    await writeFile(files[1], png(28, 28, Array.from(small, (value) => value * 257), { depth: 16 })); // prettier-ignore
    const out = path.join(folder(), 'out.csv');
    expect(await spawned(['predict', run, ...files, '-o', out, '--device', 'cpu'])).toMatchObject({
      code: 0,
      stdout: '',
    });
    const [header, first, second] = (await readFile(out, 'utf8')).trimEnd().split('\n');
    // No two columns have one name, and no spreadsheet runs any.
    const columns = header.split(',');
    expect(columns.slice(0, 7)).toEqual([
      'image_',
      "'=1+1",
      "'=1+1_decision_",
      "'@a",
      "'@a_decision_",
      'b',
      'b_decision_',
    ]);
    expect(new Set(columns).size).toBe(29);
    expect(first.split(',')).toHaveLength(29);
    expect(first.split(',').slice(1).map(Number).every(Number.isFinite)).toBe(true);
    expect(second.slice(second.lastIndexOf('"') + 1)).toBe(first.slice(files[0].length));
  });

  onPosix('names of files neither run in a spreadsheet nor break a line; JSON has them as they are', async () => {
    const names = ['=HYPERLINK("http:x").png', 'new\nline\x1b[2J.png', 'rtl\u202egnp.exe'].map((name) =>
      path.join(folder(), name),
    );
    for (const name of names) await writeFile(name, await readFile(path.join(folder(), 'a.png')));
    const here = process.cwd();
    process.chdir(folder());
    const args = ['predict', run, path.basename(names[0]), ...names.slice(1), '--device', 'cpu'];
    const [csv, document] = [await chestmnist(args), await chestmnist([...args, '--json'])];
    process.chdir(here);
    expect(csv.stdout).not.toMatch(/[\x1b\u202e]/);
    const rows = csv.stdout.trimEnd().split('\n');
    expect(rows).toHaveLength(4);
    expect(rows[1]).toMatch(/^"'=HYPERLINK\(""http:x""\)\.png",0\.\d{6},/);
    expect(rows[2]).toContain('new?line?[2J.png,');
    expect(document.stdout).not.toMatch(/[\x1b\u202e]/);
    const { predictions } = json(document.stdout);
    expect((predictions as { image: string }[]).map(({ image }) => image)).toEqual([
      path.basename(names[0]),
      ...names.slice(1),
    ]);
  });

  test('-o: the extension decides the format, whatever --json says; - is stdout', async () => {
    const args = ['predict', run, path.join(folder(), 'a.png'), '--device', 'cpu'];
    const at = (name: string): string => path.join(folder(), name);
    const printed = (await chestmnist(args)).stdout;
    const { stdout } = await chestmnist([...args, '--json', '-o', at('p.CSV')]);
    expect(json(stdout)).toEqual({ output: at('p.CSV'), images: 1 });
    expect(await readFile(at('p.CSV'), 'utf8')).toBe(printed);
    expect((await chestmnist([...args, '-o', at('p.json')])).stdout).toBe('');
    expect(json(await readFile(at('p.json'), 'utf8')).labels).toEqual(NAMES);
    expect(await chestmnist([...args, '-o', '-'])).toMatchObject({ code: 0, stdout: printed });
    expect((await chestmnist([...args, '--json', '-o', '/dev/stdout'])).stdout).toBe(
      await readFile(at('p.json'), 'utf8'),
    );
  });

  describe('many pictures', () => {
    const at = (...names: string[]): string => path.join(folder(), 'many', ...names);
    const DICOM = path.join(REPOSITORY, 'tests', 'fixtures', 'dicom');
    const gray = (seed: number): Buffer =>
      png(
        30,
        30,
        images(1, 30).data.map((value) => value ^ seed),
      );
    const predicted = async (...args: string[]): Promise<Json> => {
      const { code, stdout, stderr } = await chestmnist(['predict', run, ...args, '--json', '--device', 'cpu']);
      const { predictions, skipped } = json(stdout);
      const names = ((predictions ?? []) as { image: string }[]).map(({ image }) => image);
      return { code, stderr, names, skipped: skipped ?? [], predictions };
    };
    beforeAll(async () => {
      await mkdir(at('inner', 'deeper'), { recursive: true });
      for (const [i, name] of ['b.png', 'a.png', 'c[1].png', 'inner/d.PNG', 'inner/deeper/e.png'].entries())
        await writeFile(at(name), gray(i));
      await writeFile(at('inner', 'IM0001'), await readFile(path.join(DICOM, 'jpeg-ls.dcm')));
      for (const name of ['notes.txt', '._a.png', 'Thumbs.db', 'inner/.DS_Store'])
        await writeFile(at(name), 'no picture');
      if (process.platform !== 'win32') await symlink('..', at('inner', 'up'));
    });

    test('a folder: all pictures in it, sorted; leftovers of systems and links that loop are passed over', async () => {
      const { code, names, skipped } = await predicted(at());
      expect(names).toEqual(
        ['a.png', 'b.png', 'c[1].png', 'inner/IM0001', 'inner/d.PNG', 'inner/deeper/e.png'].map((name) => at(name)),
      );
      expect([code, skipped]).toEqual([0, []]);
    });

    test('inputs in their order; a pattern that no shell expanded; a file whose name looks like one', async () => {
      const { names } = await predicted(at('inner', 'd.PNG'), at('[ab].png'), at('c[1].png'), at('**', '*.png'));
      expect(names).toEqual(
        ['inner/d.PNG', 'a.png', 'b.png', 'c[1].png', 'a.png', 'b.png', 'c[1].png', 'inner/deeper/e.png'].map((n) =>
          at(n),
        ),
      );
    });

    test('more than a batch: each answer is that of its own picture', async () => {
      const stack = { descr: '|u1', shape: [130, 28, 28], data: images(130).data };
      await writeFile(at('..', 'stack.npy'), npy(stack));
      const { names, predictions } = await predicted(at('a.png'), at('..', 'stack.npy'), at('b.png'));
      expect([names[0], names[130], names[131]]).toEqual([at('a.png'), `${at('..', 'stack.npy')}[129]`, at('b.png')]);
      for (const [row, name] of [
        [0, 'a.png'],
        [131, 'b.png'],
      ] as const)
        expect(predictions[row]).toEqual((await predicted(at(name))).predictions[0]);
    });

    test('one that cannot be read is named and left out: exit code 3, and the others are written', async () => {
      const bad = at('..', 'bad.png');
      await writeFile(bad, '<html></html>');
      const inputs = [at('b.png'), bad, at('none.dcm'), at('none*.dcm'), at('a.png')];
      const { code, names, skipped, stderr } = await predicted(...inputs);
      expect([code, names]).toEqual([3, [at('b.png'), at('a.png')]]);
      expect(skipped).toMatchObject([
        { image: bad, code: 'ERR_DATA_CORRUPT', message: expect.stringContaining('HTML') },
        { image: at('none.dcm'), code: 'ERR_DATA_MISSING' },
        { image: at('none*.dcm'), code: 'ERR_DATA_MISSING', message: expect.stringContaining('matches no file') },
      ]);
      expect(stderr).toContain(`left out: ${bad} is an HTML page`);
      const out = at('..', 'others.csv');
      expect(await chestmnist(['predict', run, ...inputs, '-o', out])).toMatchObject({ code: 3, stdout: '' });
      expect((await readFile(out, 'utf8')).trimEnd().split('\n')).toHaveLength(3);
    });

    test('--strict stops at the first, and nothing is written', async () => {
      const out = at('..', 'strict.csv');
      const args = ['predict', run, at('a.png'), at('none.png'), at('b.png'), '--strict', '-o', out];
      expect(await chestmnist(args)).toMatchObject({ code: 3, stderr: expect.stringContaining(at('none.png')) });
      await expect(readFile(out)).rejects.toThrow('ENOENT');
    });

    test('only files that cannot be read: the error of the first, with their number', async () => {
      const { code, stderr } = await chestmnist(['predict', run, at('none.png'), at('nor-this.png')]);
      expect({ code, stderr }).toEqual({
        code: 3,
        stderr: expect.stringMatching(/none of 2 files can be read; the\s+first/),
      });
      const empty = at('..', 'empty-folder');
      await mkdir(empty);
      expect(await chestmnist(['predict', run, empty])).toMatchObject({
        code: 3,
        stderr: expect.stringContaining('holds no picture'),
      });
    });

    test('.npz: scores, decisions and names, as in the JSON', async () => {
      const out = at('..', 'predicted.npz');
      expect(await chestmnist(['predict', run, at('a.png'), at('b.png'), '-o', out])).toMatchObject({ code: 0 });
      const { predictions } = await predicted(at('a.png'), at('b.png'));
      const rows = predictions as { probabilities: number[]; decisions: number[] }[];
      const arrays = await readNpz(out, { keys: ['scores', 'decisions'] });
      expect(arrays.get('scores')).toMatchObject({ dtype: '<f8', shape: [2, 14] });
      expect([...arrays.get('scores')!.data]).toEqual(rows.flatMap(({ probabilities }) => probabilities));
      expect([...arrays.get('decisions')!.data]).toEqual(rows.flatMap(({ decisions }) => decisions));
      await expect(readNpz(out, { keys: ['images'] })).rejects.toMatchObject({ found: expect.stringMatching(/<U\d+/) });
    });

    test('what was decided is printed once for all pictures; a window changes DICOM alone', async () => {
      const files = ['explicit', 'rle', 'mono1'].map((name) => path.join(DICOM, `${name}.dcm`));
      const own = await predicted(...files);
      expect((own.stderr as string).match(/own window/g)).toHaveLength(1);
      expect(own.stderr).toMatch(
        /explicit\.dcm is shown by its own window \(center 1500, width 2500\) \(and 2 more files/,
      );
      expect((own.stderr as string).match(/is not square \(23x17\): only its central square/g)).toHaveLength(1);
      expect(own.predictions[0].probabilities).toEqual(own.predictions[1].probabilities);
      const same = await predicted(...files, '--window', '1500,2500');
      expect(same.predictions).toEqual(own.predictions);
      const other = await predicted(...files, '--window=-100,200');
      expect(other.predictions[0].probabilities).not.toEqual(own.predictions[0].probabilities);
      expect((await predicted(at('a.png'), '--window', '1,2')).stderr).toContain('the window has no effect');
    });

    test('--fit and --layout', async () => {
      const wide = at('..', 'wide.png');
      await writeFile(wide, png(40, 28, images(1, 40).data.subarray(0, 40 * 28)));
      const answers = new Set<string>();
      for (const fit of ['crop', 'pad', 'stretch']) {
        const { predictions } = await predicted(wide, '--fit', fit);
        answers.add(JSON.stringify(predictions));
      }
      expect(answers.size).toBe(3);
      const three = at('..', 'three.npy');
      await writeFile(three, npy(images(3)));
      expect((await predicted(three)).stderr).toMatch(/--layout (?:CHW|NHW)/);
      expect((await predicted(three, '--layout', 'NHW')).names).toHaveLength(3);
      expect((await predicted(three, '--layout', 'CHW')).names).toEqual([three]);
    });
  });

  test('export refuses the extension of another format, and needs no --force for a device', async () => {
    const args = ['export', run, '--format', 'pth', '-o'];
    for (const name of ['w.onnx', 'w.safetensors', 'w.npz'])
      expect(await chestmnist([...args, path.join(folder(), name)])).toMatchObject({ code: 2 });
    if (process.platform !== 'win32') expect(await chestmnist([...args, '/dev/null'])).toMatchObject({ code: 0 });
    const { stdout, stderr } = await chestmnist([...args, '/dev/stdout']);
    expect(stdout.slice(0, 2)).toBe('PK');
    expect(stdout.trimEnd()).not.toMatch(/labels, \d+ bytes\)$/);
    expect(stderr).toMatch(/^\/dev\/stdout \(pth, /);
  });

  onPosix('a result that could not be printed is a failure', () => {
    const full = process.platform === 'linux' ? '/dev/full' : '/dev/null';
    const metricsOf = ['metrics', path.join(run, 'predictions', 'test.npz'), '--json'];
    for (const args of [metricsOf, ['predict', run, path.join(folder(), 'a.png'), '--device', 'cpu']]) {
      const shell = spawnSync('sh', ['-c', `exec "$@" > ${full}`, 'sh', process.execPath, MAIN, ...args]);
      expect(shell.status).toBe(full === '/dev/full' ? 6 : 0);
    }
  });

  describe('an input that is no file', () => {
    const weights = (): string => path.join(run, 'weights', 'best.safetensors');
    const scored = (): string => path.join(run, 'predictions', 'test.npz');
    const quick = [
      '--data',
      'synthetic',
      '--limit-train',
      '128',
      '--limit-val',
      '8',
      '--limit-test',
      '8',
      '--device',
      'cpu',
    ];
    const VERBS: [string, (input: string) => string[]][] = [
      ['predict INPUT', (input) => ['predict', run, input]],
      ['predict WEIGHTS', (input) => ['predict', input, path.join(folder(), 'a.png')]],
      ['predict --thresholds', (input) => ['predict', run, path.join(folder(), 'a.png'), '--thresholds', input]],
      ['evaluate', (input) => ['evaluate', input, '--data', 'synthetic']],
      ['evaluate --data', (input) => ['evaluate', weights(), '--data', input]],
      ['metrics', (input) => ['metrics', input]],
      ['metrics --threshold', (input) => ['metrics', scored(), '--threshold', input]],
      ['metrics --compare', (input) => ['metrics', scored(), '--compare', input]],
      ['metrics --labels', (input) => ['metrics', path.join(folder(), 'a_test_x.csv'), '--labels', input]],
      ['export', (input) => ['export', input, '--format', 'pth', '-o', path.join(folder(), 'e.pth')]],
      ['report', (input) => ['report', input]],
      ['report --data', (input) => ['report', run, '--data', input]],
      ['train --data', (input) => ['train', '--data', input]],
      ['train --config', (input) => ['train', '--config', input]],
      ['train --weights', (input) => ['train', ...quick, '--weights', input]],
      ['train --resume', (input) => ['train', '--resume', input]],
      ['data verify', (input) => ['data', 'verify', input]],
      ['setup --from', (input) => ['setup', '--from', input]],
    ];
    beforeAll(async () => {
      await writeFile(path.join(folder(), 'a_test_x.csv'), '0,0.5\n1,0.5\n');
      if (process.platform !== 'win32')
        for (const name of ['pipe', 'b_test_x.csv']) execFileSync('mkfifo', [path.join(folder(), name)]);
    });
    const testPosix = process.platform === 'win32' ? test.skip : test;
    testPosix.each(VERBS)('%s: neither a pipe without a writer nor a device is waited for', async (_, args) => {
      for (const input of [path.join(folder(), 'pipe'), '/dev/zero']) {
        const { code, stderr } = await chestmnist(args(input));
        expect([2, 3, 4]).toContain(code);
        expect(stderr).toContain(input);
      }
    });

    testPosix("a pipe with the name of MedMNIST's result CSV", async () => {
      const { code, stderr } = await chestmnist(['metrics', path.join(folder(), 'b_test_x.csv'), '--labels', scored()]);
      expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('it is a pipe') });
    });

    testPosix('what another program writes is taken for a configuration, as in <(...)', () => {
      const shell = spawnSync('sh', [
        '-c',
        `printf '{"epochs": 0}' | "$@"`,
        'sh',
        process.execPath,
        MAIN,
        'train',
        '--config',
        '/dev/stdin',
      ]);
      expect(shell.stderr.toString()).toContain('found   --epochs is 0');
    });
  });

  test.each([
    [['RUN', 'none.png'], 'ERR_DATA_MISSING', 3],
    [['RUN', 'a.png', '-o', 'RUN/metrics.json'], 'ERR_CONFIG', 2],
    [['RUN', 'a.png', '--window', '100'], 'ERR_CONFIG', 2],
    [['RUN', 'a.png', '--fit', 'cover'], 'ERR_CONFIG', 2],
    [['RUN', 'a.png', '-o', 'preds.txt'], 'ERR_CONFIG', 2],
    [['RUN', 'RUN/config.json'], 'ERR_DATA_CORRUPT', 3],
    [['none', 'a.png'], 'ERR_CONFIG', 2],
    [['RUN', 'a.png', '--thresholds', 'val-sensitivity=0.8'], 'ERR_CONFIG', 2],
  ])('%j is refused', async (args, code, exit) => {
    const named = args.map((word) => word.replace(/^RUN/, run).replace('a.png', path.join(folder(), 'a.png')));
    const result = await chestmnist(['predict', '--json', ...named]);
    expect({ exit: result.code, code: json(result.stdout).code }).toEqual({ exit, code });
  });
});
