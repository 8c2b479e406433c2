/** Runs that are stopped, killed and extended: what they end with is what an uninterrupted run ends with, bit for bit. */
import { existsSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadCheckpoint } from '../../src/run/checkpoint';
import { chestmnist, scratch, type Finished, type Json } from '../support/chestmnist';
import { chestmnist as inProcess } from '../support/in-process';
import { arrays, npz } from '../support/npz';
import { runsIn } from '../support/runs';

const folder = scratch();
const BARE = ['--no-report', '--resamples', '0', '--device', 'cpu', '--threads', '1'];
/** Sixteen small steps an epoch, so that a stop falls inside one. */
const ARGS = [
  ...['--data', 'synthetic', '--limit-train', '512', '--limit-val', '64', '--limit-test', '64', '--epochs', '3'],
  ...['--batch-size', '32', ...BARE],
];
const { file, history, expectSame, interrupt: interruptRun, killAtCheckpoint } = runsIn(folder);
const train = (...args: string[]): Promise<Finished> => chestmnist(['train', '--quiet', '--out', folder(), ...args]);
const interrupt = (
  run: string,
  signal: NodeJS.Signals | ((pid: number) => void | Promise<void>),
  when: (event: Json) => boolean,
  extra: string[] = [],
) => interruptRun(['--name', run, ...ARGS, ...extra], signal, when);

/** Equal to the run that was left alone, after so many continuations. */
async function expectSameAsWhole(run: string, continuations = 1): Promise<void> {
  await expectSame(run, 'whole');
  const { status, resumed }: Json = JSON.parse((await file(run, 'run.json')).toString());
  expect({ status, resumed: resumed.length }).toEqual({ status: 'finished', resumed: continuations });
}

/** Images and validation so few that an epoch is eight steps. */
const TINY = [
  ...['--data', 'synthetic', '--limit-train', '128', '--limit-val', '32', '--limit-test', '32', '--epochs', '2'],
  ...['--batch-size', '16', ...BARE],
];

/** Two runs that nothing happens to. */
beforeAll(async () => {
  expect(await train('--name', 'whole', ...ARGS)).toMatchObject({ code: 0 });
  expect(await train('--name', 'tiny', ...TINY)).toMatchObject({ code: 0 });
});

describe('stopped again and again', () => {
  const run = (): string => path.join(folder(), 'often');
  // A terminal and npm send one signal twice, systemd two kinds; no terminal is left to hang up.
  test.each([
    [['SIGINT'], 1],
    [['SIGTERM'], 2],
    [['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGHUP', 'SIGINT'], 3],
  ] as const)(
    '%j stops it at a batch boundary of epoch %i, with exit code 130 and a checkpoint',
    async (signals, epoch) => {
      const args = epoch === 1 ? ['--name', 'often', ...ARGS] : ['--resume', run()];
      const training = (event: Json): boolean =>
        event.type === 'progress' && event.phase === 'train' && event.epoch === epoch;
      const send = (pid: number): void => signals.forEach((signal) => process.kill(pid, signal));
      const stopped = await interruptRun(args, send, training);
      expect(stopped.code).toBe(130);
      const event = stopped.events.at(-1);
      expect(event).toMatchObject({
        type: 'stop',
        runDirectory: run(),
        epoch,
        resume: `npx chestmnist train --resume ${run()}`,
      });
      expect(event.samples % 32).toBe(0);
      expect(event.samples).toBeGreaterThan(0);
      expect(event.samples).toBeLessThan(512);
      expect(JSON.parse((await file('often', 'run.json')).toString())).toMatchObject({
        status: 'stopped',
        epochs: epoch - 1,
      });
    },
  );

  test('it ends as an uninterrupted run', async () => {
    const resumed = await chestmnist(['train', '--resume', run()]);
    expect(resumed).toMatchObject({ code: 0, stderr: expect.stringContaining('resumed in epoch 3 of 3') });
    expect(resumed.stdout.startsWith(`${run()}\n`)).toBe(true);
    await expectSameAsWhole('often', 3);
  });
});

test('a run that was killed is resumed from its last epoch; --resume alone finds it', async () => {
  const killed = await interrupt('killed', 'SIGKILL', (event) => event.type === 'epoch' && event.epoch === 2);
  expect(killed.signal).toBe('SIGKILL');
  expect(await train('--resume')).toMatchObject({ code: 0 });
  await expectSameAsWhole('killed');
});

/** Inside the first epoch, or on a machine that is too fast for a report of it, at its end. */
const begun = (event: Json): boolean =>
  event.type === 'epoch' || (event.type === 'progress' && event.phase === 'train');

test.each([[['--precision', 'bf16', '--resize', '32']], [['--stem', 'cifar', '--optimizer', 'adamw']]])(
  '%j is resumed as exactly',
  async (flags) => {
    const name = flags.join('-').slice(2);
    const args = [...TINY, ...flags, '--limit-train', '64', '--limit-val', '8', '--limit-test', '8'];
    expect(await train('--name', `${name}-whole`, ...args)).toMatchObject({ code: 0 });
    const stopped = await interrupt(name, 'SIGINT', begun, args);
    expect(stopped.code).toBe(130);
    expect(await train('--resume', path.join(folder(), name))).toMatchObject({ code: 0 });
    await expectSame(name, `${name}-whole`);
  },
);

