/**
 * Shared by all verbs: the global flags and the three kinds of output. Text for people goes to stderr, results to
 * stdout; with --json stdout holds only JSON. Nothing here loads LibTorch or anything slow.
 */
import type { Command } from 'commander';
import { isStdout } from '../base/output';
import { asInstalled } from '../base/shell';
import { jsonText, printable } from '../base/text';
import { columnsOf, fit } from './terminal/width';

export interface Cli {
  readonly json: boolean;
  readonly quiet: boolean;
  /** A line for people, on stderr, broken to its width unless it is `whole`; dropped by --quiet. */
  say(text: string, whole?: 'whole'): void;
  /** One NDJSON line on stdout; only with --json, otherwise dropped. */
  emit(value: unknown): void;
  /**
   * Text for people on stdout, rendered for its columns and broken to them; dropped by --json. It may be lost, as what a
   * verb has written to files is its result.
   */
  print(render: (columns: number) => string): void;
  /** The result of a verb, on stdout: one JSON document with --json, else the rendered text. */
  result(value: unknown, render: (columns: number) => string): void;
  /** The same for a verb that has written to `place`: when that is stdout, only people's text is left, on stderr. */
  written(place: string | undefined, value: unknown, render: (columns: number) => string): void;
}

/** The number that a flag's text says; an empty one is not 0. */
export const numberOf = (text: string): number => (text.trim() === '' ? NaN : Number(text));

/** The context of a command: globals are read from the whole chain of commands. */
export function cliOf(command: Command): Cli {
  const globals = command.optsWithGlobals<{ json?: boolean; quiet?: boolean }>();
  const json = globals.json === true;
  const quiet = globals.quiet === true;
  const print = (render: (columns: number) => string, done?: typeof lost): void => {
    if (json) return;
    const columns = columnsOf(process.stdout);
    process.stdout.write(`${fit(render(columns), columns)}\n`, done);
  };
  const say: Cli['say'] = (text, whole) => {
    if (quiet) return;
    process.stderr.write(`${whole ? printable(text) : fit(text, columnsOf(process.stderr))}\n`);
  };
  const result: Cli['result'] = (value, render) => {
    if (json) process.stdout.write(`${asInstalled(jsonText(value, 2))}\n`, lost);
    else print(render, lost);
  };
  return {
    json,
    quiet,
    say,
    emit: (value) => {
      if (json) process.stdout.write(`${asInstalled(jsonText(value))}\n`);
    },
    print: (render) => print(render),
    result,
    written: (place, value, render) => {
      if (!isStdout(place)) result(value, render);
      else if (!json) say(render(columnsOf(process.stderr)));
    },
  };
}

/** A result that did not arrive is a failure, unless its reader has left, as `| head` does. */
function lost(error?: Error | null): void {
  const { code, message } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === undefined || code === 'EPIPE') return;
  process.exitCode = 6;
  process.stderr.write(`the result could not be printed: ${message}\n`);
}
