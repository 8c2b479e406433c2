/**
 * Figures of exclusive classes against scikit-learn, on drawn predictions with classes that are missing, tied or certain; and
 * our result CSVs through MedMNIST's own AUC and ACC, for each task. The reference is tests/parity/classes_reference.py.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Random } from '../../src/base/random';
import type { Task } from '../../src/base/task';
import { computeMetrics } from '../../src/metrics';
import { oneHot } from '../../src/metrics/classes';
import { predictionsOf } from '../../src/metrics/loss';
import { writePredictions } from '../../src/run/predictions';
import { expectFigures } from '../support/metrics-cases';
import { describeWithPython, REPOSITORY, runReference } from '../support/reference';

interface Case {
  labels: number[];
  logits: number[][];
}

/** `count` classes, of which the last may not occur; logits in steps, so that some are equal. */
function draw(seed: number): Case {
  const random = new Random(seed, 1, 2);
  const count = 2 + random.below(6);
  const n = 5 + random.below(60);
  const present = Math.max(1, count - random.below(3));
  const [scale, step] = [[1, 4, 60][random.below(3)], [1e-3, 0.5, 1e-9][random.below(3)]];
  const labels = Array.from({ length: n }, () => random.below(present));
  const logits = labels.map((label) =>
    Array.from({ length: count }, (_, k) => {
      const value = scale * random.between(-1, 1) + (k === label ? scale / 2 : 0);
      return Math.fround(Math.round(value / step) * step);
    }),
  );
  return { labels, logits };
}

const inputOf = ({ labels, logits }: Case, task: Task) => {
  const labelCount = logits[0].length;
  return predictionsOf(task, {
    truth: oneHot(labels, labelCount),
    logits: Float32Array.from(logits.flat()),
    labelCount,
  });
};

const script = path.join(REPOSITORY, 'tests', 'parity', 'classes_reference.py');
const RUN = 'import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="__main__")';

describeWithPython('exclusive classes', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'classes-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('80 drawn cases equal scikit-learn to 1e-6, from logits and from probabilities alone', async () => {
    const cases = Array.from({ length: 80 }, (_, seed) => draw(seed));
    const file = path.join(folder, 'cases.json');
    writeFileSync(file, JSON.stringify(cases));
    const program = `import sys; sys.path.insert(0, ${JSON.stringify(path.dirname(script))}); ${RUN}`;
    const theirs = (await runReference(program, script, file)) as object[];
    cases.forEach((given, i) => {
      const fromScores = { ...inputOf(given, 'ordinal-regression'), logits: undefined };
      expectFigures(computeMetrics(fromScores), theirs[i], 1e-6, `case ${i}`);
      const multi = computeMetrics(inputOf(given, 'multi-class'));
      expect(multi).not.toHaveProperty('quadratic_weighted_kappa');
      expect(multi.confusion_matrix).toEqual((theirs[i] as { confusion_matrix: number[][] }).confusion_matrix);
    });
  }, 120_000);

  const EVALUATE = `
import json, sys
import numpy as np
from sklearn.metrics import accuracy_score, roc_auc_score
task, csv, npz = sys.argv[1:]
y_true, y_score = np.load(npz)["labels"].squeeze(), np.loadtxt(csv, delimiter=",", ndmin=2)[:, 1:].squeeze()
if task == "multi-label":
    columns = range(y_score.shape[1])
    auc = np.mean([roc_auc_score(y_true[:, i], y_score[:, i]) for i in columns])
    acc = np.mean([accuracy_score(y_true[:, i], y_score[:, i] > 0.5) for i in columns])
elif task == "binary-class":
    auc, acc = roc_auc_score(y_true, y_score), accuracy_score(y_true, y_score > 0.5)
else:
    auc = np.mean([roc_auc_score((y_true == i).astype(float), y_score[:, i]) for i in range(y_score.shape[1])])
    acc = accuracy_score(y_true, np.argmax(y_score, axis=-1))
print(json.dumps([float(auc), float(acc)]))`;

  test.each<[Task, number]>([
    ['multi-label', 3],
    ['binary-class', 1],
    ['multi-class', 4],
    ['ordinal-regression', 5],
  ])("MedMNIST's AUC and ACC of the CSV of %s are ours", async (task, labelCount) => {
    const random = new Random(7, labelCount, 0);
    const isOneOf = task === 'multi-class' || task === 'ordinal-regression';
    const truth = isOneOf
      ? oneHot(
          Array.from({ length: 90 }, (_, i) => i % labelCount),
          labelCount,
        )
      : Uint8Array.from({ length: 90 * labelCount }, (_, i) => (i % 4 === 0 ? 1 : 0));
    const logits = Float32Array.from(truth, (value) => random.between(-3, 2) + value);
    const predictions = predictionsOf(task, { truth, logits, labelCount });
    const { auc, accuracy } = computeMetrics(predictions);
    const name = { flag: 'set', size: 28, split: 'test', run: 'r' } as const;
    const files = await writePredictions(folder, predictions, { ...name, auc: auc.macro, acc: accuracy.mean });
    const theirs = (await runReference(EVALUATE, task, ...files)) as [number, number];
    expect(auc.macro).toBeCloseTo(theirs[0], 9);
    expect(accuracy.mean).toBeCloseTo(theirs[1], 9);
    expect(path.basename(files[0])).toBe(`set_test_[AUC]${theirs[0].toFixed(3)}_[ACC]${theirs[1].toFixed(3)}@r.csv`);
  });
});
