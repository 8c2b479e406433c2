/**
 * The command without its verbs: its name, its global flags, its examples. Not here: the verbs (verbs.ts), the handling
 * of errors (main.ts).
 */
import { Command } from 'commander';
import { ChestMnistError } from '../base/errors';
import { expandHome } from '../base/folders';
import { version } from '../base/version';

const EXAMPLES = `
Examples:
  chestmnist setup                                      once: LibTorch and the addon
  chestmnist train --data synthetic --limit-train 2000 --epochs 5
  chestmnist data fetch chestmnist                      82 MB, checked by its MD5
  chestmnist train                                      ChestMNIST by the MedMNIST protocol
  chestmnist evaluate runs/NAME --thresholds val-f1
  chestmnist predict runs/NAME xray.png`;

export const newProgram = (): Command =>
  new Command('chestmnist')
    .description('Train and judge chest X-ray classifiers: ResNet-18 on ChestMNIST through LibTorch.')
    .version(version)
    .option('--json', 'only machine output on stdout: NDJSON events, or one JSON document')
    .option('--quiet', 'only errors on stderr')
    .option('--no-color', 'no colours')
    .addHelpText('after', EXAMPLES)
    .configureHelp({ showGlobalOptions: true })
    .hook('preAction', (_program, command) => readWords(command));

/**
 * Arguments and values as people write them, for every verb: `~` is the home also where the shell left it, as after `=`.
 * An empty one is the work of a variable that is not set, and would be taken for the current folder.
 */
function readWords(command: Command): void {
  const read = (word: unknown, name: string): unknown => {
    if (Array.isArray(word)) return word.map((part) => read(part, name));
    if (word === '') {
      throw new ChestMnistError('ERR_CONFIG', {
        found: `${name} is empty`,
        needed: 'a value',
        next: `give one, or leave ${name} out; perhaps a variable in the command is not set`,
      });
    }
    return typeof word === 'string' ? expandHome(word) : word;
  };
  command.processedArgs = command.processedArgs.map((word, i) =>
    read(word, `<${command.registeredArguments[i].name()}>`),
  );
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== 'cli') continue;
    const value = read(command.getOptionValue(name), option.long ?? name);
    command.setOptionValueWithSource(name, value, 'cli');
  }
}
