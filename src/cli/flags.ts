/** Flags of the verbs that share options with training, made from the one table in options.ts. */
import { Option, type Command } from 'commander';
import { defaultText, readFlag } from '../recipe/resolve';
import { TRAIN_OPTIONS, type OptionName } from '../recipe/options';

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
