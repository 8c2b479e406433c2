/** `chestmnist bench`: images per second of this machine. Not here: the measurement (judge/throughput.ts). */
import type { Command } from 'commander';
import { threadsNotes } from '../../base/processors';
import { cliOf } from '../context';
import { addFlags, readFlags } from '../flags';

const SHARED = ['size', 'resize', 'stem', 'head', 'batchSize', 'device', 'precision', 'exact', 'threads'] as const;

const EXAMPLES = `
Examples:
  chestmnist bench
  chestmnist bench --device cuda --precision bf16 --json`;

export function register(program: Command): void {
  const command = program
    .command('bench')
    .description('Images per second in training and prediction, on synthetic images.');
  addFlags(command, SHARED)
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, self: Command) => {
      const { throughput } = await import('../../judge/throughput.js');
      const cli = cliOf(self);
      const given: { threads?: number } = readFlags(self, SHARED);
      for (const note of threadsNotes(given.threads)) cli.say(note);
      cli.say('measuring, about half a minute on two cores ...');
      const measured = await throughput(given);
      cli.result(measured, () => {
        const { device, threads, libtorch, cpu_capability, precision, stem, head, input_size, batch_size } = measured;
        const rate = (n: number): string => `${Math.round(n)} images/s`;
        return [
          ...(measured.note === undefined ? [] : [measured.note]),
          `${device}, ${threads} threads, LibTorch ${libtorch} (${cpu_capability}), ${precision}, ${stem} stem, ${head} head, ${input_size} px, batch ${batch_size}`,
          `train    ${rate(measured.train.images_per_second)}  (${measured.train.repeats.map(Math.round).join(', ')})`,
          `predict  ${rate(measured.predict.images_per_second)}  (${measured.predict.repeats.map(Math.round).join(', ')})`,
        ].join('\n');
      });
    });
}
