/**
 * A run in progress as an object that can be awaited, iterated and stopped. Not here: what its events are (events.ts),
 * the training itself (index.ts).
 */
import { EventEmitter } from 'node:events';
import { ChestMnistError } from '../base/errors';
import type { TrainEvent, TrainResult } from './events';

/**
 * What the training hears from the outside.
 * @internal
 */
export interface Wishes {
  /** Aborted when the run is to end at the next batch boundary. */
  readonly signal: AbortSignal;
  /** Emits `checkpoint` when one is to be written at the next batch boundary. */
  readonly requests: EventEmitter<{ checkpoint: [] }>;
}

type Body = (emit: (event: TrainEvent) => void, wishes: Wishes) => Promise<TrainResult>;

/**
 * A run in progress. Await it for its result; iterate it for its events (once, and in one loop at a time: a second one
 * throws ERR_BUSY). Events wait in one bounded queue, where only the newest `progress` is kept, so a slow or absent
 * reader costs neither time nor memory. Leaving the loop early, by break or by an exception, stops the run at the next
 * batch and waits until everything is on disk.
 */
export class TrainingRun implements PromiseLike<TrainResult>, AsyncIterable<TrainEvent> {
  readonly #events: TrainEvent[] = [];
  readonly #controller = new AbortController();
  readonly #requests: Wishes['requests'] = new EventEmitter();
  readonly #result: Promise<TrainResult>;
  #runDirectory: string | null = null;
  #ended = false;
  #isRead = false;
  #wake: () => void = () => {};

  /** @internal */
  constructor(body: Body, signal?: AbortSignal) {
    const stop = this.#controller.signal;
    const wishes = { signal: signal ? AbortSignal.any([signal, stop]) : stop, requests: this.#requests };
    this.#result = body((event) => this.#push(event), wishes)
      .then((result) => {
        this.#runDirectory = result.runDirectory;
        // As with fetch, an aborted signal rejects. The run has stopped in good order before.
        if (result.status === 'stopped' && signal?.aborted) throw withDirectory(signal.reason, result.runDirectory);
        return result;
      })
      .finally(() => {
        this.#ended = true;
        this.#wake();
      });
  }

  /** The run directory, an absolute path; null before the event `start`, or `ensemble`. */
  get runDirectory(): string | null {
    return this.#runDirectory;
  }

  /**
   * Ends the run at the next batch boundary with a checkpoint to resume from; its result then has status `stopped`.
   * Before the event `start` there is nothing to resume from yet: the result's `runDirectory` is then null.
   */
  stop(): void {
    this.#controller.abort();
  }

  /**
   * Writes a checkpoint at the next batch boundary of the training, or at the end of the epoch that is being validated,
   * and goes on; a `note` reports it.
   */
  checkpoint(): void {
    this.#requests.emit('checkpoint');
  }

  /** As of a promise. */
  then<A = TrainResult, B = never>(
    fulfilled?: ((value: TrainResult) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(fulfilled, rejected);
  }

  /** As of a promise. */
  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<TrainResult | B> {
    return this.#result.catch(rejected);
  }

  /** As of a promise. */
  finally(settled?: (() => void) | null): Promise<TrainResult> {
    return this.#result.finally(settled);
  }

  /** The events, until the run has ended. Throws the run's error, and ERR_BUSY while another loop reads them. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TrainEvent, void, undefined> {
    if (this.#isRead) {
      throw new ChestMnistError('ERR_BUSY', {
        found: 'a second loop over the events of a run',
        needed: 'one loop at a time',
        next: 'read the events in one loop, and await the run where only its result is needed',
      });
    }
    this.#isRead = true;
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
      this.#isRead = false;
    }
  }

  #push(event: TrainEvent): void {
    if (event.type === 'ensemble' || (event.type === 'start' && event.member === undefined))
      this.#runDirectory = event.runDirectory;
    if (event.type === 'progress' && this.#events.at(-1)?.type === 'progress') this.#events.pop();
    this.#events.push(event);
    this.#wake();
  }
}

/**
 * The reason of an aborted signal. One that the platform made (AbortError, TimeoutError) is copied with the run
 * directory: the same signal may stop several runs. A reason of the user's own stays what it is.
 */
function withDirectory(reason: unknown, runDirectory: string | null): unknown {
  if (!(reason instanceof DOMException)) return reason;
  const { message, name } = reason;
  return Object.assign(new DOMException(message, { name, cause: reason }), { runDirectory });
}
