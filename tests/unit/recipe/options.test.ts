import { ChestMnistError } from '../../../src/base/errors';
import { nearest } from '../../../src/base/nearest';
import { configOf, defaultText, readFlag, resolveOptions } from '../../../src/recipe/resolve';
import { OPTION_NAMES, TRAIN_OPTIONS } from '../../../src/recipe/options';

const refused = (input: unknown): ChestMnistError => {
  try {
    resolveOptions(input);
  } catch (error) {
    expect(error).toBeInstanceOf(ChestMnistError);
    return error as ChestMnistError;
  }
  throw new Error(`accepted ${JSON.stringify(input)}`);
};

test('the defaults are the MedMNIST protocol', () => {
  expect(resolveOptions({})).toEqual({
    recipe: null,
    data: 'chestmnist',
    size: null,
    resize: null,
    epochs: 100,
    batchSize: 128,
    lr: 1e-3,
    optimizer: 'adam',
    weightDecay: 0,
    decayNorms: false,
    clip: null,
    ema: 0,
    schedule: 'step',
    warmup: 0,
    milestones: ['50%', '75%'],
    gamma: 0.1,
    loss: 'bce',
    focus: null,
    posWeight: 'none',
    labelSmoothing: 0,
    sampling: 'shuffled',
    ...{ shift: 0, scale: 0, rotate: 0, crop: 1, flip: 0, brightness: 0, contrast: 0, erase: 0, mixup: 0 },
    select: 'auc',
    stem: 'torchvision',
    head: 'average',
    task: null,
    weights: null,
    weightsKey: null,
    device: 'auto',
    precision: 'fp32',
    exact: false,
    threads: null, // what the machine allows, in each process anew
    seed: 0,
    seeds: null,
    jobs: 1,
    out: 'runs',
    name: null,
    resume: false,
    calibrate: false,
    checkpointEvery: 10,
    patience: null,
    labelNames: null,
    limitTrain: null,
    limitVal: null,
    limitTest: null,
    tensorboard: false,
    watch: false,
    report: true,
    resamples: 2000,
  });
});

test.each([
  ['lr', NaN],
  ['lr', -1],
  ['lr', 0],
  ['lr', Infinity],
  ['lr', '1e-3'],
  ['epochs', 0],
  ['epochs', 1.5],
  ['epochs', -3],
  ['batchSize', 1],
  ['batchSize', 2 ** 60],
  ['size', 27],
  ['size', 29],
  ['size', 26],
  ['resize', 223],
  ['resize', 1e9],
  ['device', 'gpu'],
  ['device', 'cuda:'],
  ['device', 'cuda:-1'],
  ['optimizer', 'sgd'],
  ['stem', 'resnet'],
  ['head', 'max'],
  ['precision', 'fp16'],
  ['weightDecay', -0.1],
  ['gamma', 0],
  ['milestones', ['abc']],
  ['schedule', 'linear'],
  ['warmup', -1],
  ['ema', 1],
  ['clip', 0],
  ['loss', 'mse'],
  ['focus', 0.5],
  ['posWeight', [1, -1]],
  ['labelSmoothing', 1],
  ['sampling', 'random'],
  ['shift', 1.5],
  ['scale', 1],
  ['rotate', 181],
  ['crop', 0],
  ['flip', 2],
  ['mixup', -0.1],
  ['select', 'f1'],
  ['milestones', [0]],
  ['milestones', '50%'],
  ['threads', 0],
  ['seed', -1],
  ['seed', 2 ** 53],
  ['name', '../up'],
  ['name', ''],
  ['name', '.hidden'],
  ['patience', 0],
  ['checkpointEvery', 0],
  ['checkpointEvery', 1e5],
  ['limitTrain', 0],
  ['limitVal', NaN],
  ['tensorboard', 'yes'],
  ['watch', 'yes'],
  ['report', 'no'],
  ['resamples', -1],
  ['resamples', 100_001],
  ['resamples', 1.5],
  ['weights', ''],
  ['data', 7],
])('refuses %s %p and says what it needs', (name, value) => {
  const error = refused({ [name]: value });
  expect(error.code).toBe('ERR_CONFIG');
  expect(error.found).toContain(`${name} is`);
  expect(error.needed).toBe(`${name}: ${TRAIN_OPTIONS[name as 'lr'].needed}`);
});

test('every option at fault is named, a mistyped one with the nearest', () => {
  const error = refused({ lr: NaN, epochs: 0, batchsize: 3 });
  expect(error.found).toContain('lr is NaN');
  expect(error.found).toContain('epochs is 0');
  expect(error.needed).toContain('perhaps batchSize');
});

test('a value that JSON cannot show is refused like any other', () => {
  const deep = JSON.parse(`${'['.repeat(50_000)}1${']'.repeat(50_000)}`);
  const cycle: unknown[] = [];
  cycle.push(cycle);
  for (const value of [deep, cycle, 5n])
    expect(refused({ epochs: value }).found).toMatch(/^epochs is (object|bigint)$/);
});

test("a name that every object has is no option's", () => {
  const error = refused(JSON.parse('{"toString": 1, "__proto__": 2, "constructor": 3}'));
  expect(error.found).toContain('unknown option "toString"; unknown option "__proto__"');
  expect(error.needed).not.toContain('undefined');
});

test.each([null, 'x', 3, [], undefined])('refuses %p instead of options', (input) => {
  expect(refused(input).code).toBe('ERR_CONFIG');
});

test('flags become values: text where the option takes text, numbers elsewhere', () => {
  expect(readFlag('lr', '1e-4')).toBe(1e-4);
  expect(readFlag('lr', 'NaN')).toBeNaN();
  expect(readFlag('lr', 'abc')).toBe('abc');
  expect(readFlag('epochs', '')).toBe('');
  expect(readFlag('name', '2024')).toBe('2024');
  expect(readFlag('data', '5')).toBe('5');
  expect(readFlag('milestones', '50%, 7')).toEqual(['50%', 7]);
  expect(readFlag('milestones', 'none')).toEqual([]);
  expect(readFlag('resume', true)).toBe(true);
});

test('each flag is the option in kebab-case; one that is on by default is switched off with --no-', () => {
  for (const name of OPTION_NAMES) {
    const word = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const isOn = (resolveOptions({})[name] as unknown) === true;
    expect(TRAIN_OPTIONS[name].flag.split(' ')[0]).toBe(`--${isOn ? 'no-' : ''}${word}`);
  }
  expect(defaultText('milestones')).toBe('50%,75%');
  expect(defaultText('name')).toBeUndefined();
  expect(defaultText('report')).toBeUndefined();
  expect(defaultText('resamples')).toBe('2000');
});

test('a resolved configuration resolves to itself', () => {
  const options = resolveOptions({ data: 'x.npz', milestones: [3, '75%'], name: 'a', resume: true });
  const config = configOf(options);
  expect(config).not.toHaveProperty('name');
  expect(resolveOptions(JSON.parse(JSON.stringify(config)))).toEqual({ ...options, name: null, resume: false });
});

test('nearest finds slips and nothing far away', () => {
  expect(nearest('epoch', OPTION_NAMES)).toBe('epochs');
  expect(nearest('weigths', OPTION_NAMES)).toBe('weights');
  expect(nearest('zzzzzzzz', OPTION_NAMES)).toBeUndefined();
});
