/** `chestmnist setup`: finds or gets LibTorch and a fitting addon. The work is in src/setup. */
import type { Command } from 'commander';
import { cliOf } from './context';

export function register(program: Command): void {
  program
    .command('setup')
    .description('find or get LibTorch and the addon; again and again without harm')
    .option('--cuda', 'insist on a CUDA build of LibTorch (a large download when none is here)')
    .option('--rebuild', 'build the addon even when the one here fits')
    .option('--verbose', 'show everything the build prints')
    .addHelpText(
      'after',
      `
Environment:
  CHESTMNIST_LIBTORCH  a LibTorch directory to use (with lib/ and include/)
  CHESTMNIST_PYTHON    the Python whose torch may be used, and whose pip downloads
  XDG_CACHE_HOME       where downloads are kept (default ~/.cache)
  HTTPS_PROXY          honoured, with NO_PROXY`,
    )
    .action(async (options: { cuda?: true; rebuild?: true; verbose?: true }, command: Command) => {
      const cli = cliOf(command);
      const { setup } = await import('../setup/index.js');
      const interrupt = new AbortController();
      const stop = (): void => interrupt.abort();
      process.once('SIGINT', stop).once('SIGTERM', stop);
      try {
        const started = Date.now();
        const result = await setup({
          cuda: options.cuda === true,
          rebuild: options.rebuild === true,
          log: (line) => cli.say(line),
          ...(options.verbose ? { verbose: (line: string) => cli.say(line) } : {}),
          signal: interrupt.signal,
        });
        const seconds = ((Date.now() - started) / 1000).toFixed(1);
        cli.result(
          result,
          () =>
            `ready: ${result.built ? 'built' : 'kept'} ${result.addon} for LibTorch ${result.libtorch.version} (${seconds} s)`,
        );
      } finally {
        process.removeListener('SIGINT', stop).removeListener('SIGTERM', stop);
      }
    });
}
