// For consumers' Jest and Vitest, which run tests in contexts of their own: what is passed and caught must still fit.
const path = require('node:path');
const { evaluate, ChestMnistError, train } = require('chestmnist');

test('evaluates a run', async () => {
  const { metrics, logits } = await evaluate(path.resolve('runs', 'first'), { device: 'cpu', threads: 1 });
  expect(metrics.n).toBe(64);
  expect(logits.length).toBe(64 * 14);
}, 60_000);

test('trains', async () => {
  const limits = { limitTrain: 128, limitVal: 32, limitTest: 32, epochs: 1, threads: 1 };
  const run = train({ data: 'synthetic', device: 'cpu', ...limits, out: 'runs', name: `test-${process.pid}` });
  expect((await run).status).toBe('finished');
}, 60_000);

test('refuses with its own error', async () => {
  const error = await evaluate('nowhere').catch((reason) => reason);
  expect(error).toBeInstanceOf(ChestMnistError);
  expect(error.code).toBe('ERR_CONFIG');
});
