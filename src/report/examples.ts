/**
 * The images that the report shows: for each label the most confident hit, miss and false alarm. They are kept in
 * predictions/examples.json, so that the report can be drawn again without the data set.
 */
import { z } from 'zod';
import { writeAtomically } from '../base/atomic';
import { readFile } from 'node:fs/promises';
import type { Split } from '../data/dataset';
import { encodePng } from './charts/png';
import { decide } from '../metrics';
import { rankedBy } from '../metrics/ranking';
import type { Predictions } from '../metrics/types';
import { runFiles } from '../run/directory';
import { isThere } from '../run/entries';

/** The label is present and decided (hit), present and not decided (miss), absent and decided (false alarm). */
export const EXAMPLE_KINDS = ['hit', 'miss', 'false alarm'] as const;
export type ExampleKind = (typeof EXAMPLE_KINDS)[number];

const exampleSchema = z.object({
  kind: z.enum(EXAMPLE_KINDS),
  /** Column of the label. */
  label: z.int().min(0),
  /** Position in the split. */
  index: z.int().min(0),
  score: z.number(),
});
const storedSchema = z.object({
  size: z.int().min(1),
  /** PNGs in base64 by position in the split. */
  images: z.record(z.string(), z.base64()),
  examples: z.array(exampleSchema),
});

/** One decision and the image that it is about. */
export type Example = z.infer<typeof exampleSchema>;
/** Examples with their images. */
export type Examples = z.infer<typeof storedSchema>;

/**
 * Finds the examples at `thresholds` (one per label; none of exclusive labels), each label at most once per kind: hits and false alarms with the highest
 * score, misses with the lowest. Kind by kind, the most confident first.
 */
export function findExamples(predictions: Predictions, thresholds: readonly number[] | undefined): Example[] {
  const { task, truth, scores, labelCount } = predictions;
  const decisions = decide(scores, labelCount, thresholds, task);
  const ranks = rankedBy(predictions);
  const rankOf = ({ index, label }: Example): number => ranks[index * labelCount + label];
  const best = new Map<string, Example>();
  for (let i = 0; i < truth.length; i++) {
    const label = i % labelCount;
    const isDecided = decisions[i] === 1;
    if (truth[i] === 0 && !isDecided) continue;
    const kind: ExampleKind = truth[i] === 0 ? 'false alarm' : isDecided ? 'hit' : 'miss';
    const held = best.get(`${kind}${label}`);
    if (!held || (kind === 'miss' ? ranks[i] < rankOf(held) : ranks[i] > rankOf(held))) {
      best.set(`${kind}${label}`, { kind, label, index: Math.floor(i / labelCount), score: scores[i] });
    }
  }
  return EXAMPLE_KINDS.flatMap((kind) => {
    const sign = kind === 'miss' ? 1 : -1;
    return [...best.values()].filter((example) => example.kind === kind).sort((a, b) => sign * (rankOf(a) - rankOf(b)));
  });
}

/** The examples with their images from the split that was scored; undefined when it is another split. */
export function illustrate(examples: readonly Example[], split: Split, predicted: Predictions): Examples | undefined {
  const isSame =
    split.labelCount === predicted.labelCount &&
    split.truth.length >= predicted.truth.length &&
    predicted.truth.every((value, i) => value === split.truth[i]);
  if (!isSame) return undefined;
  const { size, channels } = split;
  const bytes = size * size * channels;
  const images: Record<string, string> = {};
  for (const { index } of examples) {
    const pixels = split.images.subarray(index * bytes, (index + 1) * bytes);
    images[index] ??= encodePng(pixels, size, size, channels).toString('base64');
  }
  return { size, images, examples: [...examples] };
}

export async function storeExamples(directory: string, examples: Examples): Promise<string> {
  await writeAtomically(runFiles(directory).examples, async (handle) => {
    await handle.writeFile(`${JSON.stringify(examples)}\n`);
  });
  return runFiles(directory).examples;
}

/** The stored images of an earlier drawing; undefined without them, or when they belong to other examples. */
export async function storedExamples(directory: string, examples: readonly Example[]): Promise<Examples | undefined> {
  try {
    if (!(await isThere(directory, runFiles(directory).examples))) return undefined;
    const stored = storedSchema.parse(JSON.parse(await readFile(runFiles(directory).examples, 'utf8')));
    const isSame = examples.every(({ index }) => stored.images[index] !== undefined);
    return isSame && JSON.stringify(stored.examples) === JSON.stringify(examples) ? stored : undefined;
  } catch {
    return undefined;
  }
}
