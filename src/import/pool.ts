/** Pictures read side by side, in threads. Not here: one picture (picture.ts), what is kept (part.ts). */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { systemError } from '../base/disk';
import { ChestMnistError, type ErrorCode, type ErrorParts } from '../base/errors';
import { readPicture, type Facts } from './picture';

export interface Question {
  readonly id: number;
  readonly file: string;
}

/** Why a picture cannot be read. */
export type Refused = ErrorParts & { readonly code: ErrorCode };

export type Answer = { readonly id: number } & (
  { readonly facts: Facts; readonly prepared: Uint8Array } | { readonly refused: Refused } | { readonly failed: string }
);

export type Settings = Parameters<typeof readPicture>[1];

/** Two in each thread: one is decoded by libvips while the other is resized. */
const IN_EACH = 2;

/** What becomes of one picture, in whichever thread. */
export async function answerTo({ id, file }: Question, settings: Settings): Promise<Answer> {
  try {
    const { prepared, ...facts } = await readPicture(file, settings);
    return { id, facts, prepared };
  } catch (error) {
    const known = systemError(error);
    if (known instanceof ChestMnistError)
      return { id, refused: { code: known.code, ...ChestMnistError.inFlags(known) } };
    return { id, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

type Ask = (question: Question) => Promise<Answer>;

/** Asks all `questions` in any order and hands each answer to `take`, which is awaited. Stops at the first failure. */
export async function askAll(
  questions: readonly Question[],
  threads: number,
  settings: Settings,
  take: (answer: Answer) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const count = Math.min(threads, Math.ceil(questions.length / IN_EACH));
  // One processor gains nothing by a thread.
  const workers = Array.from({ length: count > 1 ? count : 0 }, () => new Worker(FILE, { workerData: settings }));
  const asks = workers.length > 0 ? workers.map(asking) : [(question: Question) => answerTo(question, settings)];
  const waiting = questions.values();
  let isOver = false;
  const lane = async (ask: Ask): Promise<void> => {
    try {
      for (const question of waiting) {
        if (isOver) return;
        signal.throwIfAborted();
        await take(await ask(question));
      }
    } finally {
      isOver = true; // what the others have begun is the rest
    }
  };
  try {
    await Promise.all(asks.flatMap((ask) => Array.from({ length: IN_EACH }, () => lane(ask))));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

const FILE = path.join(__dirname, 'worker.js');

/** A worker as a function. What ends it, such as memory that ran out, is the failure of what it was asked. */
function asking(worker: Worker): Ask {
  const open = new Map<number, { done: (answer: Answer) => void; fail: (error: Error) => void }>();
  let ended: Error | undefined;
  const end = (error: Error): void => {
    ended ??= error;
    for (const { fail } of open.values()) fail(ended);
    open.clear();
  };
  worker.on('message', (answer: Answer) => {
    open.get(answer.id)?.done(answer);
    open.delete(answer.id);
  });
  worker.on('error', end);
  worker.on('exit', () => end(new Error('a thread that reads pictures has ended')));
  return (question) =>
    new Promise((done, fail) => {
      if (ended !== undefined) return fail(ended);
      open.set(question.id, { done, fail });
      worker.postMessage(question);
    });
}
