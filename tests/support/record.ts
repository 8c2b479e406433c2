import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exists } from '../../src/base/atomic';
import { runFiles, SCORED_SPLITS } from '../../src/run/directory';
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

/** Puts an empty file where a finished run has one and `directory` does not, for tests that look only whether it is there. */
export async function fillIn(directory: string): Promise<void> {
  const { config, run, history, metrics, best, last, scored } = runFiles(directory);
  for (const file of [config, run, history, metrics, best, last, ...SCORED_SPLITS.map(scored)]) {
    await mkdir(path.dirname(file), { recursive: true });
    if (!(await exists(file))) await writeFile(file, '');
  }
}
