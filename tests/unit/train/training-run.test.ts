import { getEventListeners } from 'node:events';
import type { TrainEvent, TrainResult } from '../../../src/train/events';
import { TrainingRun, type Wishes } from '../../../src/train/training-run';

const stopped: TrainResult = { status: 'stopped', runDirectory: '/r', history: [], bestEpoch: null, metrics: null };
const note = (text: string): TrainEvent => ({ type: 'note', text });
const progress = (done: number): TrainEvent => ({ type: 'progress', phase: 'train', epoch: 1, done, total: 9 });
const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve())));

test('every event but overtaken progress reaches a late reader, in order', async () => {
  const run = new TrainingRun((emit) => {
    emit(note('a'));
    for (let i = 0; i < 100_000; i++) emit(progress(i));
    emit(note('b'));
    emit(progress(1));
    return Promise.resolve(stopped);
  });
  await run;
  const events: TrainEvent[] = [];
  for await (const event of run) events.push(event);
  expect(events).toEqual([note('a'), progress(99_999), note('b'), progress(1)]);
});

test('a reader gets events as they come', async () => {
  let go = (): void => {};
  const run = new TrainingRun(async (emit) => {
    emit(note('first'));
    await new Promise<void>((resolve) => (go = resolve));
    emit(note('second'));
    return stopped;
  });
  const texts: string[] = [];
  for await (const event of run) {
    texts.push((event as { text: string }).text);
    go();
  }
  expect(texts).toEqual(['first', 'second']);
});

test.each(['break', 'throw'])('leaving the loop by %s stops the run and waits for its end', async (how) => {
  let ended = false;
  const run = new TrainingRun(async (emit, { signal }) => {
    emit(note('a'));
    await untilAborted(signal);
    await new Promise((resolve) => setTimeout(resolve, 20));
    ended = true;
    return stopped;
  });
  const loop = (async () => {
    for await (const event of run) {
      if (how === 'throw') throw new Error(event.type);
      break;
    }
  })();
  if (how === 'throw') await expect(loop).rejects.toThrow('note');
  else await loop;
  expect(ended).toBe(true);
  expect(await run).toBe(stopped);
});

const stoppable = async (_emit: unknown, { signal }: Wishes): Promise<TrainResult> => {
  await untilAborted(signal);
  return stopped;
};

test('stop() resolves, an aborted signal rejects with its reason after the run has ended', async () => {
  const run = new TrainingRun(stoppable);
  run.stop();
  expect(await run).toBe(stopped);
  const controller = new AbortController();
  const other = new TrainingRun(stoppable, controller.signal);
  const enough = new Error('enough');
  controller.abort(enough);
  await expect(other).rejects.toBe(enough);
  await expect(new TrainingRun(stoppable, AbortSignal.abort()).finally(() => {})).rejects.toMatchObject({
    name: 'AbortError',
  });
});

test('an AbortError carries the run directory, each run its own under one signal', async () => {
  const controller = new AbortController();
  const runs = ['/a', '/b', null].map(
    (runDirectory) =>
      new TrainingRun(
        async (emit, wishes) => ({ ...(await stoppable(emit, wishes)), runDirectory }) as TrainResult,
        controller.signal,
      ),
  );
  controller.abort();
  const errors = await Promise.all(runs.map((run) => run.catch((error: unknown) => error)));
  expect(errors).toMatchObject(['/a', '/b', null].map((runDirectory) => ({ name: 'AbortError', runDirectory })));
  expect(runs.map((run) => run.runDirectory)).toEqual(['/a', '/b', null]);
  expect((errors[0] as { cause: unknown }).cause).toBe(controller.signal.reason);
  expect(controller.signal.reason).not.toHaveProperty('runDirectory');
});

test('a second loop at the same time throws ERR_BUSY, and the first goes on', async () => {
  const run = new TrainingRun(async (emit, wishes) => {
    emit(note('a'));
    emit(note('b'));
    return stoppable(emit, wishes);
  });
  const texts: string[] = [];
  for await (const event of run) {
    texts.push((event as { text: string }).text);
    const second = async (): Promise<void> => {
      for await (const other of run) texts.push(`second ${other.type}`);
    };
    await expect(second()).rejects.toMatchObject({ code: 'ERR_BUSY' });
    if (texts.length === 2) run.stop();
  }
  expect(texts).toEqual(['a', 'b']);
  // Afterwards there is nothing left to read.
  for await (const event of run) texts.push(event.type);
  expect(texts).toEqual(['a', 'b']);
});

test('runs add no listener to the signal of the user: from the eleventh on Node would warn of a leak', async () => {
  const controller = new AbortController();
  const runs = Array.from({ length: 11 }, () => new TrainingRun(stoppable, controller.signal));
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  controller.abort();
  expect((await Promise.allSettled(runs)).every(({ status }) => status === 'rejected')).toBe(true);
});

test('checkpoint() reaches the training each time', async () => {
  const asked: string[] = [];
  const run = new TrainingRun((emit, wishes) => {
    wishes.requests.on('checkpoint', () => asked.push('checkpoint'));
    return stoppable(emit, wishes);
  });
  run.checkpoint();
  run.checkpoint();
  run.stop();
  await run;
  expect(asked).toHaveLength(2);
});

test('a failure is thrown by the loop and by await, and both may be used', async () => {
  const run = new TrainingRun((emit) => {
    emit(note('a'));
    return Promise.reject(new Error('broken'));
  });
  const seen: string[] = [];
  await expect(
    (async () => {
      for await (const event of run) seen.push(event.type);
    })(),
  ).rejects.toThrow('broken');
  expect(seen).toEqual(['note']);
  await expect(run).rejects.toThrow('broken');
  expect(await run.catch(() => 'caught')).toBe('caught');
});
