/**
 * Which device a run uses. `auto` takes CUDA when it can be used and otherwise says in one line why not; CUDA asked for
 * by name is used or refused, never replaced.
 */
import { ChestMnistError } from './errors';
import { native, type CudaStatus } from './native';

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
  if (requested === 'auto') {
    return status.available ? { device: 'cuda' } : { device: 'cpu', note: `device: cpu, since ${reasonText(status)}` };
  }
  const index = requested.includes(':') ? Number(requested.slice(5)) : 0;
  if (!status.available || index >= status.devices.length) {
    throw new ChestMnistError(
      'ERR_CUDA_UNAVAILABLE',
      {
        found: status.available
          ? `${requested}, but this machine has ${status.devices.length} CUDA device(s)`
          : `${requested}, but ${reasonText(status)}`,
        needed: status.available
          ? `a device below cuda:${status.devices.length}`
          : REMEDY[status.reason ?? 'no-device'],
        next: 'chestmnist doctor, or run with --device cpu',
      },
      { reason: status.available ? 'no-device' : (status.reason ?? 'no-device') },
    );
  }
  return { device: requested };
}

const REMEDY = {
  'cpu-build': 'a CUDA build of LibTorch (chestmnist setup --cuda)',
  'no-driver': 'an NVIDIA driver',
  'driver-too-old': 'a newer NVIDIA driver',
  'no-device': 'a visible CUDA device (see CUDA_VISIBLE_DEVICES)',
} as const;

/** A device that a CPU build leaves unused; empty when there is none. */
export const unusedDevice = ({ reason, devices }: CudaStatus): string | undefined =>
  reason === 'cpu-build' ? devices.at(0)?.name : undefined;

function reasonText(status: CudaStatus): string {
  switch (status.reason) {
    case 'cpu-build':
      return unusedDevice(status) === undefined
        ? 'this LibTorch is a CPU build'
        : `this LibTorch is a CPU build; ${unusedDevice(status)} is here, and npx chestmnist setup --cuda makes it usable`;
    case 'no-driver':
      return 'no NVIDIA driver was found';
    case 'driver-too-old':
      return `the NVIDIA driver supports CUDA ${status.driver ?? 'of an older version'} and LibTorch was built with ${status.builtWith ?? 'a newer one'}`;
    case 'no-device':
    case undefined:
      return 'no CUDA device was found';
  }
}
