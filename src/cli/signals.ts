/**
 * What signals mean to the command line: stop in good order, leave at once, write a checkpoint, or nothing. Not here: how
 * a verb stops (its own file).
 */
import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';

/** Asked at the start: a terminal that was closed is none any more. */
const HAS_TERMINAL = [0, 1, 2].some((descriptor) => isatty(descriptor));

/** SIGHUP: the terminal was closed. On Windows the process then has a few seconds. */
const STOPS: readonly NodeJS.Signals[] = HAS_TERMINAL ? ['SIGINT', 'SIGTERM', 'SIGHUP'] : ['SIGINT', 'SIGTERM'];
/** Schedulers send them some time before the end. */
const CHECKPOINTS: readonly NodeJS.Signals[] = ['SIGUSR1', 'SIGUSR2'];

const nothing = (): void => {};

/**
 * For the whole process: nohup and a shell that has ended do not end a run, whatever Node makes of SIGHUP; SIGUSR1 does
 * not open Node's debugger, SIGUSR2 does not kill.
 */
export function tameSignals(): void {
  if (!HAS_TERMINAL) process.on('SIGHUP', nothing);
  for (const signal of CHECKPOINTS) process.on(signal, nothing);
}

/** Two signals within this time are one wish: a terminal and npm both pass Ctrl-C on. */
const ONE_WISH_MS = 1000;

/**
 * Tells what each signal asks for. The first asks to stop. One within a second of it, or the first of another kind (as
 * systemd sends TERM and HUP), is the same wish. Any other asks to leave at once.
 */
export function wishes(now: () => number = () => performance.now()): (signal: string) => 'stop' | 'same' | 'leave' {
  const kinds = new Set<string>();
  let first: number;
  return (signal) => {
    if (kinds.size === 0) first = now();
    const wish = kinds.size === 0 ? 'stop' : now() - first <= ONE_WISH_MS || !kinds.has(signal) ? 'same' : 'leave';
    kinds.add(signal);
    return wish;
  };
}

/** Listens until the function returned is called: `stop` once, `checkpoint` each time. Leaving at once is exit code 130. */
export function onSignals({ stop, checkpoint }: { stop: () => void; checkpoint?: () => void }): () => void {
  const wishOf = wishes();
  const hear = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGHUP') process.once('exit', forgetTerminal);
    const wish = wishOf(signal);
    if (wish === 'stop') stop();
    if (wish === 'leave') process.exit(130);
  };
  for (const signal of STOPS) process.on(signal, hear);
  if (checkpoint) for (const signal of CHECKPOINTS) process.on(signal, checkpoint);
  return () => {
    for (const signal of STOPS) process.off(signal, hear);
    if (checkpoint) for (const signal of CHECKPOINTS) process.off(signal, checkpoint);
  };
}

/** At exit Node resets the terminal's mode, and aborts when the terminal is gone. */
function forgetTerminal(): void {
  for (const descriptor of [0, 1, 2]) {
    try {
      closeSync(descriptor);
    } catch {
      // Closed already.
    }
  }
}
