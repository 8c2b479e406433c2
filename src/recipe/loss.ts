/**
 * The loss of a run as plain values, which a trainer's configuration takes. Not here: the loss itself
 * (native/core/loss.h).
 */
import { show } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import { readJsonValue } from '../base/json';
import { shellWord } from '../base/shell';
import type { ResolvedOptions } from './options';

/** The shape of the loss, see LossOptions in native/core/loss.h. */
export interface LossShape {
  positiveFocus: number;
  negativeFocus: number;
  margin: number;
}

/** As in the papers: focal 2 (arXiv 1708.02002); asymmetric 0 for positives, 4 for negatives, margin .05 (arXiv 2009.14119). */
export function lossShape({ loss, focus }: Pick<ResolvedOptions, 'loss' | 'focus'>): LossShape {
  if (loss === 'focal') return { positiveFocus: focus ?? 2, negativeFocus: focus ?? 2, margin: 0 };
  if (loss === 'asl') return { positiveFocus: 0, negativeFocus: focus ?? 4, margin: 0.05 };
  return { positiveFocus: 0, negativeFocus: 0, margin: 0 };
}

/** What the weights of labels are made from. */
export interface Labelled {
  labels: readonly string[];
  /** [N, L] of 0 or 1, of the training split. */
  truth: Uint8Array;
  /** Each image has exactly one of the labels. */
  isExclusive: boolean;
}

const LEAST = 0.01;
const MOST = 100;

/** One weight per label, none where all are 1. Throws ERR_CONFIG for a file that does not fit. */
export async function labelWeights(
  posWeight: ResolvedOptions['posWeight'],
  { labels, truth, isExclusive }: Labelled,
): Promise<number[]> {
  if (posWeight === 'none') return [];
  if (typeof posWeight !== 'string') return checked(posWeight, labels, 'posWeight');
  if (posWeight !== 'sqrt' && posWeight !== 'balanced') return weightsIn(posWeight, labels);
  const count = truth.length / labels.length;
  return labels.map((_, label) => {
    let positives = 0;
    for (let i = label; i < truth.length; i += labels.length) positives += truth[i];
    // A label that never varies teaches nothing, whatever its weight.
    if (positives === 0 || (positives === count && !isExclusive)) return 1;
    const ratio = isExclusive ? count / (labels.length * positives) : (count - positives) / positives;
    return Math.min(MOST, Math.max(LEAST, posWeight === 'sqrt' ? Math.sqrt(ratio) : ratio));
  });
}

/** A JSON array of weights in the order of the labels, or an object of weights by label. */
async function weightsIn(file: string, labels: readonly string[]): Promise<number[]> {
  const refuse = (what: string, cause?: unknown): ChestMnistError =>
    new ChestMnistError(
      'ERR_CONFIG',
      {
        found: `--pos-weight ${shellWord(file)}, which ${what}`,
        needed:
          'none, sqrt, balanced or a JSON file: an array with a weight per label, or an object of weights by label',
        next: `write for example ${JSON.stringify({ [labels[0]]: 2 })}`,
      },
      { cause },
    );
  const value = await readJsonValue(file, refuse);
  if (value === undefined) throw refuse('is neither a rule nor a file that exists');
  if (Array.isArray(value)) return checked(value, labels, file);
  if (typeof value !== 'object' || value === null) throw refuse(`holds ${show(value)}`);
  const unknown = Object.keys(value).find((name) => !labels.includes(name));
  if (unknown !== undefined) throw refuse(`has a weight of ${show(unknown)}, which is no label of the data`);
  return checked(
    labels.map((label) => (value as Record<string, unknown>)[label] ?? 1),
    labels,
    file,
  );
}

function checked(weights: readonly unknown[], labels: readonly string[], where: string): number[] {
  const fits = weights.length === labels.length && weights.every((w) => typeof w === 'number' && w > 0 && w < Infinity);
  if (fits) return [...weights] as number[];
  throw new ChestMnistError('ERR_CONFIG', {
    found: `the weights in ${where} are ${show(weights)}`,
    needed: `${labels.length} finite numbers above 0, one per label`,
    next: 'correct them',
  });
}
