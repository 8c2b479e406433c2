/**
 * Recipes: files of options, by path or by the name of one in examples/recipes/. What a recipe says gives way to options
 * that are given beside it.
 */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { show } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import { readJson } from '../base/json';
import { nearest } from '../base/nearest';
import { shellWord } from '../base/shell';
import type { OptionName, ResolvedOptions, TrainOptions } from './options';

const FOLDER = path.resolve(__dirname, '..', '..', 'examples', 'recipes');

/** The names of the recipes of this package; none in a bundle, which leaves its files behind. */
export const recipeNames = (): string[] =>
  (existsSync(FOLDER) ? readdirSync(FOLDER) : [])
    .filter((name) => name.endsWith('.json'))
    .map((name) => path.parse(name).name)
    .sort();

/** The options with those of their recipe, which they win over. Throws ERR_CONFIG. */
export async function withRecipe(options: TrainOptions): Promise<TrainOptions> {
  const { recipe } = options;
  // Anything else is refused with the other options.
  if (typeof recipe !== 'string' || recipe === '') return options;
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return { ...(await readRecipe(recipe)), ...given };
}

/** What the recipe of a run says, and which of it other options replaced, in a line; undefined without one. */
export async function recipeNote(options: ResolvedOptions): Promise<string | undefined> {
  if (options.recipe === null) return undefined;
  const says = await readRecipe(options.recipe);
  const list = (names: string[], of: TrainOptions): string =>
    names.map((name) => `${name} ${String(of[name as OptionName])}`).join(', ');
  const replaced = Object.keys(says).filter(
    (name) => !isDeepStrictEqual(says[name as OptionName], options[name as OptionName]),
  );
  const instead = replaced.length > 0 ? `; here ${list(replaced, options)}` : '';
  return `recipe ${options.recipe}: ${list(Object.keys(says), says)}${instead}`;
}

async function readRecipe(recipe: string): Promise<TrainOptions> {
  const isFile = recipe.endsWith('.json') || path.basename(recipe) !== recipe;
  const file = isFile ? recipe : path.join(FOLDER, `${recipe}.json`);
  const refuse = (what: string, cause?: unknown): ChestMnistError => {
    const names = recipeNames();
    const near = nearest(recipe, names);
    return new ChestMnistError(
      'ERR_CONFIG',
      {
        found: `--recipe ${shellWord(recipe)}, which ${what}`,
        needed: [...names, 'a JSON file of options'].join(', '),
        next: near === undefined ? 'pass one of these names, or the path of a file' : `--recipe ${near}`,
      },
      { cause },
    );
  };
  const options = await readJson(file, refuse);
  if (options === undefined) throw refuse(isFile ? 'does not exist' : 'is the name of no recipe');
  for (const name of ['recipe', 'resume', 'name'])
    if (Object.hasOwn(options, name)) throw refuse(`has ${name} ${show(options[name])}, which is of one run only`);
  return options;
}
