/**
 * A run in progress as an object that can be awaited, iterated and stopped. Not here: what its events are (events.ts),
 * the training itself (index.ts).
 */
import type { TrainEvent, TrainResult } from './events';

type Body = (emit: (event: TrainEvent) => void, signal: AbortSignal) => Promise<TrainResult>;

/**
 * A run in progress. Await it for its result; iterate it for its events (once: events wait in one bounded queue, where
 * only the newest `progress` is kept, so a slow or absent reader costs neither time nor memory). Leaving the loop early,
 * by break or by an exception, stops the run at the next batch and waits until everything is on disk.
 */
export class TrainingRun implements PromiseLike<TrainResult>, AsyncIterable<TrainEvent> {
  readonly #events: TrainEvent[] = [];
  readonly #controller = new AbortController();
  readonly #result: Promise<TrainResult>;
  #ended = false;
  #wake: () => void = () => {};

  constructor(body: Body, signal?: AbortSignal) {
    const abort = (): void => this.#controller.abort(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    this.#result = body((event) => this.#push(event), this.#controller.signal)
      .then((result) => {
        // As with fetch, an aborted signal rejects. The run has stopped in good order before.
        if (result.status === 'stopped') signal?.throwIfAborted();
        return result;
      })
      .finally(() => {
        signal?.removeEventListener('abort', abort);
        this.#ended = true;
        this.#wake();
      });
  }

  /** Ends the run at the next batch boundary with a checkpoint to resume from; its result then has status `stopped`. */
  stop(): void {
    this.#controller.abort();
  }

  then<A = TrainResult, B = never>(
    fulfilled?: ((value: TrainResult) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(fulfilled, rejected);
  }

  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<TrainResult | B> {
    return this.#result.catch(rejected);
  }

  finally(settled?: (() => void) | null): Promise<TrainResult> {
    return this.#result.finally(settled);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TrainEvent, void, undefined> {
    this.#result.catch(() => {}); // the iteration itself throws the error, below
    try {
      for (;;) {
        const event = this.#events.shift();
        if (event) yield event;
        else if (this.#ended) break;
        else await new Promise<void>((wake) => (this.#wake = wake));
      }
      await this.#result;
    } finally {
      this.stop();
      await this.#result.catch(() => {});
    }
  }

  #push(event: TrainEvent): void {
    if (event.type === 'progress' && this.#events.at(-1)?.type === 'progress') this.#events.pop();
    this.#events.push(event);
    this.#wake();
  }
}
