/**
 * Steps that the scripts share: run a command under a name with its time, stop with that name when it fails. Plain
 * Node, since node_modules may not exist yet.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(fileURLToPath(new URL('.', import.meta.url)), '..');
export const MAIN = path.join(ROOT, 'dist', 'cli', 'main.js');

const begun = Date.now();
export const secondsSince = (time = begun) => ((Date.now() - time) / 1000).toFixed(1);
export const say = (text) => process.stdout.write(`${text}\n`);

/** Runs a program in the repository; ends this script with the step's name when it fails. */
export function step(name, program, args, options = {}) {
  say(`\n== ${name}`);
  const start = Date.now();
  const { status, signal, error } = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit', ...options });
  if (status !== 0) stop(name, error?.message ?? signal ?? `exit ${status}`, status ?? (signal ? 130 : 1));
  say(`== ${name}: ${secondsSince(start)} s`);
}

const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill()));

/** The same beside other steps. What the program prints is shown in one piece when it has ended. */
export function stepBeside(name, program, args) {
  const start = Date.now();
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    const printed = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece) => printed.push(piece));
    child.once('error', (error) => stop(name, error.message));
    child.once('close', (status, signal) => {
      running.delete(child);
      say(`\n== ${name}`);
      process.stdout.write(Buffer.concat(printed));
      if (status !== 0) stop(name, signal ?? `exit ${status}`, status ?? 130);
      say(`== ${name}: ${secondsSince(start)} s`);
      resolve();
    });
  });
}

export function stop(name, reason, code = 1) {
  process.stderr.write(`\nFAILED: ${name} (${reason}), after ${secondsSince()} s in all\n`);
  process.exit(code);
}

/** `npm ci` unless node_modules matches package-lock.json. */
export function installPackages() {
  const installed = path.join(ROOT, 'node_modules', '.package-lock.json');
  const lock = path.join(ROOT, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  const [program, args] = npm(['ci', '--no-audit', '--no-fund']);
  step('install packages (npm ci)', program, args, { shell: process.platform === 'win32' && program === 'npm' });
}

/**
 * npm as a program and its arguments: by its own path when npm runs this script, since on Windows `npm` is not an
 * executable.
 */
export function npm(args) {
  const own = process.env.npm_execpath;
  return own?.endsWith('npm-cli.js') ? [process.execPath, [own, ...args]] : ['npm', args];
}

/** dist/, of the packages that package-lock.json names. */
export function compile() {
  installPackages();
  step('compile TypeScript', process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']);
}

export const SETUP = ['set up LibTorch and the addon', process.execPath, [MAIN, 'setup']];

/** Packages, JavaScript, LibTorch and the addon: what every command of the repository needs. */
export function makeReady() {
  compile();
  step(...SETUP);
}
