/**
 * The elements of a recipe against PyTorch's own functions, live on this machine: a few steps in float64, with the same
 * augmentation fed to both, as equal as the float32 that crosses the boundary can show. The fast execution is held to
 * float64 in tests/native/recipe.test.ts.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { StateDict } from '../../src/engine/contract';
import { learningRates, stepsOf, type StepSchedule } from '../../src/recipe/schedule';
import { loadWeights } from '../../src/weights';
import { BATCH, fieldsOf, inputsOf, labelsOf, RECIPES, SIZE, trainerOf } from '../support/recipes';
import { describeWithPython, referencePython, runReference } from '../support/reference';
import { distance, furthest } from '../support/rounding';

const STEPS = 2;
/** One unit in the last place of a float32, relative to it. */
const LAST_PLACE = 2 ** -23;
const RATES = [1e-3, 5e-4];

describeWithPython('recipes equal PyTorch', () => {
  let folder: string;
  const folderOf = (i: number) => path.join(folder, String(i));

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'chestmnist-recipes-'));
    RECIPES.forEach((recipe, i) => {
      const { images, truth, orderOf, augmentation } = inputsOf(recipe);
      const { clipNorm, labelWeights, optimizer, ...fields } = fieldsOf(recipe);
      mkdirSync(folderOf(i));
      const write = (name: string, data: string | Uint8Array) => writeFileSync(path.join(folderOf(i), name), data);
      write(
        'config.json',
        JSON.stringify({
          ...{ ...fields, optimizer: optimizer === 'adam' ? 'Adam' : 'AdamW', clip: clipNorm, rates: RATES },
          ...{ labelWeights: [...labelWeights!], labels: labelsOf(recipe), exclusive: recipe.exclusive ?? false },
          ...{ seed: 1, size: SIZE, inputSize: recipe.inputSize ?? SIZE, batch: BATCH },
        }),
      );
      const orders = Array.from({ length: STEPS }, (_, step) => [...orderOf(step)]).flat();
      for (const [name, rows] of Object.entries({
        images,
        labels: truth,
        order: Int32Array.from(orders),
        ...augmentation,
      }))
        write(`${name}.bin`, new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
    });
    const program = path.join(__dirname, 'recipe_reference.py');
    execFileSync(referencePython!, [program, ...RECIPES.map((_, i) => folderOf(i))], { stdio: 'inherit' });
  }, 600_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(RECIPES.map((recipe, i) => [recipe.name, recipe, i] as const))('%s', async (_, recipe, i) => {
    const file = (name: string) => path.join(folderOf(i), name);
    const { orderOf, augmentation } = inputsOf(recipe);
    const trainer = await trainerOf(recipe, { precision: 'fp64' });
    const losses: number[] = [];
    for (let step = 0; step < STEPS; step++) {
      const inputs = { order: orderOf(step), batchSize: BATCH, learningRates: Float64Array.of(RATES[step]) };
      losses.push((await trainer.trainEpoch({ ...inputs, ...(augmentation && { augmentation }) })).loss);
    }
    const ours: StateDict = [...(await trainer.stateDict()), ...(await trainer.optimizerState())];
    const averaged = fieldsOf(recipe).averageDecay! > 0 ? await trainer.stateDict({ averaged: true }) : undefined;
    await trainer.dispose();
    expect(distance(losses, JSON.parse(readFileSync(file('losses.json')).toString()) as number[])).toBeLessThan(
      LAST_PLACE,
    );
    const theirs = [...(await loadWeights(file('state.pth'))), ...(await loadWeights(file('moments.pth')))];
    const compare = (a: StateDict, b: StateDict) => {
      for (const [kind, far] of Object.entries(furthest(a, b)))
        expect({ kind, far, equal: far < LAST_PLACE }).toMatchObject({ kind, equal: true });
    };
    compare(ours, theirs);
    if (averaged) compare(averaged, await loadWeights(file('average.pth')));
  });
});

describeWithPython('learning rates per step are those of torch.optim.lr_scheduler', () => {
  test('warm-up, then cosine or milestones', async () => {
    const base = { lr: 1e-3, gamma: 0.1, epochs: 6, milestones: [2, 4], warmup: 0 };
    const cases: (StepSchedule & { steps: number })[] = [
      { ...base, schedule: 'cosine', steps: stepsOf(65, 8) },
      { ...base, schedule: 'cosine', warmup: 1, steps: 7 },
      { ...base, schedule: 'cosine', warmup: 1.5, steps: 5 },
      { ...base, schedule: 'step', warmup: 2.5, steps: 3 },
      { ...base, schedule: 'step', steps: 4 },
    ];
    const expected = await runReference(
      `
import json, math, sys, torch
out = []
for c in json.loads(sys.argv[1]):
    p = torch.nn.Parameter(torch.zeros(1)); o = torch.optim.Adam([p], lr=c["lr"]); lrs = []
    n, w, total = c["steps"], c["warmup"] * c["steps"], c["epochs"] * c["steps"]
    warm = lambda k: min(1, (k + 1) / w) if k < w else 1
    if c["schedule"] == "step":
        s = [torch.optim.lr_scheduler.LambdaLR(o, lambda k: c["gamma"] ** sum(k // n >= m for m in c["milestones"]) * warm(k))]
    elif w == 0:
        s = [torch.optim.lr_scheduler.CosineAnnealingLR(o, total)]
    else:
        s = [torch.optim.lr_scheduler.LambdaLR(o, lambda k: 0.5 * (1 + math.cos(math.pi * max(0, k - w) / (total - w))) * warm(k))]
    for _ in range(total):
        lrs.append(o.param_groups[0]["lr"]); o.step(); [x.step() for x in s]
    out.append(lrs)
print(json.dumps(out))`,
      JSON.stringify(cases),
    );
    const ours = cases.map((c) =>
      Array.from({ length: c.epochs }, (_, epoch) => [...learningRates(c, epoch, c.steps)]).flat(),
    );
    ours.forEach((rates, i) => {
      const theirs = (expected as number[][])[i];
      expect(rates).toHaveLength(theirs.length);
      // torch computes the cosine by a recursion: a few last places per step.
      rates.forEach((rate, k) => expect(Math.abs(rate - theirs[k])).toBeLessThan(1e-3 * 2 ** -52 * 8 * (k + 1)));
    });
  });
});
