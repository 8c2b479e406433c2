/** Judges the predictions of any model: AUC, F1 at tuned thresholds, intervals. Loads no LibTorch. */
import { computeMetrics, tuneThresholds } from 'chestmnist/metrics';

const names = ['effusion', 'nodule'];
const labelCount = names.length;

// Replace these by your own: rows are images, columns are labels, one array each, row after row.
const val = made(400, 1);
const test = made(400, 2);

// Thresholds come from the validation split alone; the test split is scored once.
const threshold = tuneThresholds('val-f1', val);
const metrics = computeMetrics({ ...test, threshold, confidence: { resamples: 500 } });

// A figure that is not defined, such as the AUC of a label without positives, is null.
const show = (value: number | null): string => value?.toFixed(3) ?? 'undefined';
const [low, high] = metrics.confidence!.auc_macro;
console.log(`macro AUC ${show(metrics.auc.macro)}, 95 % interval ${show(low)} to ${show(high)}`);
console.log(
  `accuracy ${show(metrics.accuracy.mean)}; predicting nothing scores ${show(metrics.all_negative.accuracy)}`,
);
names.forEach((name, i) => {
  const [[tn, fp], [fn, tp]] = metrics.confusion[i];
  console.log(
    `${name}: F1 ${show(metrics.f1.per_label[i])}, ${tp} found, ${fn} missed, ${fp} false alarms, ${tn} right to pass`,
  );
});

/** Labels of a tenth and a third of the images, and scores that know something about them. */
function made(count: number, seed: number) {
  const noise = (i: number): number => Math.abs(Math.sin(i * 12.9898 + seed * 78.233) * 43758.5453) % 1;
  const truth = Uint8Array.from({ length: count * labelCount }, (_, i) => Number(noise(i) < (i % 2 ? 0.1 : 0.33)));
  const scores = Float64Array.from(truth, (label, i) => 0.3 * label + 0.7 * noise(i + 0.5));
  return { truth, scores, labelCount };
}
