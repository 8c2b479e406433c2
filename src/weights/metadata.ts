/**
 * What a file of weights records about itself: the task, the names of its labels, channels and side of its training images
 * and the side of the network's input, and for other readers the stem and, unless it is torchvision's, the head. Kept as strings in the metadata of every format.
 */
import { isTask, type Task } from '../base/task';
import { areUnnamed } from '../data/labels';
import type { Head, Stem } from '../engine/contract';

export interface ModelFacts {
  /** Null when not recorded. */
  task: Task | null;
  /** Of its images: 1 for gray, 3 for RGB; null when not recorded. */
  channels: 1 | 3 | null;
  /** Undefined when not recorded. */
  labels: readonly string[] | undefined;
  /** In pixels; null when not recorded. */
  imageSize: number | null;
  inputSize: number | null;
}

/** The facts as strings; unknown ones, such as placeholders for names, are left out. */
export function metadataOf(facts: ModelFacts, { stem, head }: { stem: Stem; head: Head }): Record<string, string> {
  const { task, channels, labels, imageSize, inputSize } = facts;
  return {
    stem,
    ...(head !== 'average' && { head }),
    ...(task !== null && { task }),
    ...(channels !== null && { channels: String(channels) }),
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
  // Weights of earlier versions state something, and are of the one task and the gray images that those knew.
  const isOwn = ['stem', 'labels', 'image_size', 'input_size'].some((fact) => metadata[fact] !== undefined);
  return {
    task: isTask(metadata.task) ? metadata.task : isOwn ? 'multi-label' : null,
    channels: metadata.channels === '3' ? 3 : metadata.channels === '1' || isOwn ? 1 : null,
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
