// An ESM consumer: trains through the API, iterating the run.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ChestMnistError, train } from 'chestmnist';
import { computeMetrics } from 'chestmnist/metrics';

const run = train({
  ...{ data: 'synthetic', limitTrain: 128, limitVal: 64, limitTest: 64, epochs: 1 },
  ...{ device: 'cpu', out: 'runs', name: process.argv[2] ?? 'esm' },
});
const seen = new Set();
for await (const event of run) seen.add(event.type);
const { runDirectory, metrics } = await run;

const figures = computeMetrics({ truth: Uint8Array.of(0, 1), scores: Float64Array.of(0.2, 0.9), labelCount: 1 });
const refused = await Promise.resolve()
  .then(() => train({ epochs: 0 }))
  .catch((error) => error);
const holds = {
  events: ['start', 'epoch', 'finish'].every((type) => seen.has(type)),
  metrics: metrics.splits.test.n === 64,
  report: existsSync(path.join(runDirectory, 'report.html')),
  weights: existsSync(path.join(runDirectory, 'weights', 'best.safetensors')),
  'chestmnist/metrics': figures.auc.macro === 1,
  'error class': refused instanceof ChestMnistError && refused.code === 'ERR_CONFIG',
};
const broken = Object.keys(holds).filter((name) => !holds[name]);
if (broken.length > 0) throw new Error(`does not hold: ${broken.join(', ')}`);
console.log('ok');
