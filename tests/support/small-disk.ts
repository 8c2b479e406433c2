/** A file system of its own, so that it can be full or read-only: a tmpfs, which takes root on Linux. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export interface SmallDisk {
  readonly path: string;
  /** Mounts it again, e.g. with `ro` or `size=2m`. */
  readonly remount: (options: string) => void;
}

const mount = (...args: string[]): boolean => spawnSync('mount', args).status === 0;

/** Mounts one of `size` (as tmpfs takes it) until the tests of the file end; undefined where that cannot be done. */
export function smallDisk(size: string): SmallDisk | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'chestmnist-disk-'));
  const mounted = mount('-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder);
  afterAll(() => {
    if (mounted) spawnSync('umount', [folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  if (!mounted) return undefined;
  return {
    path: folder,
    remount: (options) => {
      if (!mount('-o', `remount,${options}`, folder)) throw new Error(`${folder} cannot be mounted again: ${options}`);
    },
  };
}
