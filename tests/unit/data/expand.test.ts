import fc from 'fast-check';
import { expandToRgb, expandView } from '../../../src/data';

const sized = fc
  .record({ count: fc.nat(4), height: fc.integer({ min: 1, max: 9 }), width: fc.integer({ min: 1, max: 9 }) })
  .chain(({ count, height, width }) =>
    fc.record({
      count: fc.constant(count),
      height: fc.constant(height),
      width: fc.constant(width),
      images: fc.uint8Array({ minLength: count * height * width, maxLength: count * height * width }),
    }),
  );

test('the view, read through its strides, is the copy', () => {
  fc.assert(
    fc.property(sized, ({ count, height, width, images }) => {
      const { data, shape, strides } = expandView(images, count, height, width);
      const copy = expandToRgb(images, count, height, width);
      expect(shape).toEqual([count, 3, height, width]);
      expect(copy).toHaveLength(count * 3 * height * width);
      expect(data).toBe(images);
      let i = 0;
      for (let n = 0; n < count; n++)
        for (let c = 0; c < 3; c++)
          for (let y = 0; y < height; y++)
            for (let x = 0; x < width; x++) {
              const place = n * strides[0] + c * strides[1] + y * strides[2] + x * strides[3];
              if (copy[i++] !== data[place]) throw new Error(`differs at [${n}, ${c}, ${y}, ${x}]`);
            }
    }),
  );
});

test('each image becomes its three planes', () => {
  expect([...expandToRgb(Uint8Array.of(1, 2, 3, 4), 2, 1, 2)]).toEqual([1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4]);
});

test.each([expandToRgb, expandView])('%p refuses a length that is not the shape', (expand) => {
  expect(() => expand(new Uint8Array(783), 1, 28)).toThrow(
    expect.objectContaining({ code: 'ERR_DATA_SHAPE', found: expect.stringContaining('783 bytes') }),
  );
});
