/**
 * An empty project with the tarball in it, as a user makes it: by one package manager, with install scripts or without,
 * on one Node. Not here: which combinations are tried (package.mjs).
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../scripts/steps.mjs';

/** Runs a program; returns all it printed, and throws with the end of it when the status is another than expected. */
export function run(program, args, { expected = 0, ...options }) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    ...options,
    encoding: 'utf8',
    timeout: 600_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = `${stdout}${stderr}`;
  if (status === expected) return text;
  const end = text.trim().split('\n').slice(-25).join('\n');
  throw new Error(`${path.basename(program)} ${args.join(' ')}: ${error?.message ?? `exit ${status}`}\n${end}`);
}

const BUILDING =
  /^(c\+\+|cc|c89|c99|gcc|g\+\+|clang|cmake|make|gmake|ninja|ld|as|node|npm|npx)([-.\d].*)?$|-(gcc|g\+\+)/;

/** A folder with all programs of this PATH but those that build, and Node: what a user without a compiler has. */
export function pathWithoutCompiler(folder) {
  mkdirSync(folder);
  const seen = new Set();
  for (const place of process.env.PATH.split(path.delimiter)) {
    let names = [];
    try {
      names = readdirSync(place);
    } catch {
      // A folder of the path that does not exist.
    }
    for (const name of names) {
      if (BUILDING.test(name) || seen.has(name)) continue;
      seen.add(name);
      symlinkSync(path.join(place, name), path.join(folder, name));
    }
  }
  return folder;
}

/** The command lines of each manager: `add` the tarball, `exec` a program of the project, `node` a file of it. */
function commands(manager, { node, tools, file, scripts }) {
  const tool = (...parts) => path.join(tools, 'node_modules', ...parts);
  const direct = (...args) => [node, args];
  switch (manager) {
    case 'npm': {
      const cli = process.env.npm_execpath ?? '/usr/lib/node_modules/npm/bin/npm-cli.js';
      return {
        add: [node, [cli, 'install', file, '--no-audit', ...(scripts ? [] : ['--ignore-scripts'])]],
        exec: (...args) => [node, [cli, 'exec', '--', ...args]],
        node: direct,
      };
    }
    case 'pnpm':
      return {
        add: [tool('.bin', 'pnpm'), ['add', file]],
        exec: (...args) => [tool('.bin', 'pnpm'), ['exec', ...args]],
        node: direct,
      };
    case 'yarn1': {
      const cli = tool('yarn', 'bin', 'yarn.js');
      return {
        add: [node, [cli, 'add', `file:${file}`, ...(scripts ? [] : ['--ignore-scripts'])]],
        exec: (...args) => [node, [cli, '--silent', ...args]],
        node: direct,
      };
    }
    case 'yarn4': {
      const cli = tool('@yarnpkg', 'cli-dist', 'bin', 'yarn.js');
      return {
        add: [node, [cli, 'add', `chestmnist@file:${file}`, ...(scripts ? [] : ['--mode=skip-build'])]],
        exec: (...args) => [node, [cli, ...args]],
        // Its Plug'n'Play has no node_modules: only its own Node finds packages.
        node: (...args) => [node, [cli, 'node', ...args]],
      };
    }
    default:
      throw new Error(manager);
  }
}

/** Makes the project; `caches` are the variables that say where the caches are. `go` runs a command line in it, with the environment of a user without a compiler. */
export function makeProject({ work, name, manager, registry, userPath, caches, ...rest }) {
  const cwd = path.join(work, name);
  mkdirSync(cwd);
  cpSync(path.join(ROOT, 'tests', 'package', 'project'), cwd, { recursive: true });
  cpSync(path.join(cwd, 'types.ts'), path.join(cwd, 'types.mts'));
  writeFileSync(path.join(cwd, 'package.json'), JSON.stringify({ name: 'consumer', version: '1.0.0', private: true }));
  if (manager === 'pnpm') {
    // Without this it refuses scripts, and on CI that is an error.
    const builds = rest.scripts ? 'dangerouslyAllowAllBuilds: true' : 'strictDepBuilds: false';
    writeFileSync(path.join(cwd, 'pnpm-workspace.yaml'), `${builds}\nstoreDir: ${path.join(work, 'pnpm')}\n`);
  }
  if (manager === 'yarn4') writeFileSync(path.join(cwd, 'yarn.lock'), '');
  const env = {
    ...Object.fromEntries(
      Object.entries(process.env).filter(([key]) => /^(home|pip_.*|.*_proxy|ssl_.*|node_extra_.*)$/i.test(key)),
    ),
    ...{ PATH: `${path.dirname(rest.node)}${path.delimiter}${userPath}`, CI: 'true' },
    ...caches,
    npm_config_registry: registry,
    ...{ YARN_REGISTRY: registry, YARN_NPM_REGISTRY_SERVER: registry, YARN_CACHE_FOLDER: path.join(work, manager) },
    ...{ YARN_ENABLE_GLOBAL_CACHE: '0', YARN_ENABLE_TELEMETRY: '0', YARN_ENABLE_IMMUTABLE_INSTALLS: '0' },
  };
  const go = ([program, args], { expected, ...more } = {}) =>
    run(program, args, { cwd, env: { ...env, ...more }, expected });
  return { cwd, env, go, ...commands(manager, rest) };
}

/** tsc on the consumer's TypeScript as `nodenext` and as `bundler` see it, checking the package's own declarations too. */
export function checkTypes(cwd) {
  const common = { target: 'ES2023', lib: ['ES2023', 'DOM'], strict: true, types: [], outDir: 'out' };
  const projects = {
    nodenext: [{ module: 'nodenext', moduleResolution: 'nodenext' }, ['types.ts', 'types.mts']],
    bundler: [{ module: 'esnext', moduleResolution: 'bundler', noEmit: true }, ['types.ts']],
  };
  for (const [name, [options, files]] of Object.entries(projects)) {
    const config = path.join(cwd, `${name}.json`);
    writeFileSync(config, JSON.stringify({ compilerOptions: { ...common, ...options }, files }));
    run(process.execPath, [path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', config], { cwd });
  }
}
