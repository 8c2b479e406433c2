import path from 'node:path';
import { chestmnist, eventsOf, MAIN, scratch, start, type Finished, type Json } from '../support/chestmnist';
import { arrays, npz } from '../support/npz';
import { runsIn } from '../support/runs';

const folder = scratch();
/** Sixteen small steps an epoch, so that a stop falls inside one. */
const ARGS = [
  ...['--data', 'synthetic', '--limit-train', '512', '--limit-val', '64', '--limit-test', '64', '--epochs', '3'],
  ...['--batch-size', '32', '--device', 'cpu', '--threads', '1'],
];
const { file, history, expectSame, interrupt: interruptRun } = runsIn(folder);
const train = (...args: string[]): Promise<Finished> => chestmnist(['train', '--quiet', '--out', folder(), ...args]);
const interrupt = (
  run: string,
  signal: NodeJS.Signals,
  when: (event: Json) => boolean,
  extra: string[] = [],
  times = 1,
) => interruptRun(['--name', run, ...ARGS, ...extra], signal, when, times);

async function expectSameAsWhole(run: string): Promise<void> {
  await expectSame(run, 'whole');
  expect(JSON.parse((await file(run, 'run.json')).toString())).toMatchObject({
    status: 'finished',
    resumed: [expect.any(String)],
  });
}

beforeAll(async () => {
  expect(await train('--name', 'whole', ...ARGS)).toMatchObject({ code: 0 });
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s, then --resume, equals an uninterrupted run bit for bit',
  async (signal) => {
    const stopped = await interrupt(signal, signal, (event) => event.type === 'progress' && event.epoch === 2);
    expect(stopped.code).toBe(130);
    const run = path.join(folder(), signal);
    const event = stopped.events.at(-1);
    expect(event).toMatchObject({
      type: 'stop',
      runDirectory: run,
      epoch: 2,
      resume: `npx chestmnist train --resume ${run}`,
    });
    expect(event.samples % 32).toBe(0);
    expect(event.samples).toBeGreaterThan(0);
    expect(event.samples).toBeLessThan(512);
    expect(JSON.parse((await file(signal, 'run.json')).toString())).toMatchObject({ status: 'stopped', epochs: 1 });
    const resumed = await chestmnist(['train', '--resume', run]);
    expect(resumed).toMatchObject({ code: 0, stderr: expect.stringContaining('resumed in epoch 2 of 3') });
    expect(resumed.stdout.startsWith(`${run}\n`)).toBe(true);
    await expectSameAsWhole(signal);
  },
);

test('stopped again and again, the run is still the same', async () => {
  let code: number | null = 130;
  let stops = 0;
  const script = `
    const { train } = require(${JSON.stringify(path.join(path.dirname(MAIN), '..', 'index.js'))});
    const [out, name, resume] = process.argv.slice(1);
    (async () => {
      const run = train(resume ? { resume } : { data: 'synthetic', limitTrain: 512, limitVal: 64, limitTest: 64, epochs: 3, batchSize: 32, device: 'cpu', threads: 1, out, name });
      for await (const event of run) if (event.type === 'progress' && event.phase !== 'data') { run.stop(); break; }
      process.exitCode = (await run).status === 'stopped' ? 130 : 0;
    })();`;
  for (; code === 130 && stops < 100; stops++) {
    ({ code } = await start(['-e', script, folder(), 'often', ...(stops > 0 ? [path.join(folder(), 'often')] : [])])
      .done);
    if (stops === 3) break;
  }
  expect(stops).toBe(3);
  expect(await train('--resume', path.join(folder(), 'often'))).toMatchObject({ code: 0 });
  const { resumed } = JSON.parse((await file('often', 'run.json')).toString()) as { resumed: string[] };
  expect(resumed).toHaveLength(4);
  await expectSame('often', 'whole');
});

test('a run that was killed is resumed from its last epoch; --resume alone finds it', async () => {
  const killed = await interrupt('killed', 'SIGKILL', (event) => event.type === 'epoch' && event.epoch === 2);
  expect(killed.signal).toBe('SIGKILL');
  expect(await train('--resume')).toMatchObject({ code: 0 });
  await expectSameAsWhole('killed');
});

/** Images and validation so few that an epoch is four steps. */
const TINY = [
  ...['--data', 'synthetic', '--limit-train', '64', '--limit-val', '32', '--limit-test', '32', '--epochs', '2'],
  ...['--batch-size', '16', '--device', 'cpu', '--threads', '1'],
];

test.each([[['--precision', 'bf16']], [['--resize', '32']], [['--stem', 'cifar', '--optimizer', 'adamw']]])(
  '%j is resumed as exactly',
  async (flags) => {
    const name = flags.join('-').slice(2);
    const args = [...TINY, ...flags, '--limit-train', '128'];
    expect(await train('--name', `${name}-whole`, ...args)).toMatchObject({ code: 0 });
    const stopped = await interrupt(name, 'SIGINT', (event) => event.type === 'progress' && event.epoch === 1, args);
    expect(stopped.code).toBe(130);
    expect(await train('--resume', path.join(folder(), name))).toMatchObject({ code: 0 });
    await expectSame(name, `${name}-whole`);
  },
);

test('on another number of threads it is resumed as exactly; the plain execution says what changes', async () => {
  const whole = [...TINY, '--limit-train', '128'];
  const resume = async (name: string, ...flags: string[]) => {
    const args = [...whole, ...flags];
    const stopped = await interrupt(name, 'SIGINT', (event) => event.type === 'progress' && event.epoch === 1, args);
    expect(stopped.code).toBe(130);
    return chestmnist(['train', '--resume', path.join(folder(), name), '--threads', '2']);
  };
  expect(await train('--name', 'one-thread', ...whole)).toMatchObject({ code: 0 });
  expect(await resume('two-threads')).toMatchObject({ code: 0, stderr: expect.not.stringContaining('rounding') });
  await expectSame('two-threads', 'one-thread');
  expect(await resume('two-threads-plain', '--exact')).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('trained on cpu, 1 threads until now, on cpu, 2 threads from here'),
  });
});

