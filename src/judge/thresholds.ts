/**
 * Decision thresholds as a user gives them: numbers, a JSON file, or the name of a rule. All verbs read them here. Does
 * not load LibTorch. Not here: how a rule finds its thresholds (metrics/thresholds.ts).
 */
import { isNumbers, rule } from '../base/arguments';
import { readJsonValue } from '../base/json';
import { ChestMnistError } from '../base/errors';
import { expandHome } from '../base/folders';
import { parseThresholdRule } from '../metrics';
import { thresholdsIn } from '../metrics/thresholds';
import type { MetricsFile, ThresholdRule } from '../metrics/types';

/** One for all labels, one per label, a rule tuned on the validation split, or the path of a JSON file of thresholds. */
export type GivenThresholds = number | readonly number[] | ThresholdRule | (string & {});

const isShare = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1;
export const THRESHOLDS = rule(
  'a number from 0 to 1, an array of them, a rule such as val-f1, or the path of a JSON file',
  (value) => typeof value === 'string' || isShare(value) || (isNumbers(value) && Array.from(value).every(isShare)),
);

/** Thresholds as numbers, or the rule that finds them; text that is neither is a file. Throws ERR_CONFIG. */
export async function thresholdsOf(given: GivenThresholds): Promise<number | number[] | ThresholdRule> {
  if (typeof given !== 'string') return typeof given === 'number' ? given : [...given];
  return given.startsWith('val-') ? parseThresholdRule(given) : fixedThresholds(given);
}

/** A number, or the thresholds in a JSON file: thresholds that need no validation split. */
export async function fixedThresholds(given: string): Promise<number | number[]> {
  if (given.trim() !== '' && !Number.isNaN(Number(given))) return Number(given);
  const refuse = (what: string, cause?: unknown): ChestMnistError =>
    new ChestMnistError(
      'ERR_CONFIG',
      {
        found: `thresholds ${JSON.stringify(given)}, which ${what}`,
        needed:
          'a number from 0 to 1, or a JSON file of thresholds; evaluate and predict also accept val-f1, val-youden or val-sensitivity=S',
        next: 'pass for example 0.5, or the path of the file',
      },
      { cause },
    );
  const value = await readJsonValue(expandHome(given), refuse);
  if (value === undefined) throw refuse('is neither a number nor a file that exists');
  return thresholdsIn(value);
}

/** The thresholds that a run has stored for a rule, whatever the way its number is written there. */
export function storedThresholds(metrics: MetricsFile | undefined, rule: ThresholdRule): number[] | undefined {
  const value = (name: string): string => name.replace(/(?<==).*/, (number) => String(Number(number)));
  const found = Object.entries(metrics?.tuned ?? {}).find(([name]) => value(name) === value(rule));
  return found?.[1].thresholds;
}
