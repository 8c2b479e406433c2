/**
 * What a file of weights records about itself: the names of its labels, the side of its training images and the side of
 * the network's input, and for other readers the stem. Kept as strings in the metadata of every format.
 */
import { areUnnamed } from '../data/labels';
import type { Stem } from '../engine/contract';

export interface ModelFacts {
  /** Undefined when not recorded. */
  labels: readonly string[] | undefined;
  /** In pixels; null when not recorded. */
  imageSize: number | null;
  inputSize: number | null;
}

/** The facts as strings; unknown ones, such as placeholders for names, are left out. */
export function metadataOf({ labels, imageSize, inputSize }: ModelFacts, stem: Stem): Record<string, string> {
  return {
    stem,
    ...(labels !== undefined && !areUnnamed(labels) && { labels: JSON.stringify(labels) }),
    ...(imageSize !== null && { image_size: String(imageSize) }),
    ...(inputSize !== null && { input_size: String(inputSize) }),
  };
}

/**
 * The facts in a file's metadata. Invalid values, such as a number of names other than `labelCount`, count as not
 * recorded.
 */
export function factsIn(metadata: Readonly<Record<string, string>>, labelCount: number): ModelFacts {
  return {
    labels: labelsIn(metadata.labels, labelCount),
    imageSize: sizeIn(metadata.image_size),
    inputSize: sizeIn(metadata.input_size),
  };
}

function labelsIn(text: string | undefined, labelCount: number): readonly string[] | undefined {
  try {
    const labels: unknown = JSON.parse(text ?? '');
    const isList = Array.isArray(labels) && labels.length === labelCount && labels.every((l) => typeof l === 'string');
    return isList && !areUnnamed(labels) ? labels : undefined;
  } catch {
    return undefined;
  }
}

const sizeIn = (text: string | undefined): number | null => (/^\d{2,4}$/.test(text ?? '') ? Number(text) : null);
