/**
 * The command without its verbs: its name, its global flags, its examples. Not here: the verbs (verbs.ts), the handling
 * of errors (main.ts).
 */
import { Command } from 'commander';
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
    .configureHelp({ showGlobalOptions: true });
