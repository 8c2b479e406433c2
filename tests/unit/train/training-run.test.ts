import type { TrainEvent, TrainResult } from '../../../src/train/events';
import { TrainingRun } from '../../../src/train/training-run';

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
  const run = new TrainingRun(async (emit, signal) => {
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

test('stop() resolves, an aborted signal rejects with its reason after the run has ended', async () => {
  const body = async (_emit: unknown, signal: AbortSignal): Promise<TrainResult> => {
    await untilAborted(signal);
    return stopped;
  };
  const run = new TrainingRun(body);
  run.stop();
  expect(await run).toBe(stopped);
  const controller = new AbortController();
  const other = new TrainingRun(body, controller.signal);
  controller.abort(new Error('enough'));
  await expect(other).rejects.toThrow('enough');
  await expect(new TrainingRun(body, AbortSignal.abort()).finally(() => {})).rejects.toMatchObject({
    name: 'AbortError',
  });
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
