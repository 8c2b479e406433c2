/** `chestmnist setup`: finds or gets LibTorch and a matching addon. Not here: the work (setup/). */
import type { Command } from 'commander';
import { cliOf } from '../context';
import { onSignals } from '../signals';
import { unbroken } from '../terminal/width';

const HELP = `
Examples:
  chestmnist setup                          what npm install runs; safe to repeat
  chestmnist setup --cuda                   the CUDA build; prints the size of the download
  chestmnist setup --from torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl
  CHESTMNIST_LIBTORCH=/opt/libtorch chestmnist setup

LibTorch is searched for in CHESTMNIST_LIBTORCH, this package, the user's cache and an installed Python torch, in this
order; otherwise it is downloaded into the cache, once for all projects, from pytorch.org or through pip.

Environment:
  CHESTMNIST_LIBTORCH         a LibTorch directory to use (with lib/ and include/), also when training
  CHESTMNIST_LIBTORCH_MIRROR  a URL with the files of https://download.pytorch.org/libtorch/cpu
  CHESTMNIST_PYTHON           the Python whose torch may be used, and whose pip downloads
  XDG_CACHE_HOME              where downloads are kept (default ~/.cache), also when training
  HTTPS_PROXY, NO_PROXY       honoured by the download; PIP_INDEX_URL and PIP_* by pip`;

export function register(program: Command): void {
  program
    .command('setup')
    .description('find or get LibTorch and the addon; safe to repeat')
    .option('--cuda', 'require a CUDA build of LibTorch (a large download when none is found)')
    .option('--from <file>', 'use LibTorch from a torch wheel or LibTorch zip on this machine; no network')
    .option('--rebuild', 'build the addon even when the present one matches')
    .option('--verbose', 'show everything the build prints')
    .addHelpText('after', HELP)
    .action(async (options: { cuda?: true; from?: string; rebuild?: true; verbose?: true }, command: Command) => {
      const cli = cliOf(command);
      const { setup } = await import('../../setup/index.js');
      const interrupt = new AbortController();
      const unlisten = onSignals({ stop: () => interrupt.abort() });
      try {
        const started = Date.now();
        const result = await setup({
          cuda: options.cuda === true,
          ...(options.from === undefined ? {} : { from: options.from }),
          rebuild: options.rebuild === true,
          log: (line) => cli.say(line),
          ...(options.verbose ? { verbose: (line: string) => cli.say(line, 'whole') } : {}),
          signal: interrupt.signal,
        });
        const seconds = ((Date.now() - started) / 1000).toFixed(1);
        cli.result(
          result,
          () =>
            `ready: ${result.built ? 'built' : 'kept'} ${unbroken(result.addon)} for LibTorch ${result.libtorch.version} (${seconds} s)`,
        );
      } finally {
        unlisten();
      }
    });
}
