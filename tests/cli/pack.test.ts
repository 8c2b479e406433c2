/** `npm pack` in a copy of the repository whose source is one line: what it refuses, and what the sources alone hold. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { REPOSITORY } from '../support/reference';

const root = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-pack-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
/** Written by the script that runs before packing, once it has compiled. */
const ECHARTS = path.join(root, 'dist', 'report', 'charts', 'echarts.LICENSE.txt');
const OWN = path.join('prebuilds', `${process.platform}-${process.arch}`);

beforeAll(() => {
  const names = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'CMakeLists.txt', 'native', 'scripts', 'dist'];
  for (const name of [...names, 'tests/package/contents.mjs'])
    cpSync(path.join(REPOSITORY, name), path.join(root, name), { recursive: true });
  symlinkSync(path.join(REPOSITORY, 'node_modules'), path.join(root, 'node_modules'), 'junction');
  rmSync(ECHARTS, { force: true });
  mkdirSync(path.join(root, 'src'));
  writeFileSync(path.join(root, 'src', 'index.ts'), 'export const one = 1;\n');
});

function pack(sources?: string): { status: number | null; stderr: string; files: string[] } {
  const env = { ...process.env, CHESTMNIST_PACK_SOURCES: sources ?? '', npm_config_update_notifier: 'false' };
  const shell = process.platform === 'win32';
  const { status, stdout, stderr } = spawnSync('npm', ['pack', '--dry-run', '--json'], {
    ...{ cwd: root, env, shell, encoding: 'utf8' },
  });
  const json = stdout.slice(stdout.search(/^\[$/m));
  const [facts] = (status === 0 ? JSON.parse(json) : [{ files: [] }]) as [{ files: { path: string }[] }];
  return { status, stderr, files: facts.files.map((file) => file.path) };
}

test('without a prebuilt addon for this platform it stops, and names the command', () => {
  mkdirSync(path.join(root, 'prebuilds', 'plan9-mips'), { recursive: true });
  writeFileSync(path.join(root, 'prebuilds', 'plan9-mips', 'chestmnist.node'), '');
  const { status, stderr } = pack();
  expect(status).not.toBe(0);
  expect(stderr).toContain(`no prebuilt addon in ${OWN.replaceAll('\\', '/')}: npm run prebuilds makes it`);
  expect(stderr).toContain('CHESTMNIST_PACK_SOURCES=1');
  expect(existsSync(ECHARTS)).toBe(false);
  rmSync(path.join(root, 'prebuilds'), { recursive: true });
});

test('CHESTMNIST_PACK_SOURCES=1 packs the sources alone, and no addon that happens to be there', () => {
  const { status, files } = pack('1');
  expect(status).toBe(0);
  expect(files).toEqual(expect.arrayContaining(['dist/index.js', 'native/addon.cc', 'CMakeLists.txt', 'package.json']));
  expect(files.filter((file) => file.endsWith('.node'))).toEqual([]);
  mkdirSync(path.join(root, OWN), { recursive: true });
  writeFileSync(path.join(root, OWN, 'chestmnist.node'), '');
  const second = pack('1');
  expect(second.status).not.toBe(0);
  expect(second.stderr).toContain('prebuilds would go into it: remove it');
});

test('a prebuilt addon of other sources is refused', () => {
  mkdirSync(path.join(root, OWN), { recursive: true });
  writeFileSync(path.join(root, OWN, 'chestmnist.node'), '');
  writeFileSync(path.join(root, OWN, 'chestmnist.json'), JSON.stringify({ libtorch: '2.13.0', sources: 'others' }));
  const { status, stderr } = pack();
  expect(status).not.toBe(0);
  expect(stderr).toContain('was built from other sources; npm run prebuilds');
});
