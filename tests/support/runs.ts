/** Training runs of the built command line in one folder: interrupted at an event, and compared file by file. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { eventsOf, MAIN, PACKAGE, start, type Finished, type Json } from './chestmnist';
import type { TrainOptions } from '../../src/recipe/options';

export function runsIn(folder: () => string) {
  const file = (run: string, name: string): Promise<Buffer> => readFile(path.join(folder(), run, name));

  /** history.csv without what a clock decides. */
  const history = async (run: string): Promise<string[][]> => {
    const rows = (await file(run, 'history.csv')).toString().trimEnd().split('\n');
    const kept = rows[0].split(',').map((name) => name !== 'seconds' && name !== 'images_per_second');
    return rows.map((row) => row.split(',').filter((_, i) => kept[i]));
  };

  async function expectSame(run: string, whole: string): Promise<void> {
    for (const name of [
      'weights/best.safetensors',
      'weights/last.safetensors',
      'metrics.json',
      'predictions/test.npz',
    ]) {
      expect({ name, same: (await file(run, name)).equals(await file(whole, name)) }).toEqual({ name, same: true });
    }
    expect(await history(run)).toEqual(await history(whole));
  }

  /** Trains until `when` accepts an event, then sends `signal`, or does what a function says. */
  async function interrupt(
    args: readonly string[],
    signal: NodeJS.Signals | ((pid: number) => void | Promise<void>),
    when: (event: Json) => boolean,
  ) {
    const { child, done } = start([MAIN, 'train', '--json', '--out', folder(), ...args]);
    let text = '';
    let sent = false;
    let acted = Promise.resolve();
    child.stdout!.on('data', (chunk: string) => {
      const lines = (text += chunk).split('\n');
      text = lines.pop()!;
      if (sent || !lines.filter(Boolean).some((line) => when(JSON.parse(line)))) return;
      sent = true;
      if (typeof signal === 'function') acted = Promise.resolve(signal(child.pid!));
      else child.kill(signal);
    });
    const finished = await done;
    await acted;
    return { ...finished, events: eventsOf(finished.stdout) };
  }

  /**
   * Trains in a process that kills itself when the first checkpoint after an event of this type is there: whatever the
   * speed of the machine, the next process finds this one.
   */
  function killAtCheckpoint(run: string, options: TrainOptions, after: 'start' | 'epoch'): Promise<Finished> {
    const checkpoint = path.join(folder(), run, 'checkpoint', 'state.safetensors');
    const program = `
      const { train } = require(${JSON.stringify(PACKAGE)});
      const { statSync } = require('node:fs');
      const [options, after, checkpoint] = process.argv.slice(1);
      const file = () => statSync(checkpoint, { throwIfNoEntry: false })?.ino;
      (async () => {
        for await (const event of train(JSON.parse(options))) {
          if (event.type !== after) continue;
          const before = file();
          setInterval(() => ![undefined, before].includes(file()) && process.kill(process.pid, 'SIGKILL'), 1);
        }
      })();`;
    return start(['-e', program, JSON.stringify(options), after, checkpoint]).done;
  }

  return { file, history, expectSame, interrupt, killAtCheckpoint };
}
