/** Work on many things, a few at a time. Not here: what is done with each. */

/**
 * Does `work` on each of `items` in order, `jobs` at a time, and begins no more once `signal` is aborted. The first error
 * calls `abort`, which is to end the others, and is thrown when they have ended.
 */
export async function workThrough<T>(
  items: readonly T[],
  { jobs, signal, abort }: { jobs: number; signal: AbortSignal; abort: () => void },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    while (queue.length > 0 && !signal.aborted) await work(queue.shift()!);
  };
  const workers = Array.from({ length: jobs }, () =>
    worker().catch((error: unknown) => {
      abort();
      throw error;
    }),
  );
  const failed = (await Promise.allSettled(workers)).find((worker) => worker.status === 'rejected');
  if (failed) throw failed.reason;
}
