/** Temperatures against SciPy's and PyTorch's (calibration_reference.py), on drawn logits: also at their bounds. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Random } from '../../src/base/random';
import { fitTemperatures } from '../../src/metrics/temperature';
import { predictionsOf } from '../../src/metrics/loss';
import { describeWithPython, REPOSITORY, runReference } from '../support/reference';

describeWithPython('temperatures', () => {
  test('60 drawn cases equal the reference to 1e-9', async () => {
    const cases = Array.from({ length: 60 }, (_, seed) => {
      const random = new Random(seed, 3, 1);
      const [n, labelCount, exclusive] = [4 + random.below(80), 1 + random.below(5), seed % 3 === 0];
      const [scale, noise] = [[0.02, 1, 40][random.below(3)], [0, 1, 3][random.below(3)]];
      const truth: number[][] = [];
      const logits = Array.from({ length: n }, () => {
        const chosen = random.below(labelCount);
        const row = Array.from({ length: labelCount }, (_, k) =>
          Number(exclusive ? k === chosen : random.between(0, 1) < 0.3),
        );
        truth.push(row);
        return row.map((value) => Math.fround(scale * (value - 0.5 + noise * random.between(-1, 1))));
      });
      return { exclusive, truth, logits };
    });
    const folder = mkdtempSync(path.join(tmpdir(), 'calibration-'));
    const file = path.join(folder, 'cases.json');
    writeFileSync(file, JSON.stringify(cases));
    const program = path.join(REPOSITORY, 'tests', 'parity', 'calibration_reference.py');
    const theirs = (await runReference(RUN, program, file)) as number[][];
    rmSync(folder, { recursive: true });
    cases.forEach(({ exclusive, truth, logits }, i) => {
      const labelCount = logits[0].length;
      const task = exclusive ? 'multi-class' : 'multi-label';
      const [flat, values] = [Uint8Array.from(truth.flat()), Float32Array.from(logits.flat())];
      const { temperatures, kept } = fitTemperatures(predictionsOf(task, { truth: flat, logits: values, labelCount }));
      temperatures.forEach((value, k) => {
        const off = Math.abs(value / theirs[i][k] - 1);
        expect({ i, k, value, theirs: theirs[i][k], equal: off < 1e-9 }).toMatchObject({ equal: true });
      });
      const constant = exclusive
        ? []
        : truth[0].flatMap((_, k) => (truth.every((row) => row[k] === truth[0][k]) ? [k] : []));
      expect(kept).toEqual(constant);
    });
    const all = theirs.flat();
    expect([all.some((value) => value > 19.9), all.some((value) => value < 0.051)]).toEqual([true, true]);
  });
});

const RUN = 'import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="__main__")';
