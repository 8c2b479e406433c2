/** What we write, NumPy reads; what NumPy writes, we read: live, on top of the fixtures. */
import { readNpz, writeNpz } from '../../src/base/npz';
import { loadDataset } from '../../src/data';
import { describeWithPython, runReference } from '../support/reference';
import { scratch } from '../support/data-files';

const at = scratch();

const DESCRIBE = `
import json, sys, zipfile, numpy as np
assert zipfile.ZipFile(sys.argv[1]).testzip() is None
arrays = np.load(sys.argv[1], allow_pickle=False)
print(json.dumps({k: [arrays[k].dtype.str, list(arrays[k].shape), bool(arrays[k].flags.c_contiguous), arrays[k].ravel().tolist()] for k in arrays}))
`;

describeWithPython('numpy', () => {
  test.each([false, true])('numpy.load reads what writeNpz writes (compress: %s)', async (compress) => {
    const values = Float64Array.from({ length: 24 }, (_, i) => Math.fround(Math.sin(i)));
    await writeNpz(
      at('ours.npz'),
      {
        bytes: { shape: [2, 3, 4], data: Uint8Array.from(values, (_, i) => i * 10) },
        ints: { shape: [24], data: Int32Array.from(values, (_, i) => i - 12) },
        singles: { shape: [4, 6], data: Float32Array.from(values) },
        doubles: { shape: [24, 1], data: values },
        scalar: { shape: [], data: Float64Array.of(0.5) },
        texts: { shape: [3], data: ['a/b.png', '', 'Zoë 🩻.dcm'] },
      },
      { compress },
    );
    const numbers = [...values];
    expect(await runReference(DESCRIBE, at('ours.npz'))).toEqual({
      bytes: ['|u1', [2, 3, 4], true, numbers.map((_, i) => i * 10)],
      ints: ['<i4', [24], true, numbers.map((_, i) => i - 12)],
      singles: ['<f4', [4, 6], true, numbers],
      doubles: ['<f8', [24, 1], true, numbers],
      scalar: ['<f8', [], true, [0.5]],
      texts: ['<U9', [3], true, ['a/b.png', '', 'Zoë 🩻.dcm']],
    });
  });

  test.each(['savez', 'savez_compressed'])('readNpz reads what numpy.%s writes to disk', async (save) => {
    const program = `import sys, numpy as np; np.${save}(sys.argv[1], labels=np.eye(3, dtype=int), scores=np.linspace(0, 1, 9).reshape(3, 3), big=(np.arange(2_000_000) * 2654435761 >> 7).astype('u1')); print(0)`;
    await runReference(program, at(`${save}.npz`));
    const arrays = await readNpz(at(`${save}.npz`));
    expect(arrays.get('labels')).toMatchObject({
      dtype: '<i8',
      shape: [3, 3],
      data: Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1),
    });
    expect([...arrays.get('scores')!.data]).toEqual([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1]);
    const big = arrays.get('big')!.data;
    expect(big).toHaveLength(2_000_000);
    for (const i of [0, 1, 77_777, 1_999_999]) expect(big[i]).toBe(Number((BigInt(i) * 2654435761n) >> 7n) & 255);
  });

  const WRITE = `
import sys, numpy as np
rng = np.random.default_rng(3)
kind, dtype, order, file = sys.argv[1:]
arrays = {}
for split, n in dict(train=9, val=4, test=5).items():
    images = rng.integers(0, 256, (n, 28, 28, 3) if kind == "rgb" else (n, 28, 28), dtype="u1")
    labels = np.arange(n) % (2 if dtype == "?" else 3)
    labels = labels.reshape(-1, 1) if order == "F" else labels
    arrays[split + "_images"] = np.asarray(images, order=order)
    arrays[split + "_labels"] = np.asarray(labels.astype(dtype), order=order)
np.savez(file, **arrays, label_names=np.array(["Zyste", "Narbe", "Ödem \u{1fac1}"][:2 if dtype == "?" else 3]))
print(__import__("json").dumps([arrays["test_images"].ravel().tolist(), arrays["test_labels"].ravel().tolist()]))
`;

  test.each([
    ['gray', 'u1', 'C'],
    ['rgb', 'i8', 'F'],
    ['gray', 'f2', 'F'],
    ['rgb', 'f8', 'C'],
    ['gray', '?', 'C'],
  ])('loadDataset reads %s images and labels of dtype %s in order %s', async (kind, dtype, order) => {
    const theirs = await runReference(WRITE, kind, dtype, order, at('set.npz'));
    const [images, labels] = theirs as [number[], number[]];
    const { splits, ...dataset } = await loadDataset(at('set.npz'));
    const isBool = dtype === '?';
    expect(dataset).toMatchObject({
      task: isBool ? 'binary-class' : 'multi-class',
      channels: kind === 'rgb' ? 3 : 1,
      labels: isBool ? ['Narbe'] : ['Zyste', 'Narbe', 'Ödem \u{1fac1}'],
    });
    expect([...splits.test.images]).toEqual(images);
    const truth = isBool ? labels.map(Number) : labels.flatMap((label) => [0, 1, 2].map((k) => Number(k === label)));
    expect([...splits.test.truth]).toEqual(truth);
  });

  test('readNpz reads Fortran order and float16, infinities and the smallest numbers too', async () => {
    const program = `
import json, sys, numpy as np
halves = np.array([0, -0.0, 1, -2.5, 6e-8, 65504, np.inf, -np.inf, 0.1, 6.1e-5], 'f2')
cube = np.asfortranarray(np.arange(60, dtype='i4').reshape(3, 4, 5))
np.savez(sys.argv[1], halves=halves, cube=cube, nan=np.array([np.nan], 'f2'))
print(json.dumps([[repr(float(x)) for x in halves], cube.ravel().tolist()]))`;
    const [halves, cube] = (await runReference(program, at('fortran.npz'))) as [string[], number[]];
    const arrays = await readNpz(at('fortran.npz'));
    const values = halves.map((text) => Number(text.replace('inf', 'Infinity')));
    expect([...arrays.get('halves')!.data]).toEqual(values);
    expect([...arrays.get('nan')!.data]).toEqual([NaN]);
    expect(arrays.get('cube')).toMatchObject({ shape: [3, 4, 5], data: Int32Array.from(cube) });
  });
});
