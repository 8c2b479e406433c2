/**
 * Finds the addon's file and what it was built from, which chestmnist.json in the same folder records (CMakeLists.txt
 * writes it). Nothing is loaded.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { LibTorch } from './inspect';
import { releaseOf } from './versions';

export interface Addon {
  /** Absolute path of the .node file. */
  readonly file: string;
  /** LibTorch version it was built against, e.g. `2.13.0+cpu`. */
  readonly libtorch: string;
  /** Hash of the sources it was built from. */
  readonly sources: string;
}

// node-gyp-build has no types. It looks in build/Release first, then in prebuilds/<platform>-<arch>.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const nodeGypBuild = require('node-gyp-build') as { path(root: string): string };

/**
 * The addons of the package at `root`, in order of preference: its own, then the prebuilt one for the release of the
 * CUDA LibTorch (scripts/prebuild.mjs), which has the same layout inside `cuda`.
 */
export const findAddons = (root: string): Addon[] =>
  [root, path.join(root, 'cuda')].map(findAddon).filter((addon) => addon !== undefined);

/** The addon in `root`; undefined when it or a valid chestmnist.json is missing. */
export function findAddon(root: string): Addon | undefined {
  try {
    const file = nodeGypBuild.path(root);
    const facts: unknown = JSON.parse(readFileSync(path.join(path.dirname(file), 'chestmnist.json'), 'utf8'));
    if (typeof facts !== 'object' || facts === null) return undefined;
    const { libtorch, sources } = facts as Record<string, unknown>;
    return typeof libtorch === 'string' && typeof sources === 'string' ? { file, libtorch, sources } : undefined;
  } catch {
    return undefined;
  }
}

/** The first addon that runs on `libtorch`: LibTorch's C++ interface is stable within a release only. */
export const fitting = (addons: readonly Addon[], libtorch: LibTorch): Addon | undefined =>
  addons.find((addon) => releaseOf(addon.libtorch) === releaseOf(libtorch.version));

/** The releases that the addons were built for, as text. */
export const releasesOf = (addons: readonly Addon[]): string =>
  addons.map(({ libtorch }) => releaseOf(libtorch)).join(' or ');

/** Hash of everything that the addon is built from. An addon with another hash is out of date. */
export function sourceHash(root: string): string {
  const hash = createHash('sha256');
  for (const file of ['CMakeLists.txt', ...filesUnder(root, 'native')]) {
    const text = readFileSync(path.join(root, file));
    hash.update(`${file}\0${text.length}\0`).update(text);
  }
  return hash.digest('hex').slice(0, 16);
}

function filesUnder(root: string, folder: string): string[] {
  if (!existsSync(path.join(root, folder))) return [];
  return readdirSync(path.join(root, folder))
    .sort()
    .map((name) => `${folder}/${name}`)
    .flatMap((file) => (statSync(path.join(root, file)).isDirectory() ? filesUnder(root, file) : [file]));
}
