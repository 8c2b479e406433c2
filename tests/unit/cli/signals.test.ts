/** What signals ask for, by a clock of the test's own. What a process does on them is in tests/cli/train-resume.test.ts. */
import { onSignals, wishes } from '../../../src/cli/signals';

/** The wishes of signals, each with the time at which it comes, in ms. */
function heard(...signals: [signal: string, time: number][]): string[] {
  let time = 0;
  const wishOf = wishes(() => time);
  return signals.map(([signal, at]) => {
    time = 5000 + at;
    return wishOf(signal);
  });
}

test.each([
  [
    'Ctrl-C, passed on by npm as well',
    [
      ['SIGINT', 0],
      ['SIGINT', 3],
    ],
    ['stop', 'same'],
  ],
  [
    'systemd: TERM and HUP',
    [
      ['SIGTERM', 0],
      ['SIGHUP', 1],
    ],
    ['stop', 'same'],
  ],
  [
    'within a second',
    [
      ['SIGTERM', 0],
      ['SIGTERM', 999],
      ['SIGTERM', 1000],
    ],
    ['stop', 'same', 'same'],
  ],
  [
    'after a second',
    [
      ['SIGINT', 0],
      ['SIGINT', 1001],
    ],
    ['stop', 'leave'],
  ],
  [
    'a second counts from the first',
    [
      ['SIGINT', 0],
      ['SIGINT', 900],
      ['SIGINT', 1800],
    ],
    ['stop', 'same', 'leave'],
  ],
  [
    'a scheduler that asks by one kind and then by another',
    [
      ['SIGINT', 0],
      ['SIGTERM', 30_000],
      ['SIGTERM', 60_000],
    ],
    ['stop', 'same', 'leave'],
  ],
] as [string, [string, number][], string[]][])('%s', (_, signals, expected) => {
  expect(heard(...signals)).toEqual(expected);
});

test('stop is asked for once, a checkpoint each time, and nothing once it no longer listens', () => {
  const asked: string[] = [];
  const counts = (): number[] => ['SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'].map((name) => process.listenerCount(name));
  const before = counts();
  const unlisten = onSignals({ stop: () => asked.push('stop'), checkpoint: () => asked.push('checkpoint') });
  for (const signal of ['SIGUSR1', 'SIGINT', 'SIGTERM', 'SIGUSR2', 'SIGINT', 'SIGUSR2'] as const) process.emit(signal);
  expect(asked).toEqual(['checkpoint', 'stop', 'checkpoint', 'checkpoint']);
  unlisten();
  expect(counts()).toEqual(before);
});
