/**
 * The command line inside this process, for what needs no process of its own: flags, output, refusals, exit codes. It has
 * the shape of `chestmnist` in chestmnist.ts, which starts the built command line; that one is for signals, streams that
 * close, and the wiring itself.
 */
import { run } from '../../src/cli/main';
import type { Finished } from './chestmnist';

const STREAMS = ['stdout', 'stderr'] as const;

/** Runs `chestmnist ARGS` here, in a pipe's terms: what it prints is taken, and no stream is a terminal. */
export async function chestmnist(args: readonly string[]): Promise<Finished> {
  const out = { stdout: '', stderr: '' };
  const undo = STREAMS.map((name) => {
    const stream = process[name];
    const { isTTY } = stream;
    stream.isTTY = false;
    const write = jest.spyOn(stream, 'write').mockImplementation((text, ...rest) => {
      out[name] += typeof text === 'string' ? text : Buffer.from(text).toString();
      const told = rest.at(-1) as (() => void) | string | undefined;
      if (typeof told === 'function') told();
      return true;
    });
    return () => {
      write.mockRestore();
      stream.isTTY = isTTY;
    };
  });
  process.exitCode = undefined;
  try {
    await run(args);
    return { code: Number(process.exitCode ?? 0), signal: null, ...out };
  } finally {
    process.exitCode = undefined;
    for (const restore of undo) restore();
  }
}
