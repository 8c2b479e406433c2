/**
 * Examines the installation: what set-up finds on this machine and whether training can run, as data. Changes nothing.
 * LibTorch is loaded in a separate process, so that its crash is reported. Not here: wording (cli/verbs/doctor.ts).
 */
import { readdirSync, statSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import path from 'node:path';
import { CHESTMNIST } from '../data/catalogue';
import { withoutCredentials } from '../base/download';
import { systemError } from '../base/disk';
import { knownCache } from '../base/folders';
import { defaultThreads } from '../base/processors';
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

/** What does not work, in the parts of an error. */
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
  cpu: {
    model: string;
    /** What a run uses without `--threads`, the limit that decides it, and variables that hold no number. */
    threads: number;
    limit: string;
    ignored: readonly string[];
    /** e.g. `AVX2`; when the addon loads. */
    capability?: string;
  };
  /** Of the machine, and what a container may use of it. */
  memory: { bytes: number; container?: number };
  /** Relevant variables that are set. The values of proxy and pip variables are not shown: they may hold a password. */
  environment: Record<string, string>;
  /** The addon's file and what it was built against; `current` is false when its sources changed since. */
  addon?: Addon & { current: boolean };
  /** LibTorch as its files describe it; `loaded` is the version that it reports once loaded. */
  libtorch?: LibTorch & { loaded?: string };
  /** Sources without a usable LibTorch. */
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

/** Examines the installation. Problems are part of the report and never thrown. */
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
    const known = systemError(error);
    if (!(known instanceof ChestMnistError)) throw error;
    problem = { code: known.code, found: known.found, needed: known.needed, next: known.next };
  }
  const data = findData();
  const cache = knownCache();
  const container = process.constrainedMemory();
  return {
    chestmnist: { version, path: PACKAGE_ROOT },
    node: { version: process.version, path: process.execPath },
    platform: thisPlatform(),
    cpu: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      ...defaultThreads(),
      ...(loaded ? { capability: loaded.capability } : {}),
    },
    memory: { bytes: totalmem(), ...(container > 0 && container < totalmem() ? { container } : {}) },
    environment: environment(),
    ...(addon ? { addon: { ...addon, current: addon.sources === sourceHash(PACKAGE_ROOT) } } : {}),
    ...(libtorch ? { libtorch: { ...libtorch, ...(loaded ? { loaded: loaded.version } : {}) } } : {}),
    looked,
    ...(loaded ? { cuda: loaded.cuda } : {}),
    data,
    caches: (cache === undefined ? [] : [{ path: cache, bytes: bytesUnder(cache) }]).filter(({ bytes }) => bytes > 0),
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
  /^(CHESTMNIST_\w+|XDG_CACHE_HOME|CUDA_VISIBLE_DEVICES|LD_LIBRARY_PATH|LD_PRELOAD|DYLD_\w+|(OMP|MKL)_NUM_THREADS|OMP_\w+|SLURM_CPUS_\w+|NCPUS|NSLOTS|LSB_DJOB_NUMPROC|PIP_\w+|(https?|no|all)_proxy)$/i;

function environment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value && VARIABLE.test(name) ? [[name, /proxy$|^pip_/i.test(name) ? 'set' : shown(value)]] : [],
    ),
  );
}

/** A value without the password that a URL may contain. */
const shown = (value: string): string => (/^\w+:\//.test(value) ? withoutCredentials(value) : value);

function findData(): DoctorReport['data'] {
  return CHESTMNIST.files.flatMap(({ size, file }) => {
    const found = findDataFile(file);
    return found ? [{ size, path: found, bytes: statSync(found).size }] : [];
  });
}

/** Bytes of all readable files under a folder, which another process may change meanwhile. Links are not followed. */
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
