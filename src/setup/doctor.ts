/**
 * What set-up finds on this machine and whether training can run, as data. It changes nothing; LibTorch is loaded in a
 * process of its own, so that a crash of it is a finding and not the end. Not here: wording (cli/doctor.ts).
 */
import { readdirSync, statSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import path from 'node:path';
import { CHESTMNIST } from '../data/catalogue';
import { withoutCredentials } from '../base/download';
import { cacheDirectory } from '../base/folders';
import { findDataFile } from '../data/places';
import { ChestMnistError, type ErrorCode } from '../base/errors';
import type { CudaStatus } from './cuda';
import { version } from '../base/version';
import { findAddons, sourceHash, type Addon } from './addon';
import type { LibTorch } from './inspect';
import { locateSetUp, type Failure } from './locate';
import { resolveAddon } from './load';
import { load, type Loaded } from './probe';
import { thisPlatform, type Platform } from './platform';
import { PACKAGE_ROOT } from './versions';

/** A part that does not work. */
export interface Problem {
  code: ErrorCode;
  found: string;
  needed: string;
  next: string;
}

export interface DoctorReport {
  /** The package itself. */
  chestmnist: { version: string; path: string };
  node: { version: string; path: string };
  platform: Platform;
  cpu: { model: string; threads: number; /** e.g. `AVX2`; when the addon loads. */ capability?: string };
  memory: { bytes: number };
  /** Variables that matter here and are set; of proxies only that they are, since they may hold a password. */
  environment: Record<string, string>;
  /** The addon's file and what it was built against; `current` is false when its sources changed since. */
  addon?: Addon & { current: boolean };
  /** LibTorch by its files; `loaded` is what it says of itself once loaded. */
  libtorch?: LibTorch & { loaded?: string };
  /** Sources of LibTorch that were looked at in vain. */
  looked: Failure[];
  cuda?: CudaStatus;
  /** ChestMNIST files found, by size in pixels. */
  data: { size: number; path: string; bytes: number }[];
  caches: { path: string; bytes: number }[];
  /** Why training cannot run; absent when it can. */
  problem?: Problem;
  usable: boolean;
  /** The next command. */
  next: string;
}

/** Examines the installation. Never throws for what it finds wrong. */
export async function doctor(): Promise<DoctorReport> {
  const looked: Failure[] = [];
  let addon = findAddons(PACKAGE_ROOT).at(0);
  let problem: Problem | undefined;
  let libtorch: LibTorch | undefined;
  let loaded: Loaded | undefined;
  try {
    libtorch = locateSetUp({ root: PACKAGE_ROOT, env: process.env }, looked);
    ({ addon, libtorch } = resolveAddon());
    loaded = await load({ addon, libtorch });
  } catch (error) {
    if (!(error instanceof ChestMnistError)) throw error;
    problem = { code: error.code, found: error.found, needed: error.needed, next: error.next };
  }
  const data = findData();
  return {
    chestmnist: { version, path: PACKAGE_ROOT },
    node: { version: process.version, path: process.execPath },
    platform: thisPlatform(),
    cpu: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      threads: availableParallelism(),
      ...(loaded ? { capability: loaded.capability } : {}),
    },
    memory: { bytes: totalmem() },
    environment: environment(),
    ...(addon ? { addon: { ...addon, current: addon.sources === sourceHash(PACKAGE_ROOT) } } : {}),
    ...(libtorch ? { libtorch: { ...libtorch, ...(loaded ? { loaded: loaded.version } : {}) } } : {}),
    looked,
    ...(loaded ? { cuda: loaded.cuda } : {}),
    data,
    caches: [{ path: cacheDirectory(), bytes: bytesUnder(cacheDirectory()) }].filter(({ bytes }) => bytes > 0),
    ...(problem ? { problem } : {}),
    usable: problem === undefined,
    next:
      problem?.next ??
      (data.length > 0
        ? 'npx chestmnist train'
        : 'npx chestmnist train --data synthetic --limit-train 2000 --epochs 5, or npx chestmnist data fetch'),
  };
}

const VARIABLE =
  /^(CHESTMNIST_\w+|XDG_CACHE_HOME|CUDA_VISIBLE_DEVICES|LD_LIBRARY_PATH|LD_PRELOAD|(OMP|MKL)_NUM_THREADS|PIP_\w+|(https?|no|all)_proxy)$/i;

function environment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value && VARIABLE.test(name) ? [[name, /proxy$|^pip_/i.test(name) ? 'set' : shown(value)]] : [],
    ),
  );
}

/** An address without the password that may be in it. */
const shown = (value: string): string => (/^\w+:\//.test(value) ? withoutCredentials(value) : value);

function findData(): DoctorReport['data'] {
  return CHESTMNIST.files.flatMap(({ size, file }) => {
    const found = findDataFile(file);
    return found ? [{ size, path: found, bytes: statSync(found).size }] : [];
  });
}

/** Bytes of all files under a folder that can be read; links are not followed. Another process may change it meanwhile. */
function bytesUnder(folder: string): number {
  try {
    return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) return sum + bytesUnder(file);
      return sum + (entry.isFile() ? (statSync(file, { throwIfNoEntry: false })?.size ?? 0) : 0);
    }, 0);
  } catch {
    return 0;
  }
}
