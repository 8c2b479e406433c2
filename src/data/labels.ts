/** Labels: how often each occurs, the check of given names, and placeholders for unknown ones. */
import { ChestMnistError } from '../base/errors';
import { isPrintable } from '../base/text';
import type { Split } from './dataset';
import { CHESTMNIST, CHESTMNIST_LABELS } from './catalogue';

/** The number of images with each label. */
export function positivesOf({ truth, labelCount }: Split): number[] {
  const positives = new Array<number>(labelCount).fill(0);
  for (let i = 0; i < truth.length; i++) positives[i % labelCount] += truth[i];
  return positives;
}

/** `label_0`, `label_1`, ...: columns whose names are not known. */
export const unnamed = (count: number): string[] => Array.from({ length: count }, (_, label) => `label_${label}`);

/** Whether these are placeholders for unknown names. */
export const areUnnamed = (labels: readonly string[]): boolean => labels.every((label, i) => label === `label_${i}`);

/**
 * The names given for `count` labels; a single `chestmnist` means its 14 names. Throws ERR_CONFIG when there are too
 * few or too many, or when one is empty, not unique, or holds a comma, which separates names, or a control character.
 */
export function namesFor(given: readonly string[], count: number): string[] {
  if (given.length === 1 && given[0] === CHESTMNIST.name && count === CHESTMNIST_LABELS.length)
    return [...CHESTMNIST_LABELS];
  const names = given.map((name) => name.trim());
  // Two spellings of one accented letter look the same.
  const seen = names.map((name) => name.normalize());
  const twice = names.find((_, i) => seen.indexOf(seen[i]) !== i);
  const odd = names.find((name) => name.includes(',') || !isPrintable(name));
  const fault =
    names.length !== count
      ? `${names.length} label names`
      : names.includes('')
        ? 'an empty label name'
        : twice !== undefined
          ? `the label name ${JSON.stringify(twice)} twice`
          : odd !== undefined
            ? `the label name ${JSON.stringify(odd)}`
            : undefined;
  if (fault === undefined) return names;
  throw new ChestMnistError('ERR_CONFIG', {
    found: fault,
    needed: `${count} different names, one per label, without commas and control characters`,
    next: 'correct --label-names, or leave it out',
  });
}