test('on another number of threads it is resumed as exactly; the plain execution says what changes', async () => {
  const resume = async (name: string, ...flags: string[]) => {
    const args = [...TINY, ...flags];
    const stopped = await interrupt(name, 'SIGINT', begun, args);
    expect(stopped.code).toBe(130);
    return chestmnist(['train', '--resume', path.join(folder(), name), '--threads', '2']);
  };
  expect(await resume('two-threads')).toMatchObject({ code: 0, stderr: expect.not.stringContaining('rounding') });
  await expectSame('two-threads', 'tiny');
  expect(await resume('two-threads-plain', '--exact')).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('trained on cpu, 1 threads until now, on cpu, 2 threads from here'),
  });
});

test('checkpoints inside an epoch change nothing, and a killed run goes on from the newest', async () => {
  // One every 12 ms of training.
  const sizes = { limitTrain: 128, limitVal: 32, limitTest: 32, epochs: 2, batchSize: 16, checkpointEvery: 2e-4 };
  const options = { data: 'synthetic', ...sizes, device: 'cpu', threads: 1, report: false, resamples: 0 };
  const killed = await killAtCheckpoint('inside', { ...options, out: folder(), name: 'inside' }, 'epoch');
  expect(killed).toMatchObject({ signal: 'SIGKILL', stderr: '' });
  const inside = path.join(folder(), 'inside');
  const { position } = (await loadCheckpoint(inside)).checkpoint;
  expect(position.epoch).toBe(2);
  expect(position.samples).toBeGreaterThan(0);
  expect(position.samples).toBeLessThan(128);
  expect(await train('--resume', inside)).toMatchObject({ code: 0 });
  await expectSame('inside', 'tiny');
});

test('--epochs with --resume extends a finished run; the milestones stay, and that is said', async () => {
  const milestones = ['--epochs', '4', '--milestones', '1,1'];
  expect(await train('--name', 'four', ...TINY, ...milestones)).toMatchObject({ code: 0 });
  const two = path.join(folder(), 'two');
  await cp(path.join(folder(), 'tiny'), two, { recursive: true });
  expect(await inProcess(['train', '--resume', two])).toMatchObject({
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
  const killed = await killAtCheckpoint('two', { resume: two, epochs: 5 }, 'start');
  expect(killed).toMatchObject({ signal: 'SIGKILL', stderr: '' });
  expect(await train('--resume', two)).toMatchObject({ code: 0 });
  expect((await history('two')).length).toBe(6);
});

test('a second Ctrl-C after a second leaves at once, and run.json says so', async () => {
  // The one step of an epoch takes long: whoever waited for its end would save what it made, and say goodbye.
  const slow = ['--limit-train', '2048', '--batch-size', '2048', '--size', '64'];
  const twice = path.join(folder(), 'twice');
  const inTheStep = async (pid: number): Promise<void> => {
    while (!existsSync(path.join(twice, 'checkpoint', 'state.safetensors'))) await sleep(50);
    await sleep(1000);
    process.kill(pid, 'SIGINT');
    await sleep(1100);
    process.kill(pid, 'SIGINT');
  };
  const { code, events } = await interrupt('twice', inTheStep, (event) => event.type === 'start', slow);
  expect({ code, last: events.at(-1).type }).toEqual({ code: 130, last: 'start' });
  expect((await loadCheckpoint(twice)).checkpoint.position).toMatchObject({ epoch: 1, samples: 0 });
  expect(JSON.parse((await file('twice', 'run.json')).toString())).toMatchObject({ status: 'stopped', epochs: 0 });
  expect(existsSync(path.join(twice, 'lock'))).toBe(false);
});

test('SIGUSR1 and SIGUSR2 write a checkpoint and go on, without a debugger, and SIGHUP does nothing without a terminal', async () => {
  const send = (pid: number): void => {
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) process.kill(pid, signal);
  };
  const { code, events, stderr } = await interrupt('asked', send, (event) => event.type === 'start', TINY);
  expect({ code, last: events.at(-1).type }).toEqual({ code: 0, last: 'finish' });
  expect(stderr).not.toContain('Debugger');
  expect(stderr.match(/a checkpoint follows at the next batch/g)).toHaveLength(2);
  const written = (event: Json): boolean => /^checkpoint written in epoch \d after \d+ images$/.test(event.text);
  expect(events.some(written)).toBe(true);
  await expectSame('asked', 'tiny');
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
    const { code, stderr } = await inProcess(['train', '--resume', path.join(folder(), 'other'), ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain('ERR_CHECKPOINT_INCOMPATIBLE');
    expect(stderr).toContain(found);
  });

  test('other data, told by their MD5', async () => {
    const other = path.join(folder(), 'other.npz');
    await npz(folder(), 'other.npz', arrays(512, 64, 64));
    const { code, stderr } = await inProcess(['train', '--resume', path.join(folder(), 'other'), '--data', other]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/ERR_CHECKPOINT_INCOMPATIBLE[^]*MD5/);
  });

  test('the same options said again are accepted, and the run was left as it was', async () => {
    expect(await train('--resume', path.join(folder(), 'other'), ...ARGS)).toMatchObject({ code: 0 });
    await expectSameAsWhole('other');
  });
});
