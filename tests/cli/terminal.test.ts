/** What a person sees in terminals of several widths, and that nothing of it is cut or mixed. */
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { chestmnist, MAIN, scratch } from '../support/chestmnist';
import { brokenLines, HAS_PTY, inTerminal, linesOf, type Row, type Setting, type Shown } from '../support/screen';

const folder = scratch();
const DATA = ['--data', 'synthetic', '--limit-train', '256', '--limit-val', '64', '--limit-test', '64'];
const QUICK = ['--epochs', '2', '--no-report', '--resamples', '20', '--device', 'cpu', '--threads', '1'];

const run = (verb: string, args: readonly string[], setting: Setting): Promise<Shown> =>
  inTerminal([MAIN, verb, ...args], setting);

const train = (name: string, setting: Setting, ...more: string[]): Promise<Shown> =>
  run('train', [...DATA, ...QUICK, '--out', folder(), '--name', name, ...more], setting);

/** A name that no terminal here has room for. */
const LONG = `run-${'abcdefghij'.repeat(16)}`;
const FIGURE = String.raw`(?:\d\.\d{4}|undefined)`;
const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);
/** The words of lines that a terminal broke nowhere but where it had to. */
const wordsOf = (rows: readonly Row[]): string[] => words(linesOf(rows).join('\n'));

