/** The options of runs beside one another: which differ, and how one is written. */
import type { OptionName, ResolvedOptions } from '../recipe/options';
import { configOf, differingOptions } from '../recipe/resolve';
import type { ComparedSide } from './types';

/** In the order of the table of options. */
export function optionsThatDiffer([first, ...others]: readonly ResolvedOptions[]): OptionName[] {
  if (!first) return [];
  const differing = new Set(others.flatMap((other) => differingOptions(first, other)));
  return (Object.keys(configOf(first)) as OptionName[]).filter((name) => differing.has(name));
}

/** A table of them: a row for each option, with its text in every run. Undefined where there are no two runs. */
export function optionRows(
  sides: readonly ComparedSide[],
): { runs: string[]; rows: [OptionName, ...string[]][] } | undefined {
  const runs = sides.filter(({ options }) => options);
  if (runs.length < 2) return undefined;
  const names = Object.keys(runs[0].options!) as OptionName[];
  const textIn = (name: OptionName, { options, seeds }: ComparedSide): string =>
    textOf(name === 'seed' && seeds ? seeds : options![name]);
  return {
    runs: runs.map(({ name }) => name),
    rows: names.map((name) => [name, ...runs.map((of) => textIn(name, of))]),
  };
}

function textOf(value: ResolvedOptions[OptionName] | undefined): string {
  if (value === null || value === undefined) return 'not set';
  if (Array.isArray(value)) return value.join(', ') || 'none';
  return String(value);
}
