/**
 * The elements of a recipe in the fast CPU execution against the plain one and float64, as execution.test.ts has it for the
 * network: all three start from the same weights, moments and averages, and the fast one may be FACTOR times as far
 * from float64 as plain float32 is. Against PyTorch: tests/parity/recipe.test.ts.
 */
import { appendFileSync } from 'node:fs';
import type { StateDict, Trainer, TrainerConfig } from '../../src/engine/contract';
import { BATCH, fieldsOf, IMAGES, inputsOf, RECIPES, trainerOf, type Recipe } from '../support/recipes';
import { distance, FACTOR, furthest, middle } from '../support/rounding';

const WARM_UP = 3;
const STEPS = 3;
/** Losses compared: a single one may be right by luck. */
const LOSSES = 6;
const RECORD = process.env.CHESTMNIST_MARGINS;

const open: Trainer[] = [];
afterEach(() => Promise.all(open.splice(0).map((trainer) => trainer.dispose())));
async function make(recipe: Recipe, changes: Partial<TrainerConfig>): Promise<Trainer> {
  const trainer = await trainerOf(recipe, changes);
  open.push(trainer);
  return trainer;
}

type Side = 'plain' | 'fast';
type Distances = Record<Side, Record<string, number>>[];

/** Throws for a kind whose middle distance is too large on the fast side. */
function judge(name: string, distances: Distances): void {
  const all = Object.keys(distances[0].plain).map((kind) => {
    const of = (side: Side) => middle(distances.map((one) => one[side][kind]));
    return { kind, plain: of('plain'), fast: of('fast') };
  });
  if (RECORD) appendFileSync(RECORD, `${JSON.stringify({ name, all })}\n`);
  expect(all.filter(({ plain, fast }) => !(fast <= FACTOR * plain))).toEqual([]);
}

/** The three executions with the same weights, moments and averages, after some steps. */
async function sides(recipe: Recipe) {
  const { orderOf, augmentation } = inputsOf(recipe);
  const extra = augmentation && { augmentation };
  const averaged = fieldsOf(recipe).averageDecay! > 0;
  const [exact, plain, fast] = [
    await make(recipe, { precision: 'fp64' }),
    await make(recipe, { exact: true }),
    await make(recipe, {}),
  ];
  expect([exact, plain, fast].map((trainer) => trainer.execution)).toEqual(['plain', 'plain', 'fast']);
  const train = (trainer: Trainer, step: number) =>
    trainer.trainEpoch({ order: orderOf(step), batchSize: BATCH, learningRates: Float64Array.of(5e-4), ...extra });
  const backward = (trainer: Trainer, step: number) => trainer.gradients({ order: orderOf(step), ...extra });
  const parts = async (trainer: Trainer) => ({
    model: await trainer.stateDict(),
    average: averaged ? await trainer.stateDict({ averaged }) : [],
    moments: await trainer.optimizerState(),
  });
  type Parts = Awaited<ReturnType<typeof parts>>;
  const load = async (trainer: Trainer, { model, average, moments }: Parts) => {
    await trainer.loadStateDict(model);
    if (averaged) await trainer.loadStateDict(average, { averaged });
    await trainer.loadOptimizerState(moments);
  };
  for (let step = 0; step < WARM_UP; step++) await train(plain, step);
  const before = await parts(plain);
  await Promise.all([exact, fast].map((trainer) => load(trainer, before)));
  const each = <T>(f: (trainer: Trainer) => Promise<T>) => Promise.all([exact, plain, fast].map(f));
  return { before, each, train, backward, parts, load };
}

const OPTIMIZER = ['optimizer', 'weightDecay', 'clip', 'ema'];
const ofOptimizer = ({ options }: Recipe) => OPTIMIZER.some((name) => Object.hasOwn(options, name));

/** What changes the loss shows in its value and its gradients. */
test.each(RECIPES.filter((recipe) => !ofOptimizer(recipe)))(
  'loss and gradients, fast = plain: $name',
  async (recipe) => {
    const { each, backward } = await sides(recipe);
    const distances: Distances = [];
    const losses: number[][] = [[], [], []];
    for (let step = WARM_UP; step < WARM_UP + STEPS; step++) {
      const results = await each((trainer) => backward(trainer, step));
      results.forEach(({ loss }, i) => losses[i].push(loss));
      const [exact, plain, fast] = results.map(({ gradients }) => gradients);
      distances.push({ plain: furthest(plain, exact), fast: furthest(fast, exact) });
    }
    for (let step = 20; step < 20 + LOSSES; step++)
      (await each((trainer) => backward(trainer, step))).forEach(({ loss }, i) => losses[i].push(loss));
    judge(recipe.name, distances);
    judge(recipe.name, [
      { plain: { loss: distance(losses[1], losses[0]) }, fast: { loss: distance(losses[2], losses[0]) } },
    ]);
  },
);

