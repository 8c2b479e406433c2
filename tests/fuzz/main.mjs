/**
 * `npm run fuzz [-- PARSER… --inputs N --seed N]`: coverage-guided mutation fuzzing of everything that reads a file, one
 * parser after the other, each in a process of its own (child.mjs). `--replay FILE` gives one saved input to one parser.
 * Findings are kept in build/fuzz; any makes the exit code 1. `--mistakes` shows that the fuzzer finds what it should
 * (mistakes.mjs). Needs dist/ (npm run build:ts).
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = path.resolve(HERE, '..', '..');
const KEPT = path.join(ROOT, 'build', 'fuzz');
/** An input hangs after so much of a processor's time, or of the clock's: a busy machine lets a process wait. */
const HANG_CPU_MS = 10_000;
const HANG_MS = 120_000;
/** Of the JavaScript heap; what parsers hand out lies outside it and is counted in judge.mjs. */
const HEAP_MB = 256;
/** Parsers that decode in sharp's addon, which the permission model does not bind; and what it looks at to load. */
const NATIVE = new Set(['png', 'jpeg', 'tiff', 'webp', 'dicom']);
const LIBC = ['/usr/bin/ldd', '/proc/self/exe'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    replay: { type: 'string' },
    mistakes: { type: 'boolean' },
  },
});
const all = values.mistakes
  ? Object.keys((await import('./mistakes.mjs')).default)
  : readdirSync(path.join(HERE, 'targets')).map((file) => path.basename(file, '.mjs'));
const names = positionals.length ? positionals : all;
const unknown = names.filter((name) => !all.includes(name));
if (
  unknown.length ||
  (values.replay && names.length !== 1) ||
  !/^\d+$/.test(values.inputs) ||
  !/^\d+$/.test(values.seed)
) {
  process.stderr.write(`usage: npm run fuzz -- [${all.join('|')}]… [--inputs N] [--seed N] [--replay FILE]\n`);
  process.exit(2);
}

/** What a process has used of the processors; 0 where there is no /proc. */
function processorMs(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return 10 * (Number(fields[11]) + Number(fields[12])); // ticks of a hundredth of a second
  } catch {
    return 0;
  }
}

/** Runs one parser; resolves to its figures. */
async function fuzz(name) {
  const memoryDisk = existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
  const scratch = mkdtempSync(path.join(memoryDisk, `fuzz-${name}-`));
  const began = Date.now();
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  const rights = [
    permission,
    `--allow-fs-read=${ROOT}/*`,
    `--allow-fs-read=${scratch}/*`,
    '--allow-fs-read=/etc/alpine-release', // node-gyp-build asks which C library there is
    `--allow-fs-write=${scratch}/*`,
    ...(NATIVE.has(name) ? ['--allow-addons', ...LIBC.map((place) => `--allow-fs-read=${place}`)] : []),
    ...(values.replay ? [`--allow-fs-read=${path.resolve(values.replay)}`] : []),
  ];
  const limits = [`--max-old-space-size=${HEAP_MB}`, '--disallow-code-generation-from-strings', '--no-warnings'];
  const args = [path.join(HERE, 'child.mjs'), name, values.inputs, values.seed, scratch];
  if (values.replay) args.push('--replay', path.resolve(values.replay));
  if (values.mistakes) args.push('--mistakes');
  const child = spawn(process.execPath, [...rights, ...limits, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let last = { inputs: 0, corpus: 0, covered: 0 };
  let errors = '';
  /** Where the child puts each input before it parses it. */
  let input;
  const findings = new Map();
  const keep = (reason, file) => {
    // One finding a kind: numbers and names in it differ from input to input.
    const kind = reason.replace(/"[^"]*"|\d+/g, '').slice(0, 300);
    if (findings.has(kind)) return;
    mkdirSync(KEPT, { recursive: true });
    const place = path.join(
      KEPT,
      `${name}-${createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 12)}`,
    );
    copyFileSync(file, place);
    findings.set(kind, place);
    process.stdout.write(`\n${name}: ${reason}\n  npm run fuzz -- ${name} --replay ${path.relative(ROOT, place)}\n`);
  };
  let number = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const facts = JSON.parse(line);
    if (facts.input) {
      input = facts.input;
      return;
    }
    if (facts.finding) {
      const file = path.join(scratch, `finding-${number++}`);
      keep(facts.finding, file);
      rmSync(file);
      return;
    }
    last = facts;
    const rate = Math.round((1000 * facts.inputs) / (Date.now() - began));
    if (process.stderr.isTTY)
      process.stderr.write(`\r${name} ${facts.inputs} inputs, ${rate}/s, corpus ${facts.corpus} \r`);
  });
  child.stderr.setEncoding('utf8').on('data', (text) => (errors = (errors + text).slice(-4000)));
  let [since, used] = [0, 0];
  const watch = setInterval(() => {
    if (!input) return;
    const { mtimeMs } = statSync(input);
    if (mtimeMs !== since) [since, used] = [mtimeMs, processorMs(child.pid)];
    if (processorMs(child.pid) - used < HANG_CPU_MS && Date.now() - since < HANG_MS) return;
    keep('it does not end', input);
    child.kill('SIGKILL');
  }, 1000);
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(watch);
  if (!last.done && findings.size === 0) {
    if (input) keep(`it ends the process (${code ?? 'by a signal'}): ${errors}`, input);
    else process.stderr.write(errors);
  }
  rmSync(scratch, { recursive: true, force: true });
  return {
    ...last,
    failed: !last.done || findings.size > 0,
    findings: findings.size,
    minutes: (Date.now() - began) / 60_000,
  };
}

const rows = [];
for (const name of names) {
  const row = await fuzz(name);
  rows.push([name, row]);
  if (rows.length === 1 || row.findings > 0)
    process.stdout.write('\nparser        inputs  minutes  findings  corpus  counters reached\n');
  const cells = [String(row.inputs).padStart(7), row.minutes.toFixed(1).padStart(7), String(row.findings).padStart(8)];
  const more = [String(row.corpus).padStart(6), String(row.covered).padStart(16)];
  process.stdout.write(`${name.padEnd(12)} ${[...cells, ...more].join('  ')}\n`);
}
const wrong = rows.filter(([, { failed, findings }]) => (values.mistakes ? findings === 0 : failed));
if (values.mistakes)
  process.stdout.write(`${rows.length - wrong.length} of ${rows.length} kinds of mistake are found\n`);
process.exitCode = wrong.length > 0 ? 1 : 0;
