/**
 * `npm run test:crash -- [--kills 50] [--epochs 10] [--seed N]`: kills a training run with SIGKILL at random moments, on purpose also
 * while a checkpoint is written, resumes it each time, and compares what it ends with with a run that was left alone:
 * weights, metrics and predictions byte for byte, the history but for its two timing columns. Needs dist/ and the addon.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ROOT, say, secondsSince } from '../../scripts/steps.mjs';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    epochs: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1e6) },
  },
});
const kills = Number(values.kills);
let random = Number(values.seed) >>> 0;
/** From 0 to `below`; a linear congruence is random enough here. */
const draw = (below) => ((random = (Math.imul(random, 1664525) + 1013904223) >>> 0) / 2 ** 32) * below;

const out = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-crash-'));
const MAIN = path.join(ROOT, 'dist', 'cli', 'main.js');
const RUN = [
  ...['--data', 'synthetic', '--limit-train', '256', '--limit-val', '64', '--limit-test', '64', '--batch-size', '32'],
  ...['--epochs', values.epochs, '--checkpoint-every', '0.01', '--device', 'cpu', '--threads', '1', '--out', out],
  // The report is not compared, and intervals are in metrics.json of few resamples as of many.
  ...['--no-report', '--resamples', '20'],
];
const temporary = (folder) => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.tmp'));
const counts = { kills: 0, writing: 0, starting: 0, runs: 0 };

function fail(text) {
  say(`FAILED: ${text} (seed ${values.seed}); the runs are kept in ${out}`);
  process.exit(1);
}

/** Runs `train` to its end, or until `kill` has resolved. */
async function life(args, kill) {
  const child = spawn(process.execPath, [MAIN, 'train', '--json', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let begun = () => {};
  const begins = new Promise((resolve) => (begun = resolve));
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
    if (text.includes('"type":"start"')) begun();
  });
  child.stderr.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  const end = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, text })));
  let ended = false;
  void end.then(() => (ended = true));
  await Promise.race([end, kill?.(begins, () => ended) ?? end]);
  if (!ended) child.kill('SIGKILL');
  return end;
}

/** Three kinds of moments: anywhere, before anything is trained, and inside the writing of a checkpoint. */
function moment(directory) {
  const kind = ['anywhere', 'writing', 'writing', 'starting'][Math.floor(draw(4))];
  const [wait, within, nth] = [draw(4000), draw(250), 1 + Math.floor(draw(3))];
  return async (begins, ended) => {
    if (kind === 'starting') return sleep(wait / 4);
    await begins;
    if (kind === 'anywhere') return sleep(wait);
    for (let writes = 0, was = false; !ended(); await sleep(2)) {
      const is = temporary(path.join(directory, 'checkpoint'));
      if (is && !was && ++writes === nth) return sleep(within);
      was = is;
    }
  };
}

const hasCheckpoint = (directory) =>
  ['state', 'previous'].some((name) => existsSync(path.join(directory, 'checkpoint', `${name}.safetensors`)));
const history = (directory) =>
  readFileSync(path.join(directory, 'history.csv'), 'utf8').replace(/^((?:[^,\n]*,){6})[^,\n]*,[^,\n]*,/gm, '$1');

/** Killed between its last write and its end, a run is finished: there is nothing to resume. */
function isFinished(directory) {
  try {
    return JSON.parse(readFileSync(path.join(directory, 'run.json'), 'utf8')).status === 'finished';
  } catch {
    return false;
  }
}

function compare(directory, whole, killed) {
  for (const name of ['weights/best.safetensors', 'weights/last.safetensors', 'metrics.json', 'predictions/test.npz']) {
    if (!readFileSync(path.join(directory, name)).equals(readFileSync(path.join(whole, name))))
      fail(`${directory}: ${name} is not that of the uninterrupted run`);
  }
  if (history(directory) !== history(whole)) fail(`${directory}: history.csv is not that of the uninterrupted run`);
  const left = readdirSync(directory, { recursive: true }).filter((name) =>
    (killed ? /\.tmp$/ : /\.tmp$|^lock$/).test(name),
  );
  if (left.length > 0) fail(`${directory}: left behind: ${left.join(', ')}`);
}

say(`killing ${kills} times (seed ${values.seed}); the uninterrupted run first`);
const whole = path.join(out, 'whole');
const alone = await life([...RUN, '--name', 'whole']);
if (alone.code !== 0) fail(alone.text);
say(`uninterrupted: ${secondsSince()} s`);

for (let directory = path.join(out, 'run-1'); ;) {
  const args = hasCheckpoint(directory) ? ['--resume', directory] : [...RUN, '--name', path.basename(directory)];
  if (!hasCheckpoint(directory)) rmSync(directory, { recursive: true, force: true });
  const last = counts.kills >= kills;
  const { code, signal, text } = await life(args, last ? undefined : moment(directory));
  if (signal === 'SIGKILL') {
    counts.kills++;
    // Before the start the temporary file may be one that an earlier kill left.
    if (!text.includes('"type":"start"')) counts.starting++;
    else if (temporary(path.join(directory, 'checkpoint'))) counts.writing++;
    if (counts.kills % 10 === 0) say(`${counts.kills} kills, ${secondsSince()} s`);
    if (!isFinished(directory)) continue;
  } else if (code !== 0) fail(`${directory} ended with exit code ${code}: ${text.slice(-2000)}`);
  compare(directory, whole, signal === 'SIGKILL');
  counts.runs++;
  if (last) break;
  directory = path.join(out, `run-${counts.runs + 1}`);
}
rmSync(out, { recursive: true, force: true });
say(
  `OK: ${counts.kills} kills (${counts.writing} while a checkpoint was written, ${counts.starting} before training) in ${counts.runs} run(s), ${secondsSince()} s; ` +
    'weights, metrics and predictions byte-equal, history equal but for its timing columns',
);
