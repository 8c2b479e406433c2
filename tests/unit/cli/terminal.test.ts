import { execFileSync } from 'node:child_process';
import { canDraw } from '../../../src/cli/terminal/bars';
import { table, missing } from '../../../src/cli/terminal/table';
import { cells, fit, keepWhatFits, unbroken, wrap, wrapHelp } from '../../../src/cli/terminal/width';

test('cells: combining marks take none, wide characters and emoji two', () => {
  expect(['abc', 'é', 'e\u0301', '肺炎', '한글', 'ｆ', '🫁', '–'].map(cells)).toEqual([3, 1, 1, 4, 4, 2, 2, 1]);
});

test('nothing in a text commands the terminal, and nothing to copy has a second line', () => {
  expect(fit('a\x1b[2J\nb\u202ec', Infinity)).toBe('a?[2J\nb?c');
  expect(fit(`at ${unbroken('/my runs/a\nb\x07')}`, 40)).toBe('at /my runs/a?b?');
});

describe('bars', () => {
  const { isTTY } = process.stderr;
  const { TERM } = process.env;
  afterEach(() => {
    process.stderr.isTTY = isTTY;
    if (TERM === undefined) delete process.env.TERM;
    else process.env.TERM = TERM;
  });

  test.each([
    ...['xterm-256color', 'screen', 'tmux-256color', 'linux', 'vt100', 'vt220', 'rxvt', 'alacritty', 'eterm-color'],
    ...['dumb', 'DUMB', 'dumb-emacs-ansi', 'unknown', 'emacs', 'network', 'vt52', 'printer', ''],
    undefined,
  ])('TERM=%s', (term) => {
    process.stderr.isTTY = true;
    if (term === undefined) delete process.env.TERM;
    else process.env.TERM = term;
    const moves = /xterm|screen|tmux|linux|vt100|vt220|rxvt|alacritty|eterm/.test(term ?? '');
    expect(canDraw()).toBe(moves || (term === undefined && process.platform === 'win32'));
    process.stderr.isTTY = false;
    expect(canDraw()).toBe(false);
  });
});

describe('wrap', () => {
  test('breaks between words; no line is longer, no word is lost', () => {
    const text = 'the quick brown fox jumps over the lazy dog and then rests for a while in the shade';
    for (let columns = 5; columns <= 90; columns++) {
      const lines = wrap(text, columns).split('\n');
      expect(lines.join(' ')).toBe(text);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
    }
    expect(wrap(text, Infinity)).toBe(text);
  });

  test('later lines stand under the first; a long word gets more room, and is never cut', () => {
    expect(wrap('not in /data/chestmnist/set.npz as was asked', 28, 'found    ')).toBe(
      ['found    not in', '    /data/chestmnist/set.npz', '         as was asked'].join('\n'),
    );
    const path = `/${'x'.repeat(50)}`;
    expect(wrap(path, 28, 'found    ')).toBe(`found\n${path}`);
  });

  test('a path with spaces stays in one piece, and so does an indented line of code', () => {
    const path = '/home/me/my own data/set.npz';
    expect(fit(`it is in ${unbroken(path)} today`, 30)).toBe(`it is in\n${path}\ntoday`);
    expect(fit(`it is in "${path}" today`, 32)).toBe(`it is in\n"${path}"\ntoday`);
    const code = '  numpy.savez("mine.npz", labels=truth)';
    expect(fit(`save them\n${code}`, 20)).toBe(`save them\n${code}`);
  });

  (process.platform === 'win32' ? test.skip : test)('a command goes on behind a backslash, as a shell reads it', () => {
    const command = `  chestmnist train --out "my own runs" --resume /${'x'.repeat(30)} --json`;
    const wrapped = fit(`go on with\n${command}`, 30).split('\n');
    expect(wrapped).toEqual([
      'go on with',
      '  chestmnist train --out \\',
      '      "my own runs" --resume \\',
      `/${'x'.repeat(30)} \\`,
      '      --json',
    ]);
    const script = `chestmnist() { printf '%s\\n' "$@"; }\n${wrapped.slice(1).join('\n')}`;
    const args = ['train', '--out', 'my own runs', '--resume', `/${'x'.repeat(30)}`, '--json'];
    expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' })).toBe(`${args.join('\n')}\n`);
  });

  test('help: a remark moves below its command, prose is one paragraph, what fits stays', () => {
    const text =
      'Examples:\n  chestmnist doctor      paste this into a bug report\n  chestmnist setup       once\n\nIt is looked for here,\nand there.';
    expect(wrapHelp(text, 80)).toBe(text);
    expect(wrapHelp(text, 36)).toBe(
      'Examples:\n  chestmnist doctor\n      paste this into a bug report\n  chestmnist setup\n      once\n\nIt is looked for here, and there.',
    );
  });
});

test('what goes first is left out first, and what has no number stays even where it does not fit', () => {
  const parts = [{ room: 10 }, { room: 10, goes: 2 }, { room: 10, goes: 1 }, { room: 10, goes: 3 }];
  const kept = (columns: number): number[] => keepWhatFits(parts, 2, columns).map((part) => parts.indexOf(part));
  expect([46, 45, 33, 21, 5].map(kept)).toEqual([[0, 1, 2, 3], [0, 1, 3], [0, 3], [0], [0]]);
});

test('a label of several lines is one row', () => {
  const { text } = table([
    { title: 'label', cells: ['a\nb\x1b[2J', 'c'] },
    { title: 'AUC', cells: ['0.5', '0.6'] },
  ]);
  expect(text.split('\n')).toEqual(['label    AUC', 'a?b?[2J  0.5', 'c        0.6']);
});

describe('table', () => {
  const long = 'a finding with a name of more than twenty-four characters';
  const columns = [
    { title: 'label', cells: ['edema', '肺炎', long] },
    { title: 'support', cells: ['7', '12', '3,456'], goes: 1 },
    { title: 'AUC', cells: ['0.500', '0.612', '–'] },
  ];

  test('where all fits, every row is as wide as the longest name needs', () => {
    const { text, leftOut } = table(columns);
    expect(leftOut).toEqual([]);
    expect(text.split('\n').map(cells)).toEqual(Array(4).fill(long.length + 2 + 7 + 2 + 5));
  });

  test('a long name stands alone, its figures below; it pushes no column out', () => {
    const { text, leftOut } = table(columns, 40);
    expect(leftOut).toEqual([]);
    expect(text.split('\n')).toEqual([
      'label                     support    AUC',
      'edema                           7  0.500',
      '肺炎                           12  0.612',
      long,
      '                            3,456      –',
    ]);
  });

  test('below that, columns go and are named', () => {
    const result = table(columns, 36);
    expect(result.text.split('\n')[0]).toBe('label                            AUC');
    expect(missing(result).join('')).toContain('Left out in this width: support.');
    expect(missing(table(columns, 40))).toEqual([]);
  });
});
