/** The mean of several models' probabilities, as logits, and their spread. */
import { scoresOf } from '../../../src/metrics/loss';
import { deviation, meanLogits, spreadOf } from '../../../src/metrics/mean';
import { Random } from '../../../src/base/random';

const random = new Random(1, 0, 0);
const models = [0, 1, 2].map(() => Float32Array.from({ length: 60 }, () => random.between(-6, 6)));

test.each(['multi-label', 'multi-class'] as const)('%s: the probabilities of the logits are the mean', (task) => {
  const each = models.map((logits) => scoresOf(task, logits, 4));
  const together = scoresOf(task, meanLogits(task, models, 4), 4);
  together.forEach((score, i) => expect(score).toBeCloseTo((each[0][i] + each[1][i] + each[2][i]) / 3, 6));
  const spread = spreadOf(each);
  spread.forEach((sd, i) => expect(sd).toBe(deviation(each.map((of) => of[i])).sd));
  expect(deviation([1, 2, 4, 5])).toEqual({ mean: 3, sd: Math.sqrt(10 / 3) });
});

test.each(['multi-label', 'multi-class'] as const)('%s: extreme logits stay finite and in order', (task) => {
  const sure = [Float32Array.of(2000, -2000, 40, -41), Float32Array.of(1000, -3000, 41, -40)];
  const logits = meanLogits(task, sure, 2);
  expect([...logits].every(Number.isFinite)).toBe(true);
  expect(logits[0]).toBeGreaterThan(logits[1]);
  // 1 - p of the second image is about 1e-18 (exclusive: 1e-35), which no probability tells from 1.
  expect(scoresOf(task, logits, 2)[2]).toBe(1);
  if (task === 'multi-label') {
    expect(logits[2]).toBeCloseTo(Math.log(2 / (Math.exp(-40) + Math.exp(-41))), 5);
    expect(logits[0]).toBeGreaterThan(logits[2]);
  }
});
