/** Working ahead: results in order, few at a time, errors where they are awaited, and an end for what is left. */
import { setTimeout as sleep } from 'node:timers/promises';
import { workAhead } from '../../../src/base/ahead';

async function* numbers(count: number, ended?: () => void): AsyncGenerator<number> {
  try {
    for (let i = 0; i < count; i++) yield await Promise.resolve(i);
  } finally {
    ended?.();
  }
}

test('results are in order, whichever is ready first, and at most so many are worked on', async () => {
  let [now, most] = [0, 0];
  const work = async (i: number): Promise<number> => {
    most = Math.max(most, ++now);
    await sleep(i % 2 === 0 ? 6 : 1);
    now--;
    return i * i;
  };
  const results: number[] = [];
  for await (const result of workAhead(numbers(9), 3, work)) results.push(result);
  expect(results).toEqual([0, 1, 4, 9, 16, 25, 36, 49, 64]);
  expect(most).toBe(3);
});

test('an error comes at its place; a source that is left is closed', async () => {
  const ended = jest.fn();
  const work = (i: number): Promise<number> => (i === 2 ? Promise.reject(new Error('two')) : Promise.resolve(i));
  const results: number[] = [];
  const all = async (): Promise<void> => {
    for await (const result of workAhead(numbers(50, ended), 4, work)) results.push(result);
  };
  await expect(all()).rejects.toThrow('two');
  expect(results).toEqual([0, 1]);
  expect(ended).toHaveBeenCalledTimes(1);
});
