#!/usr/bin/env node
/**
 * The command line: wires the verbs together, prints errors, sets exit codes. Only the file of the verb in use is
 * loaded, so that help is quick and LibTorch stays unloaded. Not here: what a verb does (its own file).
 */
import { CommanderError } from 'commander';
import { systemError } from '../base/disk';
import { ChestMnistError, exitCodeOf, type ErrorParts } from '../base/errors';
import { jsonText, printable } from '../base/text';
import { newProgram } from './program';
import { tameSignals } from './signals';
import { columnsOf, fit, wrap, wrapHelp } from './terminal/width';
import { VERBS } from './verbs';

async function main(argv: readonly string[]): Promise<void> {
  const program = newProgram()
    .exitOverride()
    .configureOutput({
      outputError: () => {}, // printed by fail(), below
      getOutHelpWidth: () => helpWidth(process.stdout),
      getErrHelpWidth: () => helpWidth(process.stderr),
      writeOut: (text) => process.stdout.write(wrapHelp(text, columnsOf(process.stdout))),
      writeErr: (text) => process.stderr.write(wrapHelp(text, columnsOf(process.stderr))),
    });
  const verb = argv.find((word) => Object.hasOwn(VERBS, word));
  for (const [name, { summary, load }] of Object.entries(VERBS)) {
    if (name === verb) (await load()).register(program, VERBS);
    else program.command(name).description(summary);
  }
  await program.parseAsync(argv, { from: 'user' });
}

/** In a pipe, commander's own 80. */
function helpWidth(stream: NodeJS.WriteStream): number {
  const columns = columnsOf(stream);
  return columns === Infinity ? 80 : columns;
}

/** Says what went wrong on stderr, and with --json on stdout as well; sets the exit code. */
function fail(error: unknown, argv: readonly string[]): void {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return;
    process.exitCode = 2;
    // Without a verb commander has shown the help already.
    if (error.code === 'commander.help') return;
    const [, found, hint] = /^(?:error: )?([^]*?)(?:\n\((.*)\))?$/.exec(error.message)!;
    const verb = argv.find((word) => Object.hasOwn(VERBS, word));
    const parts = {
      found,
      needed: hint ?? 'a command as its help describes',
      next: `npx chestmnist ${verb ? `${verb} ` : ''}--help`,
    };
    return fail(new ChestMnistError('ERR_CONFIG', parts), argv);
  }
  const interrupted = error instanceof Error && error.name === 'AbortError';
  process.exitCode = interrupted ? 130 : exitCodeOf(error);
  const { code, reason, message, stack } = error as Partial<ChestMnistError>;
  const { found, needed, next } = (
    error instanceof ChestMnistError ? ChestMnistError.inFlags(error) : {}
  ) as Partial<ErrorParts>;
  if (argv.includes('--json')) {
    process.stdout.write(
      `${jsonText({ type: 'error', code: code ?? null, found: found ?? message ?? String(error), needed, next, reason })}\n`,
    );
  }
  if (interrupted) process.stderr.write('interrupted\n');
  else if (error instanceof ChestMnistError) {
    const columns = columnsOf(process.stderr);
    const parts = Object.entries({ found, needed, next }).map(([name, text = '']) =>
      wrap(text, columns, `  ${name.padEnd(7)} `),
    );
    process.stderr.write(`${fit([`error ${code}`, ...parts].join('\n'), columns)}\n`);
  } else process.stderr.write(`unexpected error: ${printable(stack ?? String(error))}\n`);
}

/** `-o=FILE`, which commander would take for the file `=FILE`, as `-oFILE`. */
const withoutSign = (word: string): string => word.replace(/^(-[a-zA-Z])=/, '$1');

/** Runs a command line, without `node` and the script. What goes wrong is printed, and told by process.exitCode. */
export async function run(argv: readonly string[]): Promise<void> {
  await main(argv.map(withoutSign)).catch((error: unknown) => fail(systemError(error), argv));
}

// Loaded by the tests, it runs what they ask for instead.
if (require.main === module) {
  tameSignals();
  // A reader that has left (`| head`), a terminal that was closed or a full disk behind `> file` must not end a run of
  // hours: what can no longer be printed is dropped.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  void run(process.argv.slice(2));
}
