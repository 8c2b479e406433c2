/**
 * One run of several that share a process and its wishes: a member of an ensemble, a trial of a search. It is an ordinary
 * run in a directory inside theirs. Not here: which runs there are (ensemble.ts, tune/).
 */
import { EventEmitter } from 'node:events';
import { createPartDirectory } from '../run/create';
import { hasCheckpoint, withRunLock } from '../run/directory';
import type { TrainResult } from './events';
import type { Session } from './journal';
import { plan, type Asked, type OfData, type Resumed } from './plan';
import { prepare, type Prepared } from './prepare';
import type { Wishes } from './training-run';

/** Trains one run in its directory: runInDirectory of index.ts. */
export type TrainRun = (
  session: Session,
  resumed: Resumed | undefined,
  notes: readonly string[],
) => Promise<TrainResult>;

interface Part {
  /** Absolute. */
  directory: string;
  asked: Asked;
  /** The directory of all, and the data of each. */
  of: OfData;
  /** When it is prepared; it is disposed of here. */
  ready?: Prepared;
  /** Of a trial: the last epoch to train, without a score on the test split. */
  until?: number;
}

interface Around extends Wishes {
  emit: Session['emit'];
  run: TrainRun;
}

/** Trains a part, new or from its checkpoint; undefined when it was stopped before it began. */
export async function trainPart(
  { directory, asked, of, ready: prepared, until }: Part,
  { emit, signal, requests, run }: Around,
): Promise<TrainResult | undefined> {
  const goesOn = await hasCheckpoint(directory);
  if (!goesOn) await createPartDirectory(of.directory, directory);
  return withRunLock(directory, async (held) => {
    const planned = goesOn ? await plan(asked, directory) : { options: asked.options };
    const ready = prepared ?? (await prepare(planned, { emit, signal, of }));
    if (!ready) return undefined;
    const own: Wishes['requests'] = new EventEmitter();
    const pass = (): boolean => own.emit('checkpoint');
    // A listener of its own for each part, which would otherwise stay in memory with it.
    requests.on('checkpoint', pass);
    try {
      const { options, dataset, trainer, notes } = ready;
      const wishes = { signal, requests: own };
      const session = { directory, held, options, dataset, trainer, emit, wishes, until };
      return await run(session, planned.resumed, notes);
    } finally {
      requests.off('checkpoint', pass);
      await ready.trainer.dispose();
    }
  });
}
