/**
 * `npm run test:package`: packs the package, installs the tarball into empty projects with every package manager, with
 * and without install scripts, on every supported Node, and does the main job in each, without a compiler on the path.
 * One LibTorch serves them all. `--short` is one npm project on this Node, with what is built already: part of npm test.
 * `--cuda` adds a project that changes to the CUDA LibTorch (2.7 GB to download), without a compiler too.
 * Names of managers and numbers of Node as arguments choose among the installations: `pnpm yarn4 22`.
 */
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  lstatSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { isCurrent, pack, problemsOf } from './contents.mjs';
import { checkTypes, makeProject, pathWithoutCompiler, run } from './projects.mjs';
import { npm, ROOT, say, secondsSince, step, stop } from '../../scripts/steps.mjs';

const [short, cuda] = ['--short', '--cuda'].map((flag) => process.argv.includes(flag));
const MANAGERS = { npm: [], pnpm: ['pnpm@12.21.0'], yarn1: ['yarn@1.22.22'], yarn4: ['@yarnpkg/cli-dist@4.18.1'] };
const NODES = ['20', '22', '24'];
const chosen = (names) => names.filter((name) => process.argv.includes(name));
const [managers, versions] = [Object.keys(MANAGERS), NODES].map((all) => (chosen(all).length > 0 ? chosen(all) : all));
const CONSUMERS = ['jest@30.5.2', 'vitest@5.1.1', 'esbuild@0.28.2'];
const SMALL = ['--data', 'synthetic', '--limit-train', '256', '--limit-val', '64', '--limit-test', '64'];
const TRAIN = ['chestmnist', 'train', ...SMALL, '--epochs', '1', '--device', 'cpu', '--name', 'first'];

const own = process.versions.node.split('.')[0];

const work = mkdtempSync(path.join(tmpdir(), 'chestmnist-package-'));
process.once('exit', () => rmSync(work, { recursive: true, force: true }));
const failures = [];
const rows = [];

/** Does something under a name, timed; keeps what went wrong for the end. */
function attempt(name, does) {
  const since = Date.now();
  try {
    does();
    say(`${name}: ${secondsSince(since)} s`);
  } catch (error) {
    say(`${name}: FAILS: ${error.message.split('\n')[0]}`);
    failures.push(`${name}: ${error.message}`);
  }
}

function ok(text) {
  if (!/^ok$/m.test(text)) throw new Error(`did not say ok, but:\n${text}`);
}

/** One installation and the main job in it. */
function tryInstallation(project, { manager, scripts, version }) {
  const row = { manager, node: version, scripts: scripts ? 'yes' : 'no', result: 'FAILS' };
  rows.push(row);
  const timed = (column, does) => {
    const since = Date.now();
    does();
    row[column] = secondsSince(since);
  };
  attempt(`${manager}, Node ${version}, ${scripts ? 'with' : 'without'} install scripts`, () => {
    const { cwd, go, add, exec, node } = project;
    const start = Date.now();
    timed('install', () => go(add));
    if (!scripts) {
      // What the first user on a machine meets: the error that names the one command, which then repairs it.
      const said = go(exec(...TRAIN), { expected: 4, XDG_CACHE_HOME: path.join(work, 'empty') });
      if (!/next +npx chestmnist setup/.test(said)) throw new Error(`the error names no command:\n${said}`);
      timed('setup', () => go(exec('chestmnist', 'setup')));
    }
    timed('train', () => go(exec(...TRAIN)));
    row.first = secondsSince(start);
    const { splits } = JSON.parse(readFileSync(path.join(cwd, 'runs', 'first', 'metrics.json'), 'utf8'));
    if (splits.test.n !== 64) throw new Error('metrics.json is not of this run');
    readFileSync(path.join(cwd, 'runs', 'first', 'plots', 'loss.png'));
    timed('esm', () => ok(go(node('consumer.mjs'))));
    timed('cjs', () => ok(go(node('consumer.cjs'))));
    // Types do not depend on Node, and tsc by itself does not read Plug'n'Play.
    if (version === own && manager !== 'yarn4') {
      timed('types', () => {
        checkTypes(cwd);
        for (const file of ['out/types.js', 'out/types.mjs']) ok(go(node(file)));
      });
    }
    row.result = 'works';
  });
}

