/** The default number of threads on machines of every kind: their files are in a folder of the test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { defaultThreads, processorsToUse, threadsNotes, type Machine } from '../../../src/base/processors';

const roots: string[] = [];
afterAll(() => roots.forEach((root) => rmSync(root, { recursive: true, force: true })));

/** A machine with 64 processors, these files and these variables. */
function machine(files: Record<string, string> = {}, env: Machine['env'] = {}, allowed = 64): Machine {
  const root = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-machine-'));
  roots.push(root);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }
  return { env, root, allowed, all: 64 };
}

const V2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n';
const V1 =
  '31 23 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n' +
  '32 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n';
const v2 = (group: string, quotas: Record<string, string>, mounts = V2): Record<string, string> => ({
  'proc/self/cgroup': `0::${group}\n`,
  'proc/self/mountinfo': mounts,
  ...Object.fromEntries(
    Object.entries(quotas).map(([folder, text]) => [`sys/fs/cgroup/${folder}/cpu.max`, `${text}\n`]),
  ),
});
const v1 = (group: string, quotas: Record<string, string>, mounts = V1): Record<string, string> => ({
  'proc/self/cgroup': `9:memory:/elsewhere\n4:cpu,cpuacct:${group}\n1:name=systemd:/x\n0::/\n`,
  'proc/self/mountinfo': mounts,
  ...Object.fromEntries(
    Object.entries(quotas).flatMap(([folder, quota]) => [
      [`sys/fs/cgroup/cpu,cpuacct/${folder}/cpu.cfs_quota_us`, `${quota}\n`],
      [`sys/fs/cgroup/cpu,cpuacct/${folder}/cpu.cfs_period_us`, '100000\n'],
    ]),
  ),
});

describe('the CPU quota', () => {
  test.each<[string, Record<string, string>, number]>([
    ['version 2', v2('/pod', { pod: '400000 100000' }), 4],
    ['version 2 inside a container: its own group is the mount', v2('/', { '.': '300000 100000' }), 3],
    ['nested, the outer one smaller', v2('/a/b', { a: '200000 100000', 'a/b': '800000 100000' }), 2],
    ['nested, the inner one without', v2('/a/b', { a: '500000 100000', 'a/b': 'max 100000' }), 5],
    ['max alone', v2('/pod', { pod: 'max 100000' }), 64],
    ['2.5 processors: whole ones', v2('/pod', { pod: '250000 100000' }), 2],
    ['half a processor: one thread', v2('/pod', { pod: '50000 100000' }), 1],
    ['another period', v2('/pod', { pod: '30000 10000' }), 3],
    ['version 1', v1('/docker/abc', { 'docker/abc': '400000' }), 4],
    ['version 1, nested', v1('/a/b', { a: '300000', 'a/b': '-1' }), 3],
    ['version 1 without', v1('/a', { a: '-1' }), 64],
    [
      'version 1 in a container that sees the path of the host',
      v1('/docker/abc', { '.': '200000' }, V1.replaceAll(' / /sys', ' /docker/abc /sys')),
      2,
    ],
    [
      'a group outside of the namespace: the mount point, and no other group of that name',
      v2('/../other', { '.': '700000 100000', other: '100000 100000' }),
      7,
    ],
    [
      'a mount point with a space',
      {
        'proc/self/cgroup': '0::/pod\n',
        'proc/self/mountinfo': V2.replace('/sys/fs/cgroup', '/my\\040groups'),
        'my groups/pod/cpu.max': '600000 100000\n',
      },
      6,
    ],
    ['both versions at once', { ...v1('/a', { a: '900000' }), 'proc/self/mountinfo': V1 + V2 }, 9],
    ['files that say nothing', v2('/pod', { pod: 'x' }), 64],
    ['no such files', {}, 64],
  ])('%s', (_, files, threads) => {
    expect(defaultThreads(machine(files)).threads).toBe(threads);
  });

  test('is named with its size', () => {
    const { limit } = defaultThreads(machine(v2('/pod', { pod: '250000 100000' })));
    expect(limit).toBe('the CPU quota of this container or service (cgroup: 2.5 CPUs)');
  });
});

describe('the variables', () => {
  const SCHEDULERS = [
    'SLURM_CPUS_PER_TASK',
    'SLURM_CPUS_ON_NODE',
    'NCPUS',
    'PBS_NUM_PPN',
    'LSB_DJOB_NUMPROC',
    'NSLOTS',
  ];
  const LIBRARIES = ['OMP_NUM_THREADS', 'OMP_THREAD_LIMIT', 'MKL_NUM_THREADS'];

  test.each([...SCHEDULERS, ...LIBRARIES])('%s limits the threads and is named', (name) => {
    const there = machine({}, { [name]: '8' });
    expect(defaultThreads(there)).toEqual({ threads: 8, limit: `${name}=8`, ignored: [] });
    expect(threadsNotes(null, there)).toEqual([`threads: 8, from ${name}=8 (--threads sets another number)`]);
  });

  test.each([
    ['4,2', 4],
    [' 6 , 3 ', 6],
    ['+5', 5],
    ['100', 64],
    ['99999999999999999999', 64],
  ])('OMP_NUM_THREADS=%j is %d', (text, threads) => {
    expect(defaultThreads(machine({}, { OMP_NUM_THREADS: text }))).toMatchObject({ threads, ignored: [] });
  });

  test.each(['all', '0', '-2', '4x', '1e3', '2.5', ',4'])('OMP_NUM_THREADS=%j is ignored, and said to be', (text) => {
    const there = machine({}, { OMP_NUM_THREADS: text });
    expect(defaultThreads(there)).toEqual({
      threads: 64,
      limit: 'all processors',
      ignored: [`OMP_NUM_THREADS=${text}`],
    });
    expect(threadsNotes(undefined, there)).toEqual([expect.stringContaining(`OMP_NUM_THREADS=${text} ignored`)]);
  });

  test('one that is empty counts as none', () => {
    expect(threadsNotes(undefined, machine({}, { OMP_NUM_THREADS: '', NSLOTS: ' ' }))).toEqual([]);
  });

  test('of numeric libraries are not about the processes of a build', () => {
    expect(processorsToUse(machine({}, { OMP_NUM_THREADS: '1', NSLOTS: '16' }))).toBe(16);
  });
});

describe('of all limits the least wins', () => {
  const files = v2('/pod', { pod: '600000 100000' });
  test.each<[string, Machine['env'], number, number, RegExp]>([
    ['the quota', { OMP_NUM_THREADS: '8' }, 16, 6, /^the CPU quota/],
    ['a variable', { OMP_NUM_THREADS: '3', NSLOTS: '4' }, 16, 3, /^OMP_NUM_THREADS=3$/],
    ['the scheduler', { OMP_NUM_THREADS: '3', NSLOTS: '2' }, 16, 2, /^NSLOTS=2$/],
    ['affinity', { OMP_NUM_THREADS: '8' }, 2, 2, /CPU affinity/],
  ])('%s', (_, env, allowed, threads, limit) => {
    expect(defaultThreads(machine(files, env, allowed))).toMatchObject({
      threads,
      limit: expect.stringMatching(limit) as string,
    });
  });

  test('a number that was given needs no note', () => {
    expect(threadsNotes(16, machine(files))).toEqual([]);
  });
});
