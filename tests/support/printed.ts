/** What an error advises, done: the commands that it prints, as a shell would run them, in this process. */
import { spawnSync } from 'node:child_process';
import { eventsOf, type Finished } from './chestmnist';
import { chestmnist } from './in-process';

/** The parts of the error that a command ends with. */
export async function failure(args: readonly string[]): Promise<{ code: string; found: string; next: string }> {
  const result = await chestmnist([...args, '--json']);
  const last = eventsOf(result.stdout).at(-1);
  expect({ exit: result.code, type: last?.type }).toEqual({ exit: expect.any(Number), type: 'error' });
  expect(result.code).toBeGreaterThan(1);
  return last as { code: string; found: string; next: string };
}

/** The words of each `npx chestmnist ...` in a text, split by a POSIX shell; a command ends at a comma or a semicolon. */
export function printedCommands(text: string): string[][] {
  return [...text.matchAll(/npx chestmnist ((?:'[^']*'|[^',;(])+?)(?=,|;| \(|$)/g)].map(([, command]) => {
    const { stdout } = spawnSync('sh', [
      '-c',
      `printf '%s\\0' ${command.replace(/ (or|then|writes it again|where).*$/, '')}`,
    ]);
    return stdout.toString().split('\0').slice(0, -1);
  });
}

/** Runs the only command in a text, with more words after it; it must end with exit code 0. */
export async function runPrinted(next: string, ...more: string[]): Promise<Finished> {
  const commands = printedCommands(next);
  expect({ next, commands: commands.length }).toEqual({ next, commands: 1 });
  const done = await chestmnist([...commands[0], ...more]);
  expect({ command: commands[0], code: done.code, stderr: done.stderr }).toMatchObject({ code: 0 });
  return done;
}
