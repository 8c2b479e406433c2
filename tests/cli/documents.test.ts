/**
 * What README, docs/ and examples/ tell a reader to type is run: every `sh` line has a rule below that says how, every
 * `ts` block is type-checked and run, and a line without a rule fails. Trainings get smaller numbers by flags that come
 * later. A command that needs a network runs until it asks for its host, one that needs a GPU until it is refused.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ChestMnistError, exitCodeOf, type ErrorCode } from '../../src/base/errors';
import { commandsIn, refusalOf } from '../support/commands';
import { anchorsOf, blocksOf, commandsOf, DOCUMENTS, linksOf, textOf, TYPED } from '../support/documents';
import { picture, Reader, SMALL, smaller, typeErrors } from '../support/reader';
import { referencePython, REPOSITORY } from '../support/reference';

const manifest = JSON.parse(readFileSync(path.join(REPOSITORY, 'package.json'), 'utf8')) as {
  name: string;
  version: string;
  scripts: Record<string, string>;
};

type Rule = [what: RegExp, does: (reader: Reader, command: string) => void | Promise<void>];

const succeeds = (reader: Reader, command: string): void => {
  const { code, output } = reader.run(command);
  expect({ command, code, output: code === 0 ? '' : output }).toEqual({ command, code: 0, output: '' });
};
const fails = (reader: Reader, command: string, code: number, error: ErrorCode, says: string): void => {
  const outcome = reader.run(command);
  expect(outcome.output).toContain(`error ${error}\n`);
  expect(outcome.output).toContain(says);
  expect(outcome.code).toBe(code);
};
const asksFor = async (reader: Reader, command: string, host: string): Promise<void> => {
  const outcome = await reader.hostOf(command);
  expect(outcome).toMatchObject({ host: `${host}:443`, code: 130 });
};

/** The first that fits says how a line is run. */
const RULES: Rule[] = [
  // The tarball's name; tests/package installs it, with every manager.
  [
    /^npm install \S+\.tgz$/,
    (_, command) => expect(command).toBe(`npm install ./${manifest.name}-${manifest.version}.tgz`),
  ],
  // In a clone: the script is there. They cannot be part of a test that they run.
  [/^npm (run [\w:-]+|test)( --.*)?$/, (_, command) => expect(manifest.scripts).toHaveProperty([scriptOf(command)])],

  [/ setup$/, (reader, command) => fromNothing(reader, command)],
  [/ setup --from \S+$/, (_, command) => fails(Reader.bare(), command, 4, 'ERR_LIBTORCH_NOT_FOUND', 'no such file')],
  [/ setup --cuda$/, (_, command) => fails(Reader.bare(), command, 4, 'ERR_LIBTORCH_NOT_FOUND', 'pip (CUDA build): ')],
  [/ data fetch chestmnist$/, (reader, command) => asksFor(reader, command, 'zenodo.org')],

  // The catalogue's file is checked by its MD5, so a small one cannot stand in for it.
  [
    /^npx chestmnist train$/,
    (reader, command) => fails(reader, command, 3, 'ERR_DATA_MISSING', 'npx chestmnist data fetch'),
  ],
  [/ --device cuda(:\d)?( |$)/, (reader, command) => onDevice(reader, command)],
  [/ train .*--resume runs\/\S+$/, (reader, command) => resumes(reader, command)],
  [/ train .*--resume runs\/\S+ --epochs \d+$/, (reader, command) => succeeds(reader, `${command} --epochs 2`)],
  [/^npx chestmnist tune /, searches],
  // A recipe may warm up for one epoch.
  [
    /^npx chestmnist train .*(--recipe |recipe\.json)/,
    (reader, command) => succeeds(reader, `${command} ${SMALL} --epochs 2`),
  ],
  [
    /^(\w+=\S+ )?(npx|exec node_modules\/\.bin\/)\s?chestmnist train /,
    (reader, command) => succeeds(reader, `${command} ${SMALL}`),
  ],
  [
    /^npx chestmnist (compare|doctor|evaluate|explain|metrics|predict|report|runs|export|completion|data verify) ?/,
    succeeds,
  ],

  [/^npx chestmnist import /, (reader, command) => importsPictures(reader, command)],
  [/^node examples\/\S+\.mts( |$)/, (reader, command) => runsExample(reader, command)],
  // Has a test of its own, which needs Python.
  [/^python3 examples\/own_data\.py labels\.csv images my\.npz$/, () => {}],
];

const scriptOf = (command: string): string => /^npm (?:run )?([\w:-]+)/.exec(command)![1];

/** Set-up as it stands; with a variable that names a place, on a machine that has nothing else. */
function fromNothing(reader: Reader, command: string): void {
  const [, name, value] = /^(CHESTMNIST_\w+)=(\S+) /.exec(command) ?? [];
  if (name === undefined) return succeeds(reader, command);
  const error = name === 'CHESTMNIST_LIBTORCH' ? `CHESTMNIST_LIBTORCH: ${value}` : `${value}/libtorch-`;
  fails(Reader.bare(), command, 4, 'ERR_LIBTORCH_NOT_FOUND', error);
}

