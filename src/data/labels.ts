/** Label names: the check of given names, and placeholders for unknown ones. */
import { ChestMnistError } from '../base/errors';
import { CHESTMNIST, CHESTMNIST_LABELS } from './catalogue';

/** `label_0`, `label_1`, ...: columns whose names are not known. */
export const unnamed = (count: number): string[] => Array.from({ length: count }, (_, label) => `label_${label}`);

/** Whether these are placeholders for unknown names. */
export const areUnnamed = (labels: readonly string[]): boolean => labels.every((label, i) => label === `label_${i}`);

/**
 * The names given for `count` labels; a single `chestmnist` means its 14 names. Throws ERR_CONFIG when there are too
 * few or too many, or when one is empty or not unique.
 */
export function namesFor(given: readonly string[], count: number): string[] {
  if (given.length === 1 && given[0] === CHESTMNIST.name && count === CHESTMNIST_LABELS.length)
    return [...CHESTMNIST_LABELS];
  const names = given.map((name) => name.trim());
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  const fault =
    names.length !== count
      ? `${names.length} label names`
      : names.includes('')
        ? 'an empty label name'
        : twice !== undefined
          ? `the label name ${JSON.stringify(twice)} twice`
          : undefined;
  if (fault === undefined) return names;
  throw new ChestMnistError('ERR_CONFIG', {
    found: fault,
    needed: `${count} different names, one per label`,
    next: 'correct --label-names, or leave it out',
  });
}