/** Only what is to be copied in one piece, such as a path, may be longer than a row. */
function expectWhole(shown: Shown, pieces: readonly string[] = []): void {
  const rest = (line: string): string => pieces.reduce((left, piece) => left.replace(piece, ''), line).trim();
  expect(brokenLines(shown.rows).filter((line) => rest(line) === line.trim() || /\s/.test(rest(line)))).toEqual([]);
  expect(shown.output).not.toMatch(/\x1b\[[\d;]*m/);
}

(HAS_PTY ? describe : describe.skip)('in a terminal (needs `script`)', () => {
  describe('train', () => {
    const WIDTHS = [60, 80, 100, 140];
    const shown = new Map<number | 'resized' | 'dumb', Shown>();
    const at = (key: number | 'resized' | 'dumb'): Shown => shown.get(key)!;

    beforeAll(async () => {
      const resize = { when: /^epoch 1/, columns: 60, file: path.join(folder(), 'tty') };
      const all: (() => Promise<unknown>)[] = [
        ...WIDTHS.map((columns) => async () => {
          shown.set(columns, await train(columns === 60 ? LONG : `w${columns}`, { columns }));
        }),
        async () => void shown.set('resized', await train('resized', { columns: 140, resize }, '--epochs', '4')),
        async () =>
          void shown.set('dumb', await train('dumb', { columns: 80, env: { TERM: 'dumb' } }, '--epochs', '1')),
      ];
      // Two at a time.
      const next = async (): Promise<void> => {
        for (let job = all.shift(); job; job = all.shift()) await job();
      };
      await Promise.all([next(), next()]);
    });

    test.each(WIDTHS)('at %i columns nothing is cut; a path stays in one piece', (columns) => {
      const directory = path.join(folder(), columns === 60 ? LONG : `w${columns}`);
      expect(at(columns).code).toBe(0);
      expectWhole(at(columns), [directory]);
      const lines = linesOf(at(columns).rows);
      expect([lines[0], lines.at(-1)]).toEqual([directory, directory]);
    });

    const short = String.raw`loss ${FIGURE}  val loss ${FIGURE}  AUC ${FIGURE}`;
    const long = String.raw`train loss ${FIGURE}  val loss ${FIGURE}  val AUC ${FIGURE}  val acc ${FIGURE}`;
    test.each([
      [60, `${short}(?:  best)?`],
      [80, `${short}  acc ${FIGURE}(?:  best)?`],
      [100, `${long}(?:  best so far)?`],
      [140, String.raw`lr [\d.]+  ${long}  [\d.]+ s  \d+ img/s(?:  best so far)?`],
    ])('at %i columns each epoch has its line, and the figures are those of history.csv', async (columns, form) => {
      const lines = linesOf(at(columns).rows).filter((line) => line.startsWith('epoch'));
      expect(lines).toHaveLength(2);
      for (const [i, line] of lines.entries()) expect(line).toMatch(new RegExp(`^epoch ${i + 1}/2  ${form}$`));
      const name = columns === 60 ? LONG : `w${columns}`;
      const history = (await readFile(path.join(folder(), name, 'history.csv'), 'utf8')).trimEnd().split('\n').slice(1);
      const aucs = history.map((row) => Number(row.split(',')[4]).toFixed(4));
      expect(lines.map((line) => /AUC (\S+)/.exec(line)![1])).toEqual(aucs);
    });

    const BAR = /^(?:epochs|data  |train |val   |test  ) (?:#|-)+ .*ETA (?:-|\d+s|\d+m\d\ds)$/;
    test.each([...WIDTHS, 'resized' as const])('at %s: bars are the last rows, whole, and gone at the end', (key) => {
      const { frames, rows } = at(key);
      expect(frames.length).toBeGreaterThan(3);
      for (const frame of frames) {
        const bars = frame.filter(({ text }) => /[#-]{8}/.test(text));
        expect(bars.length).toBeLessThanOrEqual(2);
        expect(frame.slice(-bars.length)).toEqual(bars);
        for (const { text, wrapped } of bars) {
          expect(text).toMatch(BAR);
          expect(wrapped).toBe(false);
        }
      }
      expect(frames.some((frame) => frame.some(({ text }) => /^(train|val  ) .*#/.test(text)))).toBe(true);
      expect(rows.filter(({ text }) => /[#-]{8}/.test(text))).toEqual([]);
    });

    test.each([
      [60, 'label AUC AP precision recall F1', '95 % interval, support, prevalence, interval of AUC, interval of AP'],
      [80, 'label support prevalence AUC AP precision recall F1', 'interval of AUC, interval of AP'],
      [100, 'label support prevalence AUC interval AP precision recall F1', 'interval of AP'],
      [140, 'label support prevalence AUC interval AP interval precision recall F1', undefined],
    ])('at %i columns the closing table has the columns that fit, and names the others', (columns, titles, missing) => {
      const lines = linesOf(at(columns).rows);
      const from = lines.findIndex((line) => line.startsWith('label '));
      expect(words(lines[from])).toEqual(titles.split(' '));
      const table = lines.slice(from, from + 17);
      expect(table.map((line) => line.length)).toEqual(table.map(() => lines[from].length));
      const note = words(lines.join(' ')).join(' ').split('Left out in this width: ')[1];
      expect(note?.split('. A pipe and --json')[0]).toBe(missing);
    });

    test('a resize while it runs is followed from the next line on', () => {
      expect(at('resized').code).toBe(0);
      const lines = linesOf(at('resized').rows);
      const epochs = lines.filter((line) => line.startsWith('epoch'));
      expect(epochs).toHaveLength(4);
      expect(epochs[0]).toMatch(/ img\/s/);
      expect(epochs[3]).toMatch(new RegExp(`^epoch 4/4  ${short}(?:  best)?$`));
      // What was there before may be broken by the terminal.
      const before = epochs.filter((line) => / img\/s/.test(line));
      expect(brokenLines(at('resized').rows)).toEqual(before);
      expect(lines.find((line) => line.startsWith('label '))).toMatch(/^label +AUC +AP +precision +recall +F1$/);
    });

    test('a terminal that cannot move its cursor gets lines alone', () => {
      const { code, output, rows } = at('dumb');
      expect(code).toBe(0);
      expect(output).not.toContain('\x1b');
      expect(linesOf(rows).filter((line) => line.startsWith('epoch'))).toHaveLength(1);
      expectWhole(at('dumb'));
    });

    test.each([
      [40, {}, 'label AUC AP F1'],
      [0, {}, 'label support prevalence AUC AP precision recall F1'],
      [0, { COLUMNS: '100' }, 'label support prevalence AUC interval AP precision recall F1'],
      [80, { COLUMNS: '140' }, 'label support prevalence AUC AP precision recall F1'],
    ])('metrics where the terminal reports %i columns, with %j', async (columns, env, titles) => {
      const file = path.join(folder(), 'w80', 'predictions', 'test.npz');
      const args = [file, '--confidence', '--resamples', '20', '--label-names', 'chestmnist'];
      const metrics = await run('metrics', args, { columns, env });
      expect(metrics.code).toBe(0);
      const header = linesOf(metrics.rows).find((line) => line.startsWith('label '));
      expect(words(header!)).toEqual(titles.split(' '));
      if (columns > 0) expectWhole(metrics);
    });

    test('a pipe gets every line whole and the full table, whatever COLUMNS says', () => {
      const args = [
        'metrics',
        path.join(folder(), 'w80', 'predictions', 'test.npz'),
        '--confidence',
        '--resamples',
        '20',
      ];
      const stdout = execFileSync(process.execPath, [MAIN, ...args], {
        encoding: 'utf8',
        env: { ...process.env, COLUMNS: '60' },
      });
      const header = stdout.split('\n').find((line) => line.startsWith('label '))!;
      expect(words(header)).toEqual(words('label support prevalence AUC interval AP interval precision recall F1'));
      expect(stdout).not.toContain('Left out');
      expect(stdout).toMatch(/^Without one true positive: .* labels\)\.$/m);
    });
  });

  test.each([40, 60, 100])('an error at %i columns is wrapped between words, under its heading', async (columns) => {
    const file = path.join(folder(), 'a folder of mine', 'none.npz');
    const args = ['metrics', file, '--no-color'];
    const shown = await inTerminal([MAIN, ...args], { columns });
    expect(shown.code).toBe(3);
    const { stderr } = await chestmnist(args);
    expect(stderr).toMatch(/^error ERR_DATA_MISSING\n {2}found {3}.+\n {2}needed {2}.+\n {2}next {4}.+\n$/);
    expect(wordsOf(shown.rows)).toEqual(words(stderr));
    expectWhole(shown, [file]);
    // The path stands in one piece, spaces and all.
    expect(linesOf(shown.rows).join('\n')).toContain(file);
    const others = linesOf(shown.rows).filter((line) => !line.includes(file));
    for (const line of others) expect(line).toMatch(/^(error | {2}(found|needed|next)\b| {10}\S)/);
  });

  test.each([
    [40, ['train', '--help']],
    [60, ['train', '--help']],
    [60, ['setup', '--help']],
    [80, ['metrics', '--help']],
    [60, ['data', 'info']],
    [40, ['data', 'info']],
    [40, ['doctor']],
  ])('at %i columns %j says what it says in a pipe, and breaks no word', async (columns, args) => {
    const [shown, piped] = await Promise.all([inTerminal([MAIN, ...args], { columns }), chestmnist(args)]);
    expect(shown.code).toBe(piped.code);
    const broken = brokenLines(shown.rows).map((line) => line.trim());
    expect(broken.filter((line) => /\s/.test(line))).toEqual([]);
    const seen = wordsOf(shown.rows).filter((word) => word !== '\\');
    // The environment may come in another order.
    if (args[0] !== 'data') expect(seen.sort()).toEqual(words(piped.stdout).sort());
    // Its table of files becomes one block for each file, and shares of the labels are left out.
    else
      expect(words(piped.stdout).filter((word) => !seen.includes(word) && !/^[\d.]+$|^%$/.test(word))).toEqual([
        'size',
        'file',
        'on',
        'machine',
      ]);
  });

  test.each([60, 100])('a download at %i columns has a bar, and notes above it', async (columns) => {
    const program = `
      const { watchDownload } = require(${JSON.stringify(path.join(path.dirname(MAIN), 'terminal', 'download.js'))});
      const watch = watchDownload({ quiet: false }, 'chestmnist_224.npz');
      let done = 0;
      const timer = setInterval(() => {
        watch.update((done += 4e8), 4e9);
        if (done === 2e9) watch.note('the connection was reset by the other side after 2.0 GB; trying again in 4 s');
        if (done >= 4e9) { clearInterval(timer); watch.end(); console.log('/data/chestmnist_224.npz'); }
      }, 60);`;
    const { rows, frames } = await inTerminal(['-e', program], { columns });
    expect(linesOf(rows).join(' ')).toBe(
      'the connection was reset by the other side after 2.0 GB; trying again in 4 s /data/chestmnist_224.npz',
    );
    const bar = new RegExp(
      `^chestmnist_224\\.npz [#-]{${columns === 60 ? 12 : 16}} [\\d.]+ of 4000 MB \\| ETA (-|\\d+s)$`,
    );
    for (const frame of frames) expect(frame.at(-1)!.text).toMatch(bar);
    expect(frames.length).toBeGreaterThan(3);
  });
});
