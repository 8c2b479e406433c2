/** Files that could not be read and were left out, as people are told and as JSON has them. */
import { ChestMnistError, type ErrorCode } from '../base/errors';
import type { Cli } from './context';

/** Names them on stderr; the exit code is then 3. `done` is what became of the others. */
export function saySkipped(
  cli: Cli,
  skipped: readonly { image: string; error: ChestMnistError }[],
  done: string,
): { image: string; code: ErrorCode; message: string }[] {
  for (const { error } of skipped) {
    const { found, needed } = ChestMnistError.inFlags(error);
    cli.say(`left out: ${found}; needed: ${needed}`);
  }
  if (skipped.length > 0) {
    cli.say(`${skipped.length} of the files cannot be read; the others are ${done}`);
    process.exitCode = 3;
  }
  return skipped.map(({ image, error: { code, message } }) => ({ image, code, message }));
}