test('checkpoints inside an epoch change nothing, and a killed run goes on from the newest', async () => {
  // Some ten a second.
  const often = ['--checkpoint-every', '0.0015'];
  expect(await train('--name', 'often-whole', ...ARGS, ...often)).toMatchObject({ code: 0 });
  await expectSame('often-whole', 'whole');
  const saved = (event: Json): boolean => event.type === 'progress' && event.epoch === 2 && event.done > 200;
  expect(await interrupt('inside', 'SIGKILL', saved, often)).toMatchObject({ signal: 'SIGKILL' });
  const resumed = await chestmnist(['train', '--json', '--resume', path.join(folder(), 'inside')]);
  const first = eventsOf(resumed.stdout).find((event) => event.type === 'progress' && event.phase === 'train');
  expect(first).toMatchObject({ epoch: 2 });
  expect(first.done).toBeGreaterThan(32);
  await expectSame('inside', 'whole');
});

test('--epochs with --resume extends a finished run; the milestones stay, and that is said', async () => {
  const milestones = ['--epochs', '4', '--milestones', '1,1'];
  expect(await train('--name', 'four', ...TINY, ...milestones)).toMatchObject({ code: 0 });
  expect(await train('--name', 'two', ...TINY)).toMatchObject({ code: 0 });
  const two = path.join(folder(), 'two');
  expect(await train('--resume', two)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('ERR_NOTHING_TO_RESUME'),
  });
  const extended = await chestmnist(['train', '--resume', two, '--epochs', '4']);
  expect(extended).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('epochs 2 -> 4; the milestones stay where they were: 1, 1 (50%,75% of 2)'),
  });
  await expectSame('two', 'four');
  expect(JSON.parse((await file('two', 'config.json')).toString())).toMatchObject({ epochs: 4, milestones: [1, 1] });
  // Killed before its first epoch, it is still extended.
  const killed = start([MAIN, 'train', '--json', '--resume', two, '--epochs', '5']);
  killed.child.stdout!.on('data', (chunk: string) => chunk.includes('"phase":"train"') && killed.child.kill('SIGKILL'));
  await killed.done;
  expect(await train('--resume', two)).toMatchObject({ code: 0 });
  expect((await history('two')).length).toBe(6);
});

test('a second Ctrl-C leaves at once', async () => {
  // One step takes long, so that waiting for its end would show.
  const slow = ['--limit-train', '4096', '--batch-size', '4096', '--size', '64'];
  const { code, wait } = await interrupt('twice', 'SIGINT', (event) => event.type === 'start', slow, 2);
  expect(code).toBe(130);
  expect(wait).toBeLessThan(3000);
});

describe('what does not belong to the run is refused', () => {
  beforeAll(async () => {
    expect((await interrupt('other', 'SIGINT', (event) => event.type === 'epoch')).code).toBe(130);
  });

  test.each([
    [['--epochs', '1', '--gamma', '0.5'], 'gamma is 0.5'],
    [['--stem', 'cifar'], 'stem is "cifar"'],
    [['--lr', '0.1', '--seed', '3'], 'lr is 0.1; seed is 3'],
    [['--limit-train', '500'], 'limitTrain is 500'],
  ])('%j', async (args, found) => {
    const { code, stderr } = await train('--resume', path.join(folder(), 'other'), ...args);
    expect(code).toBe(2);
    expect(stderr).toContain('ERR_CHECKPOINT_INCOMPATIBLE');
    expect(stderr).toContain(found);
  });

  test('other data, told by their MD5', async () => {
    const other = path.join(folder(), 'other.npz');
    await npz(folder(), 'other.npz', arrays(512, 64, 64));
    const { code, stderr } = await train('--resume', path.join(folder(), 'other'), '--data', other);
    expect(code).toBe(2);
    expect(stderr).toMatch(/ERR_CHECKPOINT_INCOMPATIBLE[^]*MD5/);
  });

  test('the same options said again are accepted, and the run was left as it was', async () => {
    expect(await train('--resume', path.join(folder(), 'other'), ...ARGS)).toMatchObject({ code: 0 });
    await expectSameAsWhole('other');
  });
});
