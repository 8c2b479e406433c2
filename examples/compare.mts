/** Is one model better than another on the same images? Trains two, then compares them on the same bootstrap resamples. */
import { evaluate, train } from 'chestmnist';
import { comparePredictions } from 'chestmnist/metrics';

// Only the predictions are needed: no report, and no intervals but those of the comparison.
const data = { data: 'synthetic', limitTrain: 2000, limitVal: 500, limitTest: 500, report: false, resamples: 0 };
const [first, second] = [await train({ ...data, epochs: 2 }), await train({ ...data, epochs: 2, lr: 1e-4 })];

// Only a run that was stopped may have no directory yet.
if (first.status !== 'finished' || second.status !== 'finished') throw new Error('a run was stopped');
const [a, b] = [await evaluate(first.runDirectory), await evaluate(second.runDirectory)];
const comparison = comparePredictions({
  truth: a.truth,
  a: a.scores,
  b: b.scores,
  labelCount: a.labelCount,
  confidence: { resamples: 1000 },
});

for (const figure of ['auc_macro', 'average_precision_macro', 'f1_macro'] as const) {
  const { difference, interval, a_better: share } = comparison[figure];
  const [low, high] = interval.map((value) => value?.toFixed(4));
  console.log(`${figure}: A - B = ${difference?.toFixed(4)}, 95 % interval ${low} to ${high}, A better in ${share}`);
}
// A share of resamples. An interval of the difference that contains 0 is no evidence that one model is better.
const [low, high] = comparison.auc_macro.interval;
const decided = low !== null && high !== null && (low > 0 || high < 0);
console.log(decided ? `${low > 0 ? 'A' : 'B'} ranks better.` : 'These images do not decide which ranks better.');
