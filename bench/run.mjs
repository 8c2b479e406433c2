/**
 * A whole run through the public API: seconds per epoch early and late, resident memory, and the delay of the event
 * loop during training. Usage, after `npm run build`: node bench/run.mjs [epochs] [training images]
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { train } from '../dist/index.mjs';
import { median } from './sides.mjs';

const epochs = Number(process.argv[2] ?? 100);
const limitTrain = Number(process.argv[3] ?? 1280);
const out = mkdtempSync(path.join(os.tmpdir(), 'bench-run-'));
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;

const rows = [];
const delay = monitorEventLoopDelay({ resolution: 5 });
const delays = [];
for await (const event of train({ data: 'synthetic', epochs, limitTrain, limitVal: 256, limitTest: 256, out })) {
  if (event.type === 'progress' && event.phase === 'train') delay.enable();
  if (event.type === 'epoch') {
    delay.disable();
    delays.push(delay.percentile(99) / 1e6 - 5);
    delay.reset();
    rows.push({ seconds: event.seconds, rss: rss() });
  }
}
rmSync(out, { recursive: true });

const tenth = Math.max(1, Math.floor(epochs / 10));
const [early, late] = [rows.slice(1, 1 + tenth), rows.slice(-tenth)];
const of = (part, what) => median(part.map((row) => row[what]));
console.log(`${epochs} epochs of ${limitTrain} synthetic images\n`);
console.log(`| | epochs 2 to ${1 + tenth} | last ${tenth} |\n|---|---|---|`);
console.log(`| seconds per epoch, median | ${of(early, 'seconds').toFixed(3)} | ${of(late, 'seconds').toFixed(3)} |`);
console.log(`| resident memory, median | ${of(early, 'rss').toFixed(0)} MB | ${of(late, 'rss').toFixed(0)} MB |`);
console.log(
  `\nEvent loop while training: delay p99 ${median(delays).toFixed(1)} ms, median over epochs (worst ${Math.max(...delays).toFixed(1)} ms)`,
);
