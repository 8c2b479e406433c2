/**
 * Live parity with scikit-learn and torchmetrics on predictions of random shape, prevalence, ties and thresholds, drawn
 * by fast-check from a fixed seed; and on one of ChestMNIST's size. The reference is tests/parity/metrics_reference.py.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import {
  calibrationCurve,
  computeMetrics,
  macroAuc,
  precisionRecallCurve,
  rocCurve,
  sigmoid,
  type Metrics,
} from '../../src/metrics';
import { describeWithPython, REPOSITORY, runReference } from '../support/reference';
import { draw, expectFigures, inputOf, listed, type Case } from '../support/metrics-cases';

/** Predictions of which only the ranks are compared. */
type Logits = Pick<Case, 'labels'> & { logits: number[][] };

interface Report {
  figures: object;
  curves: Record<string, object> | null;
}

/** The reference's figures of many cases in one start of Python. */
async function reference(cases: (Case | Logits)[]): Promise<Report[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'metrics-'));
  try {
    const file = path.join(folder, 'cases.json');
    writeFileSync(file, JSON.stringify(cases));
    const script = path.join(REPOSITORY, 'tests', 'parity', 'metrics_reference.py');
    const program = 'import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="__main__")';
    return (await runReference(program, script, file)) as Report[];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const score = fc.oneof(
  { weight: 4, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 10 }).map((k) => k / 10) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, 0.5, 1e-300, 5e-324, 1 - 2 ** -53, 1 / 15, 14 / 15) },
);

/** N x L predictions; a label may have any prevalence, also 0 and 1, and all scores of a case may be the same. */
const cases: fc.Arbitrary<Case> = fc
  .record({ n: fc.integer({ min: 2, max: 40 }), labelCount: fc.integer({ min: 1, max: 4 }) })
  .chain(({ n, labelCount }) => {
    const rows = <T>(value: fc.Arbitrary<T>) => {
      const row = fc.array(value, { minLength: labelCount, maxLength: labelCount });
      return fc.array(row, { minLength: n, maxLength: n });
    };
    const one = fc.double({ min: 0, max: 1, noNaN: true });
    return fc.record({
      labels: fc
        .tuple(
          rows(one),
          fc.array(fc.constantFrom(0, 0.05, 0.3, 0.7, 1), { minLength: labelCount, maxLength: labelCount }),
        )
        .map(([draws, prevalence]) => draws.map((row) => row.map((value, label) => Number(value < prevalence[label])))),
      scores: fc.oneof(
        { weight: 9, arbitrary: rows(score) },
        { weight: 1, arbitrary: score.chain((value) => rows(fc.constant(value))) },
      ),
      threshold: fc.oneof(fc.constant(0.5), one, fc.array(score, { minLength: labelCount, maxLength: labelCount })),
    });
  });

function expectParity(given: Case, { figures, curves }: Report): void {
  const input = inputOf(given);
  expectFigures(computeMetrics(input), figures);
  if (!curves) return;
  const yTrue = Uint8Array.from(given.labels, (row) => row[0]);
  const yScore = Float64Array.from(given.scores, (row) => row[0]);
  expectFigures(listed(rocCurve(yTrue, yScore)), curves.roc);
  expectFigures(listed(rocCurve(yTrue, yScore, { dropIntermediate: false })), curves.roc_all);
  expectFigures(listed(precisionRecallCurve(yTrue, yScore)), curves.pr);
  expectFigures(listed(precisionRecallCurve(yTrue, yScore, { dropIntermediate: true })), curves.pr_dropped);
  expectFigures(listed(calibrationCurve(yTrue, yScore)), curves.uniform);
  expectFigures(listed(calibrationCurve(yTrue, yScore, { strategy: 'quantile' })), curves.quantile);
}

describeWithPython('metrics equal scikit-learn and torchmetrics to 1e-6', () => {
  const rows = <T>(values: ArrayLike<T>, width: number): T[][] =>
    Array.from({ length: values.length / width }, (_, i) =>
      Array.from({ length: width }, (__, label) => values[i * width + label]),
    );
  const large = [
    draw(30, 22_433, 14, { prevalence: 0.05, steps: 1e9 }),
    draw(31, 5_000, 14, { prevalence: 0.05, steps: 50 }),
  ].map(({ truth, scores }) => ({ labels: rows(truth, 14), scores: rows(scores, 14), threshold: 0.3 }));
  const drawn = fc.sample(cases, { seed: 20, numRuns: 100 });
  // Where the sigmoid gives 1 or 0 for all: scikit-learn ranks the logits themselves.
  const saturated = [98, -800, 0].map((centre, i) => {
    const { truth, scores } = draw(40 + i, 300, 3, { steps: 20 });
    return { labels: rows(truth, 3), logits: rows(scores, 3).map((row) => row.map((score) => centre + score)) };
  });
  let reports: Report[];
  beforeAll(async () => {
    reports = await reference([...large, ...drawn, ...saturated]);
  }, 300_000);

  test('ranks by logits, also where their probabilities are all 1 or all 0', () => {
    saturated.forEach(({ labels, logits }, i) => {
      const [truth, given] = [Uint8Array.from(labels.flat()), Float64Array.from(logits.flat())];
      const input = { truth, logits: given, scores: sigmoid(given), labelCount: 3 };
      const { figures } = reports[large.length + drawn.length + i];
      expectFigures(computeMetrics(input), figures);
      expectFigures({ auc: { macro: macroAuc(input) } }, { auc: { macro: (figures as Metrics).auc.macro } });
    });
  });

  test('on 22,433 images with 14 labels', () => expectParity(large[0], reports[0]));
  test('on 5,000 images with many ties', () => expectParity(large[1], reports[1]));
  test('on 100 drawn cases', () => {
    drawn.forEach((given, i) => {
      try {
        expectParity(given, reports[large.length + i]);
      } catch (error) {
        throw new Error(`case ${i}: ${(error as Error).message}\n${JSON.stringify(given)}`, { cause: error });
      }
    });
  });
});
