/** Which images the report shows: for each label and kind the most confident one, and their pixels. */
import { inflateSync } from 'node:zlib';
import { findExamples, illustrate } from '../../../src/report/examples';
import { datasetOf, scoredOf } from '../../support/report-fixture';

test('hits and false alarms with the highest score, misses with the lowest; most confident first, at a strict threshold', () => {
  const predicted = {
    truth: Uint8Array.of(1, 1, 1, 1, 0, 0, 0, 1, 0, 0),
    scores: Float64Array.of(0.6, 0.9, 0.5, 0.2, 0.7, 0.8, 0.1, 0.3, 0.5, 0.4),
    count: 5,
    labelCount: 2,
  };
  // Label 0 has the even positions, label 1 the odd ones.
  expect(findExamples(predicted, [0.5, 0.5])).toEqual([
    { kind: 'hit', label: 1, index: 0, score: 0.9 },
    { kind: 'hit', label: 0, index: 0, score: 0.6 },
    { kind: 'miss', label: 1, index: 1, score: 0.2 },
    { kind: 'miss', label: 0, index: 1, score: 0.5 },
    { kind: 'false alarm', label: 1, index: 2, score: 0.8 },
    { kind: 'false alarm', label: 0, index: 2, score: 0.7 },
  ]);
});

test('an example has the pixels of its image', () => {
  const { test: split } = datasetOf().splits;
  const predicted = { ...scoredOf(split), count: split.count };
  const [example] = findExamples(predicted, Array<number>(14).fill(0.5));
  const png = Buffer.from(illustrate([example], split, predicted)!.images[example.index], 'base64');
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([28, 28]);
  const rows = inflateSync(png.subarray(41, 41 + png.readUInt32BE(33)));
  const pixels = Array.from({ length: 28 }, (_, y) => [...rows.subarray(29 * y + 1, 29 * (y + 1))]).flat();
  expect(pixels).toEqual([...split.images.subarray(784 * example.index, 784 * (example.index + 1))]);
});
