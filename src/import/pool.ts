/** Threads that read pictures side by side. Not here: what a thread does (worker.ts), what is kept (part.ts). */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ErrorCode, ErrorParts } from '../base/errors';
import type { Facts, Preparing } from './picture';

export interface Question {
  readonly id: number;
  readonly file: string;
}

/** Why a picture cannot be read. */
export type Refused = ErrorParts & { readonly code: ErrorCode };

export type Answer = { readonly id: number } & (
  { readonly facts: Facts; readonly prepared: Uint8Array } | { readonly refused: Refused } | { readonly failed: string }
);

/** Two in each thread: one is decoded by libvips while the other is resized. */
const IN_EACH = 2;

/** Asks all `questions` in any order and hands each answer to `take`, which is awaited. Stops at the first failure. */
export async function askAll(
  questions: readonly Question[],
  threads: number,
  preparing: Preparing,
  take: (answer: Answer) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const waiting = questions.values();
  const file = path.join(__dirname, 'worker.js');
  const count = Math.min(threads, Math.ceil(questions.length / IN_EACH));
  const workers = Array.from({ length: count }, () => new Worker(file, { workerData: preparing }));
  try {
    await Promise.all(workers.map((worker) => serve(worker, waiting, take, signal)));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function serve(
  worker: Worker,
  waiting: Iterator<Question>,
  take: (answer: Answer) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((done, fail) => {
    let open = 0;
    const next = (): void => {
      const question = waiting.next();
      if (question.done !== true) {
        open++;
        worker.postMessage(question.value);
      } else if (open === 0) done();
    };
    const stop = (): void => fail(signal.reason as Error);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    worker.on('error', fail);
    worker.on('exit', () => fail(new Error('a thread that reads pictures has ended')));
    worker.on('message', (answer: Answer) => {
      take(answer).then(() => {
        open--;
        next();
      }, fail);
    });
    for (let i = 0; i < IN_EACH; i++) next();
  });
}