/** In an npm project: Jest, Vitest in threads and in processes, and bundles. */
function tryConsumers({ go, add: [program, [cli]], exec, node }) {
  attempt('install Jest, Vitest, esbuild', () => go([program, [cli, 'install', '--no-audit', ...CONSUMERS]]));
  attempt('Jest', () => go(exec('jest', 'consumer.test.js')));
  for (const pool of ['threads', 'forks']) {
    attempt(`Vitest (${pool})`, () => go(exec('vitest', 'run', '--globals', '--pool', pool, 'consumer.test.js')));
  }
  const bundle = (file, out, ...flags) =>
    go(exec('esbuild', file, '--bundle', '--platform=node', `--outfile=${out}`, ...flags));
  attempt('esbuild with the package external', () => {
    bundle('consumer.mjs', 'out/bundle.mjs', '--format=esm', '--external:chestmnist');
    ok(go(node('out/bundle.mjs', 'bundle')));
  });
  attempt('esbuild with the package bundled: the error says what to do', () => {
    bundle('consumer.cjs', 'out/bundle.cjs', '--external:@resvg/*');
    const said = go(node('out/bundle.cjs'), { expected: 1 });
    if (!said.includes('--external:chestmnist')) throw new Error(said);
  });
}

/** From the CPU's LibTorch to CUDA's in one command, and the main job on it; a device is not needed for that. */
function tryCuda({ go, add, exec }) {
  attempt('setup --cuda, without a compiler', () => {
    go(add);
    go(exec('chestmnist', 'setup', '--cuda'));
    const said = go(exec('chestmnist', 'doctor', '--json'));
    const { libtorch, addon } = JSON.parse(said.slice(said.indexOf('{'), said.lastIndexOf('}') + 1));
    if (!libtorch.cuda) throw new Error(`LibTorch is ${libtorch.version}`);
    if (!addon.file.includes(path.join('cuda', 'prebuilds'))) throw new Error(`the addon is ${addon.file}`);
    go(exec(...TRAIN));
  });
}

/**
 * What packing needs, in a folder of its own: packing compiles and writes into dist/, which other tests are using when
 * the short form runs beside them.
 */
function copyOfRepository(folder) {
  const names = [
    'package.json',
    'README.md',
    'LICENSE',
    'CMakeLists.txt',
    'binding.gyp',
    'src',
    'native',
    'scripts',
    'examples',
  ];
  for (const name of [...names, 'tsconfig.json', 'tsconfig.build.json', 'tests/package/contents.mjs'])
    cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'), 'junction');
  return folder;
}

/** Bytes of all files under a folder; links are not followed. */
function bytesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + lstatSync(path.join(entry.parentPath, entry.name)).size, 0);
}
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function table() {
  const columns = ['manager', 'node', 'scripts', 'install', 'setup', 'train', 'esm', 'cjs', 'types', 'result'];
  const cells = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? '-'))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  const lines = cells.map((line) => line.map((cell, i) => cell.padEnd(widths[i])).join('  '));
  return lines.map((line) => line.trimEnd()).join('\n');
}

