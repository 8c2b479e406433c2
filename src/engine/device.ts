/**
 * Chooses the device of a run. `auto` uses CUDA when it can and otherwise explains in one line why not. CUDA requested
 * by name is used or refused, never replaced. Not here: why CUDA cannot be used (setup/cuda.ts).
 */
import { ChestMnistError } from '../base/errors';
import { cudaObstacle } from '../setup/cuda';
import { native } from './addon';

export interface Device {
  /** `cpu`, `cuda` or `cuda:N`. */
  readonly device: string;
  /** Why `auto` chose the CPU. */
  readonly note?: string;
}

/** Resolves `auto`, `cpu`, `cuda` or `cuda:N`. Throws ERR_CUDA_UNAVAILABLE with its `reason`. */
export function resolveDevice(requested: string): Device {
  if (requested === 'cpu') return { device: 'cpu' };
  const status = native().cudaStatus();
  const obstacle = cudaObstacle(status);
  if (requested === 'auto') {
    if (!obstacle) return { device: 'cuda' };
    const { why, unused, remedy } = obstacle;
    return { device: 'cpu', note: `device: cpu, since ${why}${unused ? ` (to use it: ${remedy})` : ''}` };
  }
  const next = 'npx chestmnist doctor, or run with --device cpu';
  if (obstacle) {
    const { reason, why, remedy } = obstacle;
    const parts = { found: `${requested}, but ${why}`, needed: remedy, next };
    throw new ChestMnistError('ERR_CUDA_UNAVAILABLE', parts, { reason });
  }
  const count = status.devices.length;
  if (requested.includes(':') && Number(requested.slice(5)) >= count) {
    const found = `${requested}, but this machine has ${count} CUDA device${count === 1 ? '' : 's'}`;
    const parts = { found, needed: `a device below cuda:${count}`, next };
    throw new ChestMnistError('ERR_CUDA_UNAVAILABLE', parts, { reason: 'no-device' });
  }
  return { device: requested };
}
