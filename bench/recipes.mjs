/**
 * What each element of a recipe does: runs of `train` by arm and seed, compared on the validation split in pairs of one
 * seed. Usage, after `npm run build`:
 *   node bench/recipes.mjs run DATA.npz OUT [--seeds 0-11] [--arms REGEX] [--stem cifar] [--part 1/2]
 *   node bench/recipes.mjs table OUT [--test ARM,ARM]
 *   node bench/recipes.mjs speed DATA.npz [--stem cifar]
 * `run` adds to OUT/results.jsonl what is missing there, so that it may be stopped and started again; `--part` shares the
 * runs out over processes with a thread each. `table` prints validation AUC and AP with the paired difference from all elements,
 * or from the protocol where an element is added to it (95 % t intervals), and the test split, single and as an ensemble of the first five seeds, for the arms named alone.
 * `speed` prints training images/s of elements beside the protocol's, alternated, medians of five epochs.
 */
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { native } from '../dist/engine/addon.js';
import { train } from '../dist/index.mjs';
import { computeMetrics, tuneThresholds } from '../dist/metrics/index.js';
import { readScored } from '../dist/run/predictions.js';

const ELEMENTS = {
  schedule: { schedule: 'cosine', warmup: 1 },
  decay: { optimizer: 'adamw', weightDecay: 0.05 },
  ema: { ema: 0.98 },
  geometry: { rotate: 5, scale: 0.05, shift: 0.07 },
  shades: { brightness: 0.1, contrast: 0.1 },
  mixup: { mixup: 0.2 },
};
/** Elements of no recipe. */
const MORE = {
  'focal loss': { loss: 'focal' },
  'asymmetric loss': { loss: 'asl' },
  'positive weights, sqrt': { posWeight: 'sqrt' },
  'positive weights, balanced': { posWeight: 'balanced' },
  'label smoothing 0.1': { labelSmoothing: 0.1 },
  'balanced sampling': { sampling: 'balanced' },
  'clipping 1': { clip: 1 },
  'flip 0.5': { flip: 0.5 },
  'crop 0.8': { crop: 0.8 },
  'erasing 0.25': { erase: 0.25 },
  'mixup 0.4': { mixup: 0.4 },
  'twice the geometry': { rotate: 10, scale: 0.1, shift: 0.14 },
  '40 epochs': { epochs: 40 },
  'select by AP': { select: 'ap' },
};
const EPOCHS = { epochs: 20 };
const all = Object.assign({}, EPOCHS, ...Object.values(ELEMENTS));
const short = { ...ELEMENTS.schedule, ...ELEMENTS.decay, ...ELEMENTS.ema, warmup: 0.5 };
const augmented = { ...short, ...ELEMENTS.geometry, ...ELEMENTS.shades };
const ARMS = {
  protocol: EPOCHS,
  'protocol, 100 epochs': { epochs: 100 },
  ...Object.fromEntries(
    [5, 10].flatMap((epochs) => [
      [`fast, ${epochs} epochs`, { ...short, epochs }],
      [`fast augmented, ${epochs} epochs`, { ...augmented, epochs }],
    ]),
  ),
  all,
  ...Object.fromEntries(Object.entries(ELEMENTS).map(([name, one]) => [`protocol + ${name}`, { ...EPOCHS, ...one }])),
  ...Object.fromEntries(
    Object.keys(ELEMENTS).map((left) => [
      `all - ${left}`,
      Object.assign({}, EPOCHS, ...Object.entries(ELEMENTS).flatMap(([name, one]) => (name === left ? [] : [one]))),
    ]),
  ),
  ...Object.fromEntries(Object.entries(MORE).map(([name, one]) => [`all + ${name}`, { ...all, ...one }])),
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '0-11' },
    arms: { type: 'string', default: '' },
    stem: { type: 'string', default: 'torchvision' },
    part: { type: 'string', default: '1/1' },
    test: { type: 'string', default: 'protocol,all,all - mixup' },
  },
});
const [verb, ...rest] = positionals;
const out = path.resolve(verb === 'table' ? rest[0] : (rest[1] ?? '.'));
const file = path.join(out, 'results.jsonl');
const results = existsSync(file)
  ? readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  : [];

