/**
 * What the built package does as a process of its own: the exit code and the streams of the command line, signals, what
 * is loaded and what is not, `require` and `import`. What the verbs print and refuse is in tests/unit/cli, without one.
 */
import { execFileSync, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { chestmnist, eventsOf, MAIN, PACKAGE, scratch, start } from '../support/chestmnist';
import { npz } from '../support/npz';

const folder = scratch();
const quote = JSON.stringify;
const inPackage = (...parts: string[]): string => path.join(path.dirname(PACKAGE), ...parts);

/** Two images with two labels, as `chestmnist metrics` takes them. */
const predictions = (): Promise<string> =>
  npz(folder(), 'two.npz', {
    labels: { descr: '|u1', shape: [2, 2], data: Uint8Array.of(0, 1, 1, 0) },
    scores: { descr: '<f8', shape: [2, 2], data: new Uint8Array(Float64Array.of(0.1, 0.9, 0.8, 0.2).buffer) },
  });

/** The names of installed packages and the addons that are loaded when `program` has ended. */
async function loadedBy(program: string): Promise<string[]> {
  const file = path.join(folder(), 'loaded.js');
  await writeFile(
    file,
    `process.on('exit', () => {
      const name = (file) => /node_modules.((@[^/\\\\]+.)?[^/\\\\]+)/.exec(file)?.[1] ?? (file.endsWith('.node') ? file : '');
      console.error(JSON.stringify([...new Set(Object.keys(require.cache).map(name))].filter(Boolean)));
    });
    ${program}`,
  );
  const { code, stderr } = await start([file]).done;
  expect(code).toBe(0);
  return JSON.parse(stderr) as string[];
}

describe('the command line', () => {
  test('a result goes to stdout with exit code 0', async () => {
    const { code, stdout, stderr } = await chestmnist(['--json', 'metrics', await predictions()]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ n: 2, auc: { macro: 1 } });
  });

  test.each([
    ['a usage error', ['train', '--epoch', '3'], 2, 'ERR_CONFIG'],
    ['a refused option', ['train', '--lr', 'NaN'], 2, 'ERR_CONFIG'],
    ['data that is not there', ['metrics', 'none.npz'], 3, 'ERR_DATA_MISSING'],
  ])('%s: the message on stderr, with --json an event on stdout, and the exit code', async (_, args, exit, error) => {
    const people = await chestmnist(args);
    expect(people).toMatchObject({ code: exit, stdout: '', stderr: expect.stringMatching(`^error ${error}\n`) });
    const programs = await chestmnist([...args, '--json']);
    expect(programs.code).toBe(exit);
    expect(eventsOf(programs.stdout)).toEqual([expect.objectContaining({ type: 'error', code: error })]);
  });

  test.each([
    [['tr'], 'train'],
    [['data', 'ver'], 'verify'],
    [['train', '--batch'], '--batch-size'],
    [['--json', 'doctor', '--qu'], '--quiet'],
  ])('bash completes %j to %s', async (typed, completed) => {
    const { stdout } = await chestmnist(['completion', 'bash']);
    const words = ['chestmnist', ...typed].join(' ');
    const program = `${stdout}\nCOMP_WORDS=(${words}); COMP_CWORD=${typed.length}; _chestmnist; echo "\${COMPREPLY[*]}"`;
    expect(execFileSync('bash', ['-c', program], { encoding: 'utf8' })).toBe(`${completed}\n`);
  });

  test('data fetch: Ctrl-C while it waits gives exit code 130 and the way to resume', async () => {
    const silent = net.createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const env = { ...process.env, https_proxy: `http://127.0.0.1:${(silent.address() as net.AddressInfo).port}` };
    const child = spawn(process.execPath, [MAIN, 'data', 'fetch', 'chestmnist', '--out', folder()], { env });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const socket = await new Promise<net.Socket>((resolve) => silent.once('connection', resolve));
    child.kill('SIGINT');
    const code = await new Promise((resolve) => child.once('close', resolve));
    socket.destroy();
    silent.close();
    expect(code).toBe(130);
    expect(stderr).toContain('the same command resumes it');
    expect(stderr).toContain('https://zenodo.org/records/10519652');
  });
});

describe('the package', () => {
  test('is there for require and import', async () => {
    const names = [
      ...[
        'ChestMnistError',
        'compareRuns',
        'evaluate',
        'expandToRgb',
        'explain',
        'importImages',
        'listRuns',
        'loadDataset',
        'loadWeights',
        'predict',
      ],
      ...['saveWeights', 'train', 'tune'],
    ];
    const cjs = await start(['-p', `JSON.stringify(Object.keys(require(${quote(PACKAGE)})).sort())`]).done;
    expect(JSON.parse(cjs.stdout)).toEqual(names);
    const file = quote(inPackage('index.mjs'));
    const esm = `import * as all from ${file}; console.log(JSON.stringify(Object.keys(all).sort()))`;
    const { stdout } = await start(['--input-type=module', '-e', esm]).done;
    // Node adds __esModule to the names of a CommonJS module.
    expect((JSON.parse(stdout) as string[]).filter((name) => name !== '__esModule')).toEqual(names);
  });

  test('its sub-path chestmnist/metrics works by require and by import', async () => {
    const use = `console.log(typeof m.computeMetrics, m.macroAuc({ labelCount: 1, truth: Uint8Array.of(0, 1), scores: Float64Array.of(0.1, 0.2) }))`;
    const cjs = `const m = require(${quote(inPackage('metrics', 'index.js'))}); ${use}`;
    expect((await start(['-e', cjs]).done).stdout).toBe('function 1\n');
    const esm = `import * as m from ${quote(inPackage('metrics', 'index.mjs'))}; ${use}`;
    expect((await start(['--input-type=module', '-e', esm]).done).stdout).toBe('function 1\n');
  });
});

describe('what is loaded', () => {
  const command = (...args: string[]): string => `require(${quote(MAIN)}).run(${quote(args)})`;

  test('help: commander alone', async () => {
    expect(await loadedBy(command('--help'))).toEqual(['commander']);
  });

  test('the metrics verb: neither the addon nor a package beyond commander and the reader of zip files', async () => {
    const packages = await loadedBy(command('metrics', await predictions()));
    expect(packages.filter((name) => !['commander', 'yauzl', 'pend'].includes(name))).toEqual([]);
  });

  test('chestmnist/metrics: nothing; chestmnist: no addon', async () => {
    expect(await loadedBy(`require(${quote(inPackage('metrics', 'index.js'))})`)).toEqual([]);
    expect((await loadedBy(`require(${quote(PACKAGE)})`)).filter((name) => name.endsWith('.node'))).toEqual([]);
  });

  test('the report: neither the charting library nor the rasteriser before something is drawn', async () => {
    const packages = await loadedBy(`require(${quote(inPackage('report', 'index.js'))})`);
    expect(packages.filter((name) => /echarts|@resvg|@expo-google-fonts/.test(name))).toEqual([]);
  });
});
