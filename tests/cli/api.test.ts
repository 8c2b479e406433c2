/** The programmatic API as a user's own script sees it: the built package, in a process of its own. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { PACKAGE, scratch, start, type Json } from '../support/chestmnist';

const folder = scratch();
const OPTIONS = `{ data: 'synthetic', limitTrain: 256, limitVal: 32, limitTest: 32, batchSize: 32, device: 'cpu', threads: 1, report: false, resamples: 0, out: process.argv[1] }`;

/** Runs the body of an async function with the API and `options` in scope; what it returns, as JSON. */
async function script(body: string): Promise<Json> {
  const program = `
    const api = require(${JSON.stringify(PACKAGE)}); const { train } = api; const options = ${OPTIONS};
    (async () => { ${body} })().then((value) => console.log(JSON.stringify(value)), (error) => { console.error(error); process.exitCode = 1; });`;
  const { code, stdout, stderr } = await start(['-e', program, folder()]).done;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as unknown;
}
const status = async (run: string): Promise<string> =>
  (JSON.parse(await readFile(path.join(folder(), run, 'run.json'), 'utf8')) as { status: string }).status;

test('awaiting a run gives its result; nobody has to read its events', async () => {
  const result = await script(`return await train({ ...options, epochs: 1, name: 'await' });`);
  expect(result).toMatchObject({ status: 'finished', runDirectory: path.join(folder(), 'await'), bestEpoch: 1 });
  expect(result.history).toEqual([expect.objectContaining({ epoch: 1, lr: 1e-3, valAuc: expect.any(Number) })]);
  expect(result.metrics.splits.test.n).toBe(32);
});

test('the event loop stays free while it trains', async () => {
  // Its turns from one report of an epoch to the next: were it blocked meanwhile, there would be one report and no turn.
  const turns = await script(`
    let turns = 0, between = 0, reports = 0, before, counting = true;
    (function turn() { turns++; if (counting) setImmediate(turn); })();
    const run = train({ ...options, limitTrain: 4096, epochs: 50, name: 'free' });
    for await (const event of run) {
      if (event.type !== 'progress' || event.phase !== 'train') continue;
      if (before?.epoch === event.epoch) between += turns - before.turns;
      before = { epoch: event.epoch, turns };
      if (++reports === 4) run.stop();
    }
    counting = false;
    return between;`);
  expect(turns).toBeGreaterThan(100);
});

test('events come in order and end with the result', async () => {
  const types: string[] = await script(`
    const types = [];
    for await (const { type, phase } of train({ ...options, epochs: 2, name: 'events' })) {
      const name = phase ? type + ' ' + phase : type;
      if (types.at(-1) !== name) types.push(name);
    }
    return types;`);
  const order = types.filter((type) => !type.startsWith('progress data'));
  expect(order[0]).toBe('start');
  expect(order.at(-1)).toBe('finish');
  expect(order.filter((type) => type === 'epoch')).toHaveLength(2);
});

test('leaving the loop, by break or by an exception, ends the run with everything on disk', async () => {
  await script(
    `for await (const event of train({ ...options, epochs: 50, name: 'break' })) if (event.type === 'epoch') break;`.concat(
      ' return 0;',
    ),
  );
  expect(await status('break')).toBe('stopped');
  const message = await script(`
    try { for await (const event of train({ ...options, epochs: 50, name: 'throw' })) if (event.type === 'epoch') throw new Error('mine'); }
    catch (error) { return error.message; }`);
  expect(message).toBe('mine');
  expect(await status('throw')).toBe('stopped');
  const resumed = await script(
    `const run = train({ resume: require('path').join(process.argv[1], 'throw') }); for await (const event of run) if (event.type === 'start') { run.stop(); return event.epoch; }`,
  );
  expect(resumed).toBe(2);
});

test('stop() gives status stopped, an aborted signal rejects with its reason', async () => {
  const result = await script(`
    const run = train({ ...options, epochs: 50, name: 'stop' });
    const file = require('path').join(options.out, 'stop', 'run.json');
    const begun = setInterval(() => { if (require('fs').existsSync(file)) { clearInterval(begun); run.stop(); } }, 20);
    return await run.then((r) => ({ status: r.status, metrics: r.metrics }));`);
  expect(result).toEqual({ status: 'stopped', metrics: null });
  const reason = await script(`
    const controller = new AbortController();
    const run = train({ ...options, epochs: 50, name: 'abort' }, { signal: controller.signal });
    try { for await (const event of run) if (event.type === 'epoch') controller.abort(new Error('enough')); }
    catch (error) { return error.message; }`);
  expect(reason).toBe('enough');
  expect(await status('abort')).toBe('stopped');
  const early = await script(`
    try { await train({ ...options, name: 'early' }, { signal: AbortSignal.abort() }); } catch (error) { return [error.name, require('fs').existsSync(require('path').join(process.argv[1], 'early'))]; }`);
  expect(early).toEqual(['AbortError', false]);
});

