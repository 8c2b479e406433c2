/**
 * Explains why CUDA cannot be used here and how to make it usable. No other file does. Not here: asking the addon
 * (engine/), choosing a device (engine/device.ts).
 */
import type { CudaUnavailableReason } from '../base/errors';
import { PINNED_CUDA, SETUP_COMMAND } from './versions';

/** What the addon reports about CUDA. */
export interface CudaStatus {
  available: boolean;
  /** Set when not available. */
  reason?: CudaUnavailableReason;
  /** CUDA version LibTorch was built with, e.g. `13.0`; absent for a CPU build. */
  builtWith?: string;
  /** CUDA version the driver supports, e.g. `12.8`. */
  driver?: string;
  /** Why steps are launched kernel by kernel instead of recorded as CUDA graphs; absent when they can be recorded. */
  noGraphs?: string;
  /** The devices that the driver shows, whether or not LibTorch can use them; memory in bytes. */
  devices: { index: number; name: string; totalMemory: number }[];
}

/** Why CUDA cannot be used, and what is needed to use it. */
export interface CudaObstacle {
  reason: CudaUnavailableReason;
  /** A clause, such as `no NVIDIA driver was found`. */
  why: string;
  /** What makes it usable, such as `an NVIDIA driver`. */
  remedy: string;
  /** The GPU that stays unused for this reason. */
  unused?: string;
}

/** Undefined when CUDA can be used. */
export function cudaObstacle(status: CudaStatus): CudaObstacle | undefined {
  if (status.available) return undefined;
  const { driver, builtWith, devices } = status;
  const reason = status.reason ?? 'no-device';
  switch (reason) {
    case 'cpu-build': {
      const command = `${SETUP_COMMAND} --cuda`;
      if (devices.length === 0) return { reason, why: 'this LibTorch is a CPU build', remedy: command };
      const tooOld = driver !== undefined && Number.parseInt(driver, 10) < Number.parseInt(PINNED_CUDA, 10);
      const remedy = tooOld ? `a driver for CUDA ${PINNED_CUDA} (this one is for ${driver}) and ${command}` : command;
      const unused = devices[0].name;
      return { reason, why: `this LibTorch is a CPU build, which leaves ${unused} unused`, remedy, unused };
    }
    case 'no-driver':
      return { reason, why: 'no NVIDIA driver was found', remedy: 'an NVIDIA driver' };
    case 'driver-too-old':
      return {
        reason,
        why: `the NVIDIA driver supports CUDA ${driver ?? 'of an older version'} and LibTorch was built with ${builtWith ?? 'a newer one'}`,
        remedy: `an NVIDIA driver for CUDA ${builtWith ?? PINNED_CUDA}`,
      };
    case 'no-device':
      return {
        reason,
        why: 'the NVIDIA driver shows no device',
        remedy: 'a visible CUDA device (see CUDA_VISIBLE_DEVICES)',
      };
  }
}