/** It trains where CUDA can be used; elsewhere it is refused and not replaced by the CPU. */
function onDevice(reader: Reader, command: string): void {
  const { code, output } = reader.run(`${command} ${SMALL}`);
  if (code !== 0)
    expect({ code, output }).toEqual({ code: 4, output: expect.stringContaining('ERR_CUDA_UNAVAILABLE') });
}

/** Few trials of few epochs; a search to be continued counts as killed after its last trial. */
function searches(reader: Reader, command: string): void {
  const [, name] = /--resume (runs\/\S+)/.exec(command) ?? [];
  if (name === undefined) {
    writeFileSync(reader.at('ranges.json'), JSON.stringify({ lr: [1e-3, 1e-4], mixup: [0, 0.2] }));
    const small = SMALL.replace(/--(no-report|resamples \d+)/g, '');
    return succeeds(reader, `${command.replace(/--trials \d+/, '')} ${small} --epochs 2 --trials 2`);
  }
  const file = `${name}/search.json`;
  writeFileSync(reader.at(file), JSON.stringify({ ...reader.readJson(file), status: 'running' }));
  succeeds(reader, command);
  expect(reader.readJson(file)).toMatchObject({ status: 'finished', best: expect.any(Number) });
}

/** Resumes a run that was killed after its last epoch. */
function resumes(reader: Reader, command: string): void {
  const folder = `runs/${/--resume runs\/(\S+)/.exec(command)![1]}`;
  const file = `${folder}/${existsSync(reader.at(`${folder}/run.json`)) ? 'run' : 'ensemble'}.json`;
  writeFileSync(reader.at(file), JSON.stringify({ ...reader.readJson(file), status: 'running' }));
  succeeds(reader, command);
  expect(reader.readJson(file)).toMatchObject({ status: 'finished', resumed: [expect.any(String)] });
}

/** Small pictures in folders of classes, patients and studies, and a table and lists by the names of the command. */
function importsPictures(reader: Reader, command: string): void {
  const [, table, folder] = /import (?:(\S+\.csv) )?(\S+) -o/.exec(command)!;
  const of = (line: (i: number) => string): string[] => Array.from({ length: 60 }, (_, i) => line(i));
  const files = of((i) => `${['normal', 'fibrosis'][i % 2]}/p${10_000_000 + (i >> 1)}/s${50_000_000 + i}/${i}.png`);
  files.forEach((name, i) => {
    mkdirSync(path.dirname(reader.at(`${folder}/${name}`)), { recursive: true });
    writeFileSync(reader.at(`${folder}/${name}`), picture(30 + i, i + 1));
  });
  const put = (name: string, lines: readonly string[]): void => writeFileSync(reader.at(name), lines.join('\n'));
  const labels = (i: number): string => `${i >> 1},${i % 2},${i % 3 === 0 ? 1 : 0}`;
  const isMimic = table?.startsWith('mimic');
  const key = (i: number): string => (isMimic ? `${50_000_000 + i}` : `${i}.png`);
  const header = `${isMimic ? 'study_id,subject_id' : 'image,patient'},effusion,nodule`;
  if (table !== undefined) put(table, [header, ...of((i) => `${key(i)},${labels(i)}`)]);
  const splitOf = (i: number): string => ['train', 'validate', 'test'][Math.floor(i / 20)];
  put('mimic-cxr-2.0.0-split.csv', ['dicom_id,study_id,split', ...of((i) => `${i},${50_000_000 + i},${splitOf(i)}`)]);
  put('train_val_list.txt', of((i) => `${i}.png`).slice(0, 40));
  put('test_list.txt', of((i) => `${i}.png`).slice(40));
  succeeds(reader, command);
}

function runsExample(reader: Reader, command: string): void {
  const [, file, args] = /^node (\S+\.mts)(.*)$/.exec(command)!;
  const { code, output } = reader.runModule(file.replace('.mts', '.mjs'), textOf(file), args);
  expect({ file, code, output: code === 0 ? '' : output }).toEqual({ file, code: 0, output: '' });
}

/** Lines that say the same on every page; they run once. */
const done = new Set<string>();
function isRepeated(command: string): boolean {
  const before = done.has(command);
  if (/^npx chestmnist (doctor|train)$/.test(command)) done.add(command);
  return before;
}

describe.each(TYPED)('%s', (document) => {
  const blocks = blocksOf(document);
  let reader: Reader;
  beforeAll(async () => {
    reader = await Reader.ready();
  });

  test('has blocks of known languages only', () => {
    expect(blocks.filter(({ language }) => !['sh', 'ts'].includes(language))).toEqual([]);
  });

  for (const [i, block] of blocks.entries()) {
    if (block.language === 'sh') {
      test.each(commandsOf(block))('%s', async (command) => {
        const rule = RULES.find(([what]) => what.test(command));
        if (!rule) throw new Error(`no rule says how to run: ${command}`);
        if (!isRepeated(command)) await rule[1](reader, command);
      });
    } else {
      test(`block ${i + 1}, TypeScript`, () => {
        const { code, output } = reader.runModule(`block-${i}.mjs`, block.text);
        expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' });
      });
    }
  }
});