test('a run stopped before its run directory exists has status stopped, and creates nothing', async () => {
  const found = await script(`
    const before = require('fs').readdirSync(options.out).sort().join();
    const events = [];
    const at_once = train(options);
    at_once.stop();
    for await (const event of at_once) events.push(event);
    const broken = train(options);
    for await (const { type, phase } of broken) { events.push(type + ' ' + phase); break; }
    const thrown = [];
    for (const signal of [AbortSignal.abort(), AbortSignal.abort(new Error('mine'))])
      await train(options, { signal }).catch((error) => thrown.push([error.name, error.message, error.runDirectory]));
    const same = before === require('fs').readdirSync(options.out).sort().join();
    return { results: [await at_once, await broken], events, thrown, same };`);
  const result = { status: 'stopped', runDirectory: null, history: [], bestEpoch: null, metrics: null };
  const stop = { type: 'stop', runDirectory: null, epoch: 1, samples: 0, resume: null };
  expect(found).toEqual({
    results: [result, result],
    events: [stop, 'progress data'],
    // A reason of the user's own stays what it is; in JSON, what is not there is null as well.
    thrown: [
      ['AbortError', expect.any(String), null],
      ['Error', 'mine', null],
    ],
    same: true,
  });
});

test('a resumed run stopped before it goes on is as it was', async () => {
  const found = await script(`
    const first = train({ ...options, epochs: 3, name: 'again' });
    for await (const event of first) if (event.type === 'epoch') first.stop();
    const second = train({ resume: (await first).runDirectory });
    second.stop();
    const [{ history, ...a }, { history: { length }, ...b }] = [await first, await second];
    return { a, b, same: history.length === length };`);
  expect(found.same).toBe(true);
  expect(found.b).toEqual(found.a);
  expect(found.b).toMatchObject({ status: 'stopped', runDirectory: path.join(folder(), 'again'), bestEpoch: 1 });
});

test('two runs under one signal: each AbortError has the run directory of its own', async () => {
  const directories = await script(`
    const controller = new AbortController();
    let begun = 0;
    const runs = Array.from({ length: 2 }, (_, i) => train({ ...options, limitTrain: 64, epochs: 50, name: 'many' + i }, { signal: controller.signal }));
    return Promise.all(runs.map(async (run) => {
      try { for await (const { type } of run) if (type === 'start' && ++begun === runs.length) controller.abort(); }
      catch (error) { return [error.name, error.runDirectory, run.runDirectory]; }
    }));`);
  const own = (i: number): string => path.join(folder(), `many${i}`);
  expect(directories).toEqual(Array.from({ length: 2 }, (_, i) => ['AbortError', own(i), own(i)]));
  expect([await status('many0'), await status('many1')]).toEqual(['stopped', 'stopped']);
});

test('two runs at once are as two runs one after the other', async () => {
  const same = await script(`
    const { readFileSync } = require('fs'); const { join } = require('path');
    const weights = (name) => readFileSync(join(process.argv[1], name, 'weights/last.safetensors'));
    await Promise.all(['one', 'two'].map((name, seed) => train({ ...options, epochs: 1, threads: 1, seed, name })));
    await train({ ...options, epochs: 1, threads: 1, seed: 0, name: 'alone' });
    return [weights('one').equals(weights('alone')), weights('two').equals(weights('alone'))];`);
  expect(same).toEqual([true, false]);
});

test('errors carry a code, whether awaited or iterated', async () => {
  const codes = await script(`
    const codes = [];
    try { await train({ ...options, lr: NaN }); } catch (error) { codes.push(error.code, error instanceof api.ChestMnistError); }
    try { for await (const _ of train({ ...options, data: 'none.npz' })); } catch (error) { codes.push(error.code); }
    return codes;`);
  expect(codes).toEqual(['ERR_CONFIG', true, 'ERR_DATA_MISSING']);
});

test('evaluate and predict give typed arrays', async () => {
  const found = await script(`
    const { evaluate, predict } = api; const { join } = require('path'); const run = join(process.argv[1], 'await');
    const nothing = { size: null, resize: null, labelNames: null, weightsKey: null };
    const e = await evaluate(run, { split: 'val', device: 'cpu', ...nothing });
    const d = await api.loadDataset('synthetic', { counts: { train: 1, val: 1, test: 1 } });
    const reasons = [];
    const signal = AbortSignal.abort(new Error('enough'));
    const calls = [() => evaluate(run, { signal }), () => predict(run, ['x.png'], { signal }), () => api.loadDataset('synthetic', { signal })];
    for (const call of calls) await call().catch((error) => reasons.push(error.message));
    if (reasons.join() !== 'enough,enough,enough') throw new Error(reasons.join());
    return { n: e.metrics.n, logits: e.logits.constructor.name, shape: [e.logits.length, e.truth.length, e.scores.length], rgb: api.expandToRgb(d.splits.val.images, 1, 28).length };`);
  expect(found).toEqual({ n: 32, logits: 'Float32Array', shape: [448, 448, 448], rgb: 2352 });
});
