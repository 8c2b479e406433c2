/**
 * What every verb shares: the global flags and the three ways to speak. People's text goes to stderr, results to
 * stdout; with --json stdout carries JSON alone. Nothing here loads LibTorch or anything slow.
 */
import type { Command } from 'commander';

export interface Cli {
  readonly json: boolean;
  readonly quiet: boolean;
  /** True when colours may be written to stderr. */
  readonly color: boolean;
  /** A line for people, on stderr; dropped by --quiet. */
  say(text: string): void;
  /** One NDJSON line on stdout; only with --json, otherwise dropped. */
  emit(value: unknown): void;
  /** The result of a verb, on stdout: one JSON document with --json, else the rendered text. */
  result(value: unknown, render: () => string): void;
}

/** The context of a command: globals are read from the whole chain of commands. */
export function cliOf(command: Command): Cli {
  const globals = command.optsWithGlobals<{ json?: boolean; quiet?: boolean; color?: boolean }>();
  const json = globals.json === true;
  const quiet = globals.quiet === true;
  const color = globals.color !== false && process.env.NO_COLOR === undefined && process.stderr.isTTY === true;
  return {
    json,
    quiet,
    color,
    say: (text) => {
      if (!quiet) process.stderr.write(`${text}\n`);
    },
    emit: (value) => {
      if (json) process.stdout.write(`${JSON.stringify(value)}\n`);
    },
    result: (value, render) => {
      process.stdout.write(json ? `${JSON.stringify(value, null, 2)}\n` : `${render()}\n`);
    },
  };
}