test('TypeScript in documents and examples fits the published types', async () => {
  const blocks = TYPED.flatMap(blocksOf).filter(({ language }) => language === 'ts');
  const examples = commandsOf(blocksOf('examples/README.md')[0]).flatMap((line) => /\S+\.mts/.exec(line)?.[0] ?? []);
  const modules = [
    ...blocks.map(({ document, text }, i) => [`${document.replaceAll(/\W/g, '-')}-${i}.mts`, text] as const),
    ...examples.map((file) => [path.basename(file), textOf(file)] as const),
  ];
  expect(modules.length).toBeGreaterThan(5);
  expect(typeErrors(await Reader.ready(), Object.fromEntries(modules))).toEqual([]);
});

(referencePython ? test : test.skip)('examples/own_data.py makes a data set of a folder and a table', async () => {
  const reader = await Reader.ready();
  const names = Array.from({ length: 60 }, (_, i) => `${i}.png`);
  mkdirSync(reader.at('images'));
  for (const [i, name] of names.entries()) writeFileSync(path.join(reader.at('images'), name), picture(30 + i, i + 1));
  // Two images of each patient.
  const rows = names.map((name, i) => `${name},${i >> 1},${i % 2},${i % 3 === 0 ? 1 : 0}`);
  writeFileSync(reader.at('labels.csv'), ['file,patient,effusion,nodule', ...rows].join('\n'));
  succeeds(reader, `${referencePython} examples/own_data.py labels.csv images own.npz`);
  const { output } = reader.run('npx chestmnist data verify own.npz --json');
  const { splits } = JSON.parse(output) as { splits: Record<string, { count: number; positives: number[] }> };
  const counts = Object.values(splits).map(({ count }) => count);
  expect(counts.every((count) => count > 0 && count % 2 === 0)).toBe(true);
  expect(counts.reduce((a, b) => a + b)).toBe(60);
  expect(Object.values(splits).reduce((sum, { positives }) => sum + positives[0], 0)).toBe(30);
});

test('npx finds the command', async () => {
  const reader = await Reader.ready();
  const npx = path.join(path.dirname(process.execPath), 'npx');
  expect(reader.run(`${npx} chestmnist --version`)).toEqual({ code: 0, output: `${manifest.version}\n` });
});

describe.each(DOCUMENTS)('%s', (document) => {
  test('its links lead to files and headings', () => {
    const broken = linksOf(document).filter(({ target, anchor }) => {
      try {
        readFileSync(path.join(REPOSITORY, target));
      } catch (error) {
        return (error as NodeJS.ErrnoException).code !== 'EISDIR';
      }
      return anchor !== undefined && !anchorsOf(target).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  test('its commands are ones that the command line takes, and its npm scripts exist', async () => {
    const text = textOf(document);
    const refused = [];
    for (const words of commandsIn(text)) {
      const refusal = await refusalOf(words);
      if (refusal !== undefined) refused.push(`chestmnist ${words.join(' ')}: ${refusal}`);
    }
    expect(refused).toEqual([]);
    const scripts = [...text.matchAll(/\bnpm run ([\w:-]+)/g)].map(([, name]) => name);
    expect(scripts.filter((name) => !(name in manifest.scripts))).toEqual([]);
  });
});

test('README has at most 700 words', () => {
  expect(textOf('README.md').split(/\s+/).filter(Boolean).length).toBeLessThanOrEqual(700);
});

test('docs/runs.md lists every error code with its exit code', () => {
  const source = readFileSync(path.join(REPOSITORY, 'src/base/errors.ts'), 'utf8');
  const codes = [...new Set(source.match(/\bERR_[A-Z_]+(?=')/g))] as ErrorCode[];
  expect(codes.length).toBeGreaterThan(15);
  const listed = Object.fromEntries(
    [...textOf('docs/runs.md').matchAll(/^\| `(ERR_\w+)` +\| (\d)/gm)].map(([, code, exit]) => [code, Number(exit)]),
  );
  const parts = { found: '', needed: '', next: '' };
  const expected = Object.fromEntries(codes.map((code) => [code, exitCodeOf(new ChestMnistError(code, parts))]));
  expect(listed).toEqual(expected);
});

test('the examples are short, and smaller numbers change no example but its numbers', () => {
  for (const { target } of linksOf('examples/README.md')) {
    const text = textOf(target);
    expect({ target, short: text.split('\n').length <= 40 }).toEqual({ target, short: true });
    expect(smaller(text).replace(/\d+/g, '')).toBe(text.replace(/\d+/g, ''));
  }
});
