/** Flags that verbs share: of options of training, made from the one table in options.ts, and of pictures. */
import { Option, type Command } from 'commander';
import { ChestMnistError } from '../base/errors';
import { defaultText, readFlag } from '../recipe/resolve';
import { TRAIN_OPTIONS, type OptionName } from '../recipe/options';
import { numberOf } from './context';

/** Adds the flags of these options. Defaults are shown, not set: options that were not given stay absent. */
export function addFlags(command: Command, names: readonly OptionName[]): Command {
  for (const name of names) {
    const { flag, help } = TRAIN_OPTIONS[name];
    const shown = defaultText(name);
    command.addOption(new Option(flag, shown === undefined ? help : `${help} (default: ${shown})`));
  }
  return command;
}

/**
 * The values of those flags that were given, as options; validation is left to resolveOptions. Commander sets the
 * default of a `--no-` flag by itself, so the source of a value decides whether it was given.
 */
export function readFlags<N extends OptionName>(command: Command, names: readonly N[]): Partial<Record<N, never>> {
  const given = command.opts<Record<string, string | boolean | undefined>>();
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = command.getOptionValueSource(name) === 'cli' ? given[name] : undefined;
      return value === undefined ? [] : [[name, readFlag(name, value)]];
    }),
  ) as Partial<Record<N, never>>;
}

/** `center,width`. What is no number is refused with the options. */
export function windowOf(text: string): [number, number] {
  const numbers = text.split(',').map(numberOf);
  if (numbers.length === 2 && numbers.every(Number.isFinite) && numbers[1] > 0) return [numbers[0], numbers[1]];
  throw new ChestMnistError('ERR_CONFIG', {
    found: `--window ${text}`,
    needed: 'a center and a width above 0, with a comma between them',
    next: 'for example --window 2048,4096',
  });
}
