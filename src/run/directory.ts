/**
 * The run directory: its paths, and the lock that admits one process at a time. Not here: how it is created
 * (create.ts), what may stand in it (entries.ts), the contents of its files (the other files of this folder).
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { exists } from '../base/atomic';
import { isWriteError, writeError, type NextStep } from '../base/disk';
import { ChestMnistError } from '../base/errors';
import { withLock, type StillHeld } from '../base/lock';
import { shellWord } from '../base/shell';

/** The paths in a run directory. No other module knows these names. */
export const runFiles = (directory: string) => {
  const at = (...names: string[]): string => path.join(directory, ...names);
  return {
    config: at('config.json'),
    run: at('run.json'),
    /** Only of an ensemble, whose members are run directories in this one. */
    ensemble: at('ensemble.json'),
    member: (seed: number): string => at(`seed-${seed}`),
    /** Only of a search, whose trials are run directories in this one. */
    search: at('search.json'),
    /** The options of its best trial. */
    recipe: at('recipe.json'),
    trial: (number: number): string => at(`trial-${number}`),
    history: at('history.csv'),
    metrics: at('metrics.json'),
    best: at('weights', 'best.safetensors'),
    last: at('weights', 'last.safetensors'),
    /** The moving average at the end of the last epoch, of a run that keeps one. */
    average: at('weights', 'average.safetensors'),
    checkpoint: at('checkpoint', 'state.safetensors'),
    /** The previous checkpoint. */
    previous: at('checkpoint', 'previous.safetensors'),
    /** Folder of the result CSVs, whose names contain figures, and of the inputs of the report. */
    predictions: at('predictions'),
    /** Truth and logits of a split. */
    scored: (split: ScoredSplit): string => at('predictions', `${split}.npz`),
    /** The images that the report shows. */
    examples: at('predictions', 'examples.json'),
    plots: at('plots'),
    report: at('report.html'),
    card: at('model-card.md'),
    cardJson: at('model-card.json'),
    lock: at('lock'),
  };
};

/** The splits that a run scores. */
export const SCORED_SPLITS = ['val', 'test'] as const;
export type ScoredSplit = (typeof SCORED_SPLITS)[number];

/** The error for a file whose content the run cannot have written. With a checkpoint, a run writes again what is missing. */
export function damaged(directory: string, file: string, what: string, cause?: unknown): ChestMnistError {
  const { checkpoint, previous } = runFiles(directory);
  const orAgain = `; or remove it, and ${resumeCommand(directory)} writes it again`;
  return new ChestMnistError(
    'ERR_DATA_CORRUPT',
    {
      found: `${file} ${what}`,
      needed: 'the file as the run wrote it',
      next: `restore it from a copy${existsSync(checkpoint) || existsSync(previous) ? orAgain : ''}`,
    },
    { cause },
  );
}

/** Runs `work` with the run directory locked. ERR_BUSY when another run uses it, in this process or another. */
export async function withRunLock<T>(directory: string, work: (held: StillHeld) => Promise<T>): Promise<T> {
  return withLock(runFiles(directory).lock, work, {
    waiting: (holder) => {
      throw busy(directory, holder);
    },
    next: await goingOn(directory),
  });
}

/** The error for a run directory that another run uses or has taken over. */
export const busy = (directory: string, holder: string): ChestMnistError =>
  new ChestMnistError('ERR_BUSY', {
    found: `${directory} is in use by ${holder}`,
    needed: 'one run in a run directory at a time',
    next: 'wait for it or stop it, or start a new run without --resume',
  });

/**
 * Adds to a failed write in a run directory how to continue the run: finished epochs are on disk. Other errors stay as
 * they are.
 */
export async function writeErrorOf(error: unknown, directory: string): Promise<unknown> {
  if (!isWriteError(error)) return error;
  if (error instanceof ChestMnistError) return writeError(error.cause ?? error, directory, await goingOn(directory));
  const inside = (error as NodeJS.ErrnoException).path?.startsWith(directory);
  return inside ? writeError(error, directory, await goingOn(directory)) : error;
}

/** What to do once a run directory can be written again. */
async function goingOn(directory: string): Promise<NextStep> {
  const { ensemble, search } = runFiles(directory);
  if ((await hasCheckpoint(directory)) || (await exists(ensemble)) || (await exists(search)))
    return { then: resumeCommand(directory) };
  const there = await exists(directory);
  return { then: there ? `remove ${shellWord(directory)} and start the run again` : 'start the run again' };
}

/** Whether there is something to resume from, whatever its state. */
export async function hasCheckpoint(directory: string): Promise<boolean> {
  const { checkpoint, previous } = runFiles(directory);
  return (await exists(checkpoint)) || (await exists(previous));
}

/** The command that continues a run, an ensemble or a search. */
export function resumeCommand(directory: string): string {
  const verb = existsSync(runFiles(directory).search) ? 'tune' : 'train';
  return `npx chestmnist ${verb} --resume ${shellWord(directory)}`;
}
