/**
 * search.json: the trials of a search, which are run directories beside it, their figures after each rung, and
 * recipe.json, the options of the best one. Not here: which trials go on (tune/halving.ts), their training
 * (tune/search.ts).
 */
import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { exists } from '../base/atomic';
import { writeJson, writeJsonNow } from '../base/json';
import { configOf } from '../recipe/resolve';
import { spaceSchema } from '../recipe/space';
import { optionsSchema } from './checkpoint';
import { runFiles } from './directory';
import { readAs } from './own-json';
import { dataFactsSchema } from './record';

/** What a trial had reached at the end of a rung: its best epoch so far, on the validation split. */
export interface TrialResult {
  /** Epochs trained so far; fewer than those of the rung where patience ended it. */
  epochs: number;
  /** From 1. */
  best_epoch: number;
  /** Macro AUC; null where it is undefined. */
  val_auc: number | null;
  /** Macro average precision, likewise. */
  val_ap: number | null;
  val_loss: number;
}

/** One network of a search. */
export interface Trial {
  /** From 1; its run directory is `trial-<number>`. */
  number: number;
  /** The options that the search has chosen for it. */
  options: Record<string, unknown>;
  /**
   * `waiting` for its first or next rung, `running`, `stopped` within a rung, `out` when others were better, `failed` when
   * its loss became non-finite, `finished` after the last rung.
   */
  status: 'waiting' | 'running' | 'stopped' | 'out' | 'failed' | 'finished';
  /** One for each rung it has passed. */
  results: TrialResult[];
  /** Of a failed one. */
  error?: { code: string; message: string };
}

/** As many trials as go on to a number of epochs. */
export interface Rung {
  trials: number;
  epochs: number;
}

const whole = z.int().min(1);
const figure = z.number().min(0).max(1).nullable();
const trialSchema = z.object({
  number: whole,
  options: z.record(z.string(), z.unknown()),
  status: z.enum(['waiting', 'running', 'stopped', 'out', 'failed', 'finished']),
  results: z.array(
    z.object({ epochs: whole, best_epoch: whole, val_auc: figure, val_ap: figure, val_loss: z.number() }),
  ),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
}) satisfies z.ZodType<Trial>;

/** Unknown fields are kept. */
const schema = z.looseObject({
  status: z.enum(['running', 'finished', 'stopped', 'failed']),
  data: dataFactsSchema,
  /** Those of all trials, which replace some by their own. */
  options: optionsSchema,
  /** Of these, what a recipe of them says; recipe.json has those of the best trial too. */
  recipe: z.record(z.string(), z.unknown()),
  space: spaceSchema,
  rungs: z.array(z.object({ trials: whole, epochs: whole }) satisfies z.ZodType<Rung>).min(1),
  trials: z.array(trialSchema).min(2),
  /** The number of the best trial; of finished searches. */
  best: whole.nullable(),
  /** Times are ISO 8601 in UTC. */
  started: z.iso.datetime(),
  resumed: z.array(z.iso.datetime()),
  ended: z.iso.datetime().nullable(),
  argv: z.array(z.string()),
  error: z.looseObject({ code: z.string().optional(), message: z.string() }).optional(),
});

export type Search = z.infer<typeof schema>;

export const isSearch = (directory: string): Promise<boolean> => exists(runFiles(directory).search);

/** search.json; undefined when it does not exist. Throws ERR_DATA_CORRUPT when it is damaged. */
export const readSearch = (directory: string): Promise<Search | undefined> =>
  readAs(directory, runFiles(directory).search, schema);

const saved = (search: Search) => ({ ...search, options: configOf(search.options) });

export const writeSearch = (directory: string, search: Search): Promise<void> =>
  writeJson(runFiles(directory).search, saved(search));

/** Without waiting, for a process that exits. */
export const writeSearchNow = (directory: string, search: Search): void =>
  writeJsonNow(runFiles(directory).search, saved(search));

/** Writes recipe.json; returns its path. */
export async function writeRecipe(directory: string, options: Record<string, unknown>): Promise<string> {
  const { recipe } = runFiles(directory);
  await writeJson(recipe, options);
  return recipe;
}

/**
 * Removes what only a resume needs of a trial that is out, some hundred MB: its checkpoints, and its newest weights. Its
 * best weights, its epochs and its options stay.
 */
export async function freeTrial(directory: string, number: number): Promise<void> {
  const { checkpoint, previous, last, average } = runFiles(runFiles(directory).trial(number));
  for (const file of [checkpoint, previous, last, average]) await rm(file, { force: true });
}