/** What changes the update shows in a step. */
test.each(RECIPES.filter(ofOptimizer))('steps, fast = plain: $name', async (recipe) => {
  const { before: first, each, train, parts, load } = await sides(recipe);
  const distances: Distances = [];
  const whole = ({ model, average, moments }: typeof first): StateDict => [
    ...model,
    ...moments,
    // Their kinds are those of the weights, which are as far off.
    ...average.map((entry) => ({ ...entry, name: `average.${entry.name}` })),
  ];
  let before = first;
  for (let step = WARM_UP; step < WARM_UP + STEPS; step++) {
    if (step > WARM_UP) await each((trainer) => load(trainer, before));
    await each((trainer) => train(trainer, step));
    const [exact, plain, fast] = await each(parts);
    const far = (after: typeof first) => furthest(whole(after), whole(exact), whole(before));
    distances.push({ plain: far(plain), fast: far(fast) });
    before = plain;
  }
  judge(recipe.name, distances);
});

const everything = RECIPES.find(({ name }) => name === 'all')!;

test('an epoch in parts, a batch in another order or other threads: the same bits', async () => {
  const { orderOf, augmentation } = inputsOf(everything);
  const order = Int32Array.from([0, 1, 2, 3].flatMap((step) => [...orderOf(step)]));
  const rates = Float64Array.of(1e-3, 5e-4, 2e-4, 1e-4);
  const state = async (trainer: Trainer) =>
    [await trainer.stateDict(), await trainer.stateDict({ averaged: true }), await trainer.optimizerState()].map(
      (part) => part.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
    );
  const whole = await make(everything, {});
  await whole.trainEpoch({ order, batchSize: BATCH, learningRates: rates, augmentation });
  const expected = await state(whole);
  for (const threads of [2, 3]) {
    const parts = await make(everything, { threads });
    for (const [from, to] of [
      [0, 1],
      [1, 4],
    ]) {
      const part = { order: order.subarray(from * BATCH, to * BATCH), learningRates: rates.subarray(from, to) };
      await parts.trainEpoch({ ...part, batchSize: BATCH, augmentation });
    }
    expect((await state(parts)).flat().every((bytes, i) => bytes.equals(expected.flat()[i]))).toBe(true);
  }
});

test('predictions of the averages leave the weights as they are', async () => {
  const { orderOf, augmentation } = inputsOf(everything);
  for (const changes of [{}, { exact: true }] as const) {
    const trainer = await make(everything, changes);
    await trainer.trainEpoch({ order: orderOf(0), batchSize: BATCH, augmentation });
    const bytes = (state: StateDict) =>
      state.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    const same = (a: StateDict, b: StateDict) => bytes(a).every((one, i) => one.equals(bytes(b)[i]));
    const before = await trainer.stateDict();
    const average = await trainer.stateDict({ averaged: true });
    const [own, averaged] = [
      await trainer.predict({ split: 'train', batchSize: 8 }),
      await trainer.predict({ split: 'train', batchSize: 8, averaged: true }),
    ];
    expect(same(await trainer.stateDict(), before)).toBe(true);
    expect(averaged.logits).not.toEqual(own.logits);
    await trainer.loadStateDict(average);
    expect((await trainer.predict({ split: 'train', batchSize: 8 })).logits).toEqual(averaged.logits);
    // Averages of other weights mean nothing: they start again.
    expect(same(await trainer.stateDict({ averaged: true }), average)).toBe(true);
  }
});

test.each([
  [{ learningRates: new Float64Array(2) }, '2 learningRates'],
  [{ learningRates: Float64Array.of(NaN) }, 'not finite'],
  [{ augmentation: { geometry: new Float32Array(6) } }, 'geometry has 6 values'],
  [{ augmentation: { intensity: new Float32Array(IMAGES * 2).fill(Infinity) } }, 'not finite'],
  [{ augmentation: { erased: new Int32Array(IMAGES * 4).fill(-1) } }, 'erased holds -1'],
  [
    { augmentation: { partners: new Int32Array(IMAGES).fill(IMAGES), shares: new Float32Array(IMAGES) } },
    'partners holds',
  ],
  [{ augmentation: { partners: new Int32Array(IMAGES) } }, 'partners or shares alone'],
  [{ augmentation: { geometry: [1] } }, 'geometry is of another type'],
])('inputs that do not fit are refused: %#', async (wrong, found) => {
  const trainer = await make({ name: 'plain', options: {} }, {});
  const call = async () => trainer.trainEpoch({ order: Int32Array.of(0, 1), batchSize: 2, ...wrong } as never);
  await expect(call()).rejects.toMatchObject({ code: 'ERR_CONFIG', found: expect.stringContaining(found) });
});

test('averages of a trainer that keeps none are refused', async () => {
  const trainer = await make({ name: 'plain', options: {} }, {});
  for (const call of [
    async () => trainer.stateDict({ averaged: true }),
    async () => trainer.predict({ split: 'train', batchSize: 2, averaged: true }),
  ])
    await expect(call()).rejects.toMatchObject({ code: 'ERR_CONFIG', found: expect.stringContaining('no averages') });
});
