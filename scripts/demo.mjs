/**
 * `npm run demo`: from a bare clone to a trained network and its report, in a few minutes on two cores. It trains
 * ResNet-18 on synthetic radiographs, so it needs no data set and says nothing about medicine.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { MAIN, makeReady, ROOT, say, secondsSince, step, stop } from './steps.mjs';

/** Enough for an AUC well above chance and few enough for two slow cores. */
const SIZES = { train: 4000, val: 1000, test: 1000 };
const EPOCHS = 6;
const NEEDED_AUC = 0.85;

say('chestmnist demo: packages, set-up, then ResNet-18 on synthetic radiographs');
makeReady();

const out = path.join(ROOT, 'runs');
mkdirSync(out, { recursive: true });
let name = 'demo';
for (let i = 2; existsSync(path.join(out, name)); i++) name = `demo-${i}`;
const limits = Object.entries(SIZES).flatMap(([split, count]) => [`--limit-${split}`, String(count)]);
const flags = ['--data', 'synthetic', ...limits, '--epochs', String(EPOCHS), '--out', out, '--name', name];
step(`train: chestmnist train ${flags.slice(0, 10).join(' ')}`, process.execPath, [MAIN, 'train', ...flags]);

const run = path.join(out, name);
const { splits, labels } = JSON.parse(readFileSync(path.join(run, 'metrics.json'), 'utf8'));
const auc = splits.test.auc.macro;
say(
  `\ntest AUC ${auc.toFixed(4)} (mean over ${labels.length} labels, ${splits.test.n} images), needed: above ${NEEDED_AUC}`,
);
say(`report   ${path.join(run, 'report.html')}`);
say(`time     ${secondsSince()} s in all`);
if (!(auc > NEEDED_AUC)) stop('demo', `test AUC ${auc} is not above ${NEEDED_AUC}`);
