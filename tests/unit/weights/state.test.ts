/** Names and shapes of a resnet18 state dict, the strict check, and the fitting of the head. */
import { fitHead, recognise } from '../../../src/weights';
import { checkState, resnet18State } from '../../../src/weights/state';
import { f32, failure, resnet18 } from '../../support/weights-fixtures';

const values = (state: { shape: readonly number[] }[]) =>
  state.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);

describe('resnet18State', () => {
  it('has 122 entries, of which 62 parameters hold 11,183,694 values at 14 labels', () => {
    const state = resnet18State('torchvision', 14);
    const parameters = state.filter(({ name }) => !/running_|num_batches/.test(name));
    expect(state).toHaveLength(122);
    expect(parameters).toHaveLength(62);
    expect(values(parameters)).toBe(11_183_694);
    expect(new Set(state.map(({ name }) => name)).size).toBe(122);
  });

  it('differs between the stems in conv1.weight alone', () => {
    const [torchvision, cifar] = [resnet18State('torchvision', 14), resnet18State('cifar', 14)];
    expect(torchvision.filter((spec, i) => String(spec.shape) !== String(cifar[i].shape))).toEqual([
      { name: 'conv1.weight', dtype: 'F32', shape: [64, 3, 7, 7] },
    ]);
    expect(cifar[0].shape).toEqual([64, 3, 3, 3]);
  });
});

describe('checkState', () => {
  const expected = [f32('a', [2, 3]), f32('b', [4]), f32('c', [1])];

  it('returns the entries in the expected order, sharing their values', () => {
    const state = [f32('c', [1]), f32('a', [2, 3]), f32('b', [4])];
    const checked = checkState(state, expected);
    expect(checked.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(checked[0].data).toBe(state[1].data);
  });

  it('names what is missing, unexpected, doubled, of another shape or dtype', async () => {
    const counter = { name: 'b', dtype: 'I64' as const, shape: [4], data: new BigInt64Array(4) };
    const state = [f32('a', [3, 2]), counter, f32('d', [1]), f32('d', [1])];
    const { found } = await failure('ERR_WEIGHTS', () => checkState(state, expected));
    expect(found).toContain('a is F32 [3, 2], expected F32 [2, 3]');
    expect(found).toContain('b is I64 [4], expected F32 [4]');
    expect(found).toContain('c is missing');
    expect(found).toContain('d is unexpected');
    expect(found).toContain('d is a duplicate');
  });

  it('lists five differences and counts the rest', async () => {
    const { found } = await failure('ERR_WEIGHTS', () => checkState([], resnet18State('cifar', 14)));
    expect(found).toMatch(/conv1\.weight is missing; .*; and 117 more$/);
  });

  it('prints no control characters of a hostile name', async () => {
    const name = `\u001b[2J${'x'.repeat(500)}\u009b`;
    const { message } = await failure('ERR_WEIGHTS', () => checkState([f32(name, [1])], expected));
    expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    expect(message.length).toBeLessThan(600);
  });
});

describe('recognise', () => {
  it.each([
    ['torchvision', 14],
    ['cifar', 3],
    ['torchvision', 1000],
  ] as const)('tells a %s stem with %i labels and restores the order', (stem, labelCount) => {
    const state = resnet18(stem, labelCount);
    const told = recognise([...state].reverse());
    expect(told).toMatchObject({ stem, labelCount });
    expect(told.state.map(({ name }) => name)).toEqual(state.map(({ name }) => name));
    told.state.forEach((entry, i) => expect(entry.data).toBe(state[i].data));
  });

  it('adds zero counters to an old state dict, and refuses one that has some of them', async () => {
    const state = resnet18('cifar', 2);
    const old = recognise(state.filter(({ dtype }) => dtype === 'F32')).state;
    expect(old.find(({ name }) => name === 'bn1.num_batches_tracked')?.data).toEqual(new BigInt64Array([0n]));
    expect(old).toHaveLength(122);
    const some = state.filter(({ name }) => name !== 'bn1.num_batches_tracked');
    const { found } = await failure('ERR_WEIGHTS', () => recognise(some));
    expect(found).toContain('bn1.num_batches_tracked is missing');
  });

  it.each([[[]], [[f32('fc.weight', [2, 512])]], [[f32('conv1.weight', [64, 3, 5, 5]), f32('fc.weight', [])]]])(
    'refuses what is no resnet18',
    async (state) => {
      await failure('ERR_WEIGHTS', () => recognise(state));
    },
  );
});

describe('fitHead', () => {
  const expected = resnet18('torchvision', 14);

  it('takes everything when the label count is equal, and has nothing to say', () => {
    const state = resnet18('torchvision', 14);
    const fitted = fitHead(state, expected);
    expect(fitted.notes).toEqual([]);
    fitted.state.forEach((entry, i) => expect(entry.data).toBe(state[i].data));
  });

  it('keeps the fresh head when the label count differs, and says so', () => {
    const state = resnet18('torchvision', 1000);
    const fitted = fitHead(state, expected);
    expect(fitted.notes).toEqual([expect.stringMatching(/1000 labels.* 14.*fc\.weight and fc\.bias/)]);
    expect(fitted.state.map(({ name }) => name)).toEqual(expected.map(({ name }) => name));
    fitted.state.forEach((entry, i) => {
      expect(entry.data).toBe(entry.name.startsWith('fc.') ? expected[i].data : state[i].data);
    });
  });

  it('fills in the counters of an old file, and says so', () => {
    const state = resnet18('torchvision', 14).filter(({ dtype }) => dtype === 'F32');
    const fitted = fitHead(state, expected);
    expect(fitted.notes).toEqual([expect.stringContaining('num_batches_tracked')]);
    expect(fitted.state).toHaveLength(122);
  });

  it('refuses the other stem, naming the option that fits', async () => {
    const { found, next } = await failure('ERR_WEIGHTS', () => fitHead(resnet18('cifar', 14), expected));
    expect(found).toContain('conv1.weight is [64, 3, 3, 3]');
    expect(next).toContain('--stem cifar');
  });

  it('forgives nothing else', async () => {
    const state = resnet18('torchvision', 1000).filter(({ name }) => name !== 'layer3.0.downsample.0.weight');
    const { found } = await failure('ERR_WEIGHTS', () => fitHead(state, expected));
    expect(found).toContain('layer3.0.downsample.0.weight is missing');
  });
});