async function run(data) {
  mkdirSync(out, { recursive: true });
  const [first, last = first] = values.seeds.split('-').map(Number);
  const [part, parts] = values.part.split('/').map(Number);
  const arms = Object.entries(ARMS).filter(([name]) => new RegExp(values.arms).test(name));
  const jobs = [];
  for (let seed = first; seed <= last; seed++) for (const [arm, options] of arms) jobs.push({ arm, seed, options });
  for (const [i, { arm, seed, options }] of jobs.entries()) {
    if (i % parts !== part - 1 || results.some((row) => row.arm === arm && row.seed === seed)) continue;
    const name = `${arm.replace(/[^a-z0-9.]+/gi, '-')}-${seed}`;
    rmSync(path.join(out, name), { recursive: true, force: true });
    const began = performance.now();
    const fixed = { data, out, name, seed, stem: values.stem, device: 'cpu', report: false, resamples: 0 };
    const { metrics, bestEpoch, runDirectory } = await train({
      ...options,
      ...fixed,
      ...(parts > 1 && { threads: 1 }),
    });
    const { val, test } = metrics.splits;
    const figures = ({ auc, average_precision: ap }) => ({ auc: auc.macro, ap: ap.macro });
    const tuned = metrics.tuned?.['val-f1'].test;
    appendFileSync(
      file,
      `${JSON.stringify({
        ...{ arm, seed, name, data: path.basename(data), stem: values.stem, task: metrics.task, bestEpoch },
        ...{ val: figures(val), test: figures(test) },
        ...(tuned && { tuned: { recall: tuned.recall.macro, f1: tuned.f1.macro } }),
        seconds: (performance.now() - began) / 1000,
      })}\n`,
    );
    for (const folder of ['weights', 'checkpoint']) rmSync(path.join(runDirectory, folder), { recursive: true });
    console.log(`${arm}, seed ${seed}: val AUC ${val.auc.macro.toFixed(4)}`);
  }
}

async function speed(data) {
  const arms = {
    protocol: {},
    'all augmentation': { ...ELEMENTS.geometry, ...ELEMENTS.shades, ...ELEMENTS.mixup, erase: 0.25 },
    'geometry and shades': { ...ELEMENTS.geometry, ...ELEMENTS.shades },
    'ema and clipping': { ...ELEMENTS.ema, clip: 1 },
    all,
  };
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-recipes-'));
  const fixed = {
    data,
    out: folder,
    stem: values.stem,
    device: 'cpu',
    report: false,
    resamples: 0,
    epochs: 2,
    warmup: 0,
  };
  const rates = new Map(Object.keys(arms).map((arm) => [arm, []]));
  for (let repeat = 0; repeat < 5; repeat++) {
    for (const [arm, options] of Object.entries(arms)) {
      const { history, runDirectory } = await train({ ...options, ...fixed });
      // The first epoch allocates memory.
      rates.get(arm).push(history[1].imagesPerSecond);
      rmSync(runDirectory, { recursive: true });
    }
  }
  const middle = (arm) => rates.get(arm).sort((a, b) => a - b)[2];
  console.log(`${os.cpus()[0].model.trim()}, ${values.stem} stem, load ${os.loadavg()[0].toFixed(1)}\n`);
  console.log('| arm | train images/s | of the protocol |\n|---|---|---|');
  for (const arm of Object.keys(arms))
    console.log(`| ${arm} | ${middle(arm).toFixed(0)} | ${(middle(arm) / middle('protocol')).toFixed(2)}x |`);
}

const mean = (numbers) => numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
const sd = (numbers) =>
  Math.sqrt(numbers.reduce((sum, one) => sum + (one - mean(numbers)) ** 2, 0) / (numbers.length - 1));
