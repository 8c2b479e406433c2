/**
 * Which device a run uses. `auto` takes CUDA when it can be used and otherwise says in one line why not; CUDA asked for
 * by name is used or refused, never replaced.
 */
import { ChestMnistError } from '../base/errors';
import { native, type CudaStatus } from './addon';
import { PINNED_CUDA, SETUP_COMMAND } from '../setup/versions';

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

/** A device that a CPU build leaves unused, and what makes it usable; undefined when there is none. */
export function unusedDevice({ reason, devices, driver }: CudaStatus): { name: string; remedy: string } | undefined {
  if (reason !== 'cpu-build' || devices.length === 0) return undefined;
  const command = `${SETUP_COMMAND} --cuda`;
  const tooOld = driver !== undefined && Number.parseInt(driver, 10) < Number.parseInt(PINNED_CUDA, 10);
  const remedy = tooOld ? `a driver for CUDA ${PINNED_CUDA} (this one is for ${driver}) and ${command}` : command;
  return { name: devices[0].name, remedy };
}

function reasonText(status: CudaStatus): string {
  const unused = unusedDevice(status);
  switch (status.reason) {
    case 'cpu-build':
      return unused === undefined
        ? 'this LibTorch is a CPU build'
        : `this LibTorch is a CPU build; ${unused.name} is here, to be made usable by ${unused.remedy}`;
    case 'no-driver':
      return 'no NVIDIA driver was found';
    case 'driver-too-old':
      return `the NVIDIA driver supports CUDA ${status.driver ?? 'of an older version'} and LibTorch was built with ${status.builtWith ?? 'a newer one'}`;
    case 'no-device':
    case undefined:
      return 'no CUDA device was found';
  }
}
