/** Work on the items of a sequence that are still to come, with the results in order and few of them at a time. */

/** The results of `work` for each of `items`, in their order; at most `ahead` are worked on at once. */
export async function* workAhead<T, R>(
  items: AsyncIterable<T>,
  ahead: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const waiting: Promise<R>[] = [];
  const source = items[Symbol.asyncIterator]();
  try {
    for (let isEnd = false; !isEnd || waiting.length > 0;) {
      while (!isEnd && waiting.length < ahead) {
        const next = await source.next();
        if (next.done === true) isEnd = true;
        else {
          const result = work(next.value);
          result.catch(() => {}); // it is thrown where it is awaited
          waiting.push(result);
        }
      }
      if (waiting.length > 0) yield await waiting.shift()!;
    }
  } finally {
    await Promise.allSettled(waiting);
    await source.return?.();
  }
}