/** Quantiles 0.975 of Student's t. */
const T = [12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201];
const spread = (numbers) => (numbers.length < 2 ? '' : ` ± ${sd(numbers).toFixed(3)}`);

function paired(arm, name) {
  const other = arm.startsWith('protocol + ') ? 'protocol' : 'all';
  const base = new Map(results.filter((row) => row.arm === other).map((row) => [row.seed, row.val[name]]));
  const differences = results
    .filter((row) => row.arm === arm && base.has(row.seed))
    .map((row) => row.val[name] - base.get(row.seed));
  const n = differences.length;
  if (n < 2 || arm === 'all') return '';
  const half = ((T[n - 2] ?? 1.96) * sd(differences)) / Math.sqrt(n);
  const text = (value) => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(3)}`;
  const center = mean(differences);
  return `${text(center)} (${text(center - half)} to ${text(center + half)})`;
}

async function table() {
  console.log(
    `${os.cpus()[0].model.trim()}, ${os.cpus().length} cores, Node ${process.versions.node}, LibTorch ${native().torchVersion()}, ${results[0].data}, ${results[0].stem} stem\n`,
  );
  console.log('| arm | seeds | val AUC | difference | val AP | difference | best epoch |');
  console.log('|---|---|---|---|---|---|---|');
  for (const arm of Object.keys(ARMS)) {
    const rows = results.filter((row) => row.arm === arm);
    if (rows.length === 0) continue;
    const figure = (name) => rows.map((row) => row.val[name]);
    const cells = ['auc', 'ap'].flatMap((name) => [
      `${mean(figure(name)).toFixed(3)}${spread(figure(name))}`,
      paired(arm, name),
    ]);
    console.log(
      `| ${arm} | ${rows.length} | ${cells.join(' | ')} | ${mean(rows.map((r) => r.bestEpoch)).toFixed(1)} |`,
    );
  }
  console.log(
    '\n| arm | seeds | test AUC | test AP | macro recall | macro F1 | ensemble of 5: AUC | AP | recall | F1 |',
  );
  console.log('|---|---|---|---|---|---|---|---|---|---|');
  for (const arm of values.test.split(',')) {
    const rows = results.filter((row) => row.arm === arm).sort((a, b) => a.seed - b.seed);
    if (rows.length === 0) continue;
    const figure = (of) => `${mean(rows.map(of)).toFixed(3)}${spread(rows.map(of))}`;
    const single = [
      figure((row) => row.test.auc),
      figure((row) => row.test.ap),
      ...(rows[0].tuned ? [figure((row) => row.tuned.recall), figure((row) => row.tuned.f1)] : ['', '']),
    ];
    const members = rows.slice(0, 5);
    console.log(`| ${arm} | ${rows.length} | ${single.join(' | ')} | ${(await ensemble(members)).join(' | ')} |`);
  }
}

/** The mean of the members' probabilities, with thresholds of its own. */
async function ensemble(members) {
  if (members.length < 5) return ['', '', '', ''];
  const mixed = async (split) => {
    const all = await Promise.all(members.map(({ name, task }) => readScored(path.join(out, name), split, task)));
    const scores = all[0].scores.map((_, i) => mean(all.map((one) => one.scores[i])));
    const { task, labelCount, truth } = all[0];
    return { task, labelCount, truth, scores };
  };
  const [val, test] = [await mixed('val'), await mixed('test')];
  const isTuned = members[0].tuned !== undefined;
  const {
    auc,
    average_precision: ap,
    recall,
    f1,
  } = computeMetrics({
    ...test,
    ...(isTuned && { threshold: tuneThresholds('val-f1', val) }),
  });
  return [auc.macro, ap.macro, ...(isTuned ? [recall.macro, f1.macro] : [])].map((value) => value.toFixed(3));
}

if (verb === 'run') await run(path.resolve(rest[0]));
else if (verb === 'speed') await speed(path.resolve(rest[0]));
else await table();
