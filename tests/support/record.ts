import type { RunFile } from '../../src/run/record';

/** run.json of a finished run. */
export const RECORD: RunFile = {
  ...{ status: 'finished', versions: { chestmnist: '0.1.0', node: '20.0.0', libtorch: '2.13.0', cuda: null } },
  ...{ device: 'cpu', device_name: 'a CPU', threads: 2, cpu_capability: 'AVX2', platform: 'linux-x64' },
  data: {
    name: 'chestmnist',
    size: 28,
    md5: 'd41d8cd98f00b204e9800998ecf8427e',
    counts: { train: 2, val: 120, test: 160 },
    path: null,
  },
  ...{ started: '2026-01-02T03:04:05.000Z', resumed: [], ended: '2026-01-02T03:05:05.000Z', seconds: 60 },
  ...{ peak_rss_bytes: null, argv: ['node', 'chestmnist'], best_epoch: 2, epochs: 3 },
};