// --- The tarball ---
const root = short ? copyOfRepository(path.join(work, 'source')) : ROOT;
const [prebuilt, prebuiltForCuda] = [root, path.join(root, 'cuda')].map((place) =>
  path.join(place, 'prebuilds', `${process.platform}-${process.arch}`),
);
if (short) {
  mkdirSync(prebuilt, { recursive: true });
  const release = (name) => path.join(ROOT, 'build', 'Release', name);
  copyFileSync(release('chestmnist.json'), path.join(prebuilt, 'chestmnist.json'));
  const libc = process.platform === 'linux' ? '.glibc' : '';
  copyFileSync(release('chestmnist.node'), path.join(prebuilt, `chestmnist${libc}.node`));
} else if (![prebuilt, ...(cuda ? [prebuiltForCuda] : [])].every(isCurrent)) {
  step('prebuild', process.execPath, ['scripts/prebuild.mjs', ...(cuda ? ['--cuda'] : [])]);
}
const tarball = pack(work, root);
const problems = problemsOf(tarball, root);
if (problems.length > 0) stop('contents of the package', `\n  ${problems.join('\n  ')}`);
say(`${tarball.filename}: ${megabytes(tarball.size)}, ${megabytes(tarball.unpackedSize)} unpacked, as it should be`);

// --- The installations ---
const tools = path.join(work, 'tools');
const [npmProgram, npmArgs] = npm([]);
const inTools = { cwd: work, env: process.env };
const registry = run(npmProgram, [...npmArgs, 'config', 'get', 'registry'], inTools)
  .trim()
  .split('\n')[0];
const nodes = new Map([[own, process.execPath]]);
const userPath = pathWithoutCompiler(path.join(work, 'path'));
if (!short) {
  mkdirSync(tools);
  const wanted = [...Object.values(MANAGERS).flat(), ...NODES.map((version) => `node${version}@npm:node@${version}`)];
  run(npmProgram, [...npmArgs, 'install', '--no-audit', '--prefix', tools, ...wanted], inTools);
  for (const version of NODES) nodes.set(version, path.join(tools, 'node_modules', `node${version}`, 'bin', 'node'));
}
// From nothing, so that what is measured is what a new user waits for; the short form takes what this machine has.
const caches = short
  ? { XDG_CACHE_HOME: process.env.XDG_CACHE_HOME ?? '' }
  : { XDG_CACHE_HOME: path.join(work, 'cache'), npm_config_cache: path.join(work, 'npm') };
const project = (manager, scripts, version, name = `${manager}-${version}-${scripts ? 'scripts' : 'none'}`) => {
  const node = nodes.get(version);
  return makeProject({ work, name, manager, registry, userPath, caches, node, tools, file: tarball.file, scripts });
};
const first = project('npm', !short, own);
tryInstallation(first, { manager: 'npm', scripts: !short, version: own });
const disk = short ? undefined : [path.join(first.cwd, 'node_modules'), path.join(work, 'cache')].map(bytesUnder);

if (!short) {
  for (const version of versions) {
    for (const manager of managers) {
      for (const scripts of [true, false]) {
        if (manager === 'npm' && scripts && version === own) continue;
        tryInstallation(project(manager, scripts, version), { manager, scripts, version });
      }
    }
  }
  tryConsumers(first);
  if (cuda) tryCuda(project('npm', true, own, 'cuda'));
  const npx = (...args) => run(npmProgram, [...npmArgs, 'exec', '--yes', '--', ...args], inTools);
  attempt('publint', () => npx('publint@0.3.25', tarball.file, '--strict'));
  attempt('are the types wrong', () => npx('@arethetypeswrong/cli@0.18.5', tarball.file, '--profile', 'node16'));
}

// --- The verdict ---
say(
  `\nseconds; ${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${cpus()[0].model.trim()}, npm tarball ${tarball.filename}`,
);
say(table());
say(`\ntarball ${megabytes(tarball.size)}, unpacked ${megabytes(tarball.unpackedSize)}`);
if (disk) {
  say(`on disk: node_modules ${megabytes(disk[0])}; in the user's cache, once, LibTorch ${megabytes(disk[1])}`);
  say(`from npm install on empty caches to the end of the first epoch: ${rows[0].first} s`);
}
for (const failure of failures) say(`\nFAILS ${failure}`);
if (failures.length > 0) stop('package', `${failures.length} of the above fail`);
say(`\npackage: ${rows.length} installations, all work (${secondsSince()} s)`);
