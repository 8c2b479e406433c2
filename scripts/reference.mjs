/**
 * The Python reference that parity tests compare with: a virtual environment in .venv-reference with pinned versions.
 * Created once. When that fails, the reason is printed and the tests compare with committed fixtures.
 */
import { spawn } from 'node:child_process';
import { existsSync, lstatSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ROOT, say, secondsSince } from './steps.mjs';

const TORCH = '2.13.0';
const NEEDED = [`torch==${TORCH}`, 'torchvision==0.28.0', 'numpy', 'scikit-learn', 'pillow', 'torchmetrics'];
/** For single tests; not every platform has them. */
const WANTED = ['tensorboard', 'onnxruntime', 'safetensors', 'pandas'];

const VENV = path.join(ROOT, '.venv-reference');
const PYTHON =
  process.env.CHESTMNIST_PYTHON ||
  path.join(VENV, process.platform === 'win32' ? path.join('Scripts', 'python.exe') : path.join('bin', 'python'));

/** Runs a program to its end, beside whatever else goes on. */
const run = (program, args) =>
  new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const out = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => (out[name] += text));
    child.once('error', (error) => resolve({ status: null, error, ...out }));
    child.once('close', (status) => resolve({ status, ...out }));
  });

/** True when a Python has all that is needed, according to its package metadata, without importing torch. */
async function complete(python) {
  const names = NEEDED.map((name) => name.split('==')[0]);
  const program = `from importlib.metadata import version
for name in ${JSON.stringify(names)}: version(name)
assert version("torch").split("+")[0] == "${TORCH}", version("torch")`;
  return existsSync(python) && (await run(python, ['-I', '-c', program])).status === 0;
}

/** `{ python }`, or `{ reason }` when it is not available. */
export async function ensureReference() {
  if (await complete(PYTHON)) return { python: PYTHON };
  if (process.env.CHESTMNIST_PYTHON) return { reason: `CHESTMNIST_PYTHON lacks some of ${NEEDED.join(', ')}` };
  let system;
  for (const name of ['python3', 'python']) {
    if (!system && (await run(name, ['--version'])).status === 0) system = name;
  }
  if (!system) return { reason: 'no Python on this machine' };

  const start = Date.now();
  if (lstatSync(VENV, { throwIfNoEntry: false })) rmSync(VENV, { recursive: true, force: true }); // half made
  const made = await run(system, ['-m', 'venv', VENV]);
  if (made.status !== 0) return { reason: `python -m venv failed: ${lastLine(made)}` };
  // The CPU build where it is marked as such; elsewhere the plain version.
  const marked = NEEDED.map((name) => (name === `torch==${TORCH}` ? `${name}+cpu` : name));
  let installed = await pip(marked);
  if (installed.status !== 0) installed = await pip(NEEDED);
  if (installed.status !== 0) return { reason: `pip could not install ${NEEDED.join(' ')}: ${lastLine(installed)}` };
  const missing = [];
  for (const name of WANTED) {
    if ((await pip([name])).status !== 0) missing.push(name);
  }
  say('\n== Python reference (.venv-reference)');
  for (const name of missing) say(`   ${name} is not available here`);
  say(`== Python reference: ${secondsSince(start)} s`);
  return { python: PYTHON };
}

function pip(packages) {
  const flags = ['--retries', '0', '--timeout', '15', '--disable-pip-version-check', '--no-compile', '--quiet'];
  return run(PYTHON, ['-m', 'pip', 'install', ...flags, ...packages]);
}

const lastLine = ({ stdout, stderr, error }) =>
  error?.message ??
  `${stdout}\n${stderr}`
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('WARNING'))
    .at(-1);
