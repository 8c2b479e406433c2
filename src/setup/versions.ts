/**
 * The LibTorch versions that this package works with, and the paths that set-up uses. Not here: finding or downloading
 * one (locate.ts, obtain.ts).
 */
import path from 'node:path';
import { cacheDirectory, knownCache } from '../base/folders';

/** The package's own folder; the same depth from src/setup and dist/setup. */
export const PACKAGE_ROOT = path.resolve(__dirname, '..', '..');

/** The LibTorch that set-up downloads when none is usable: the CPU build, and with --cuda the CUDA build. */
export const PINNED = { cpu: '2.13.0', cuda: '2.14.1' } as const;

/** The CUDA version of that build: the driver has to support its major version. */
export const PINNED_CUDA = '13.0';

/** The oldest LibTorch whose C++ interface the addon is written for. */
export const OLDEST = '2.11.0';

/** The one command that repairs every state of the installation. */
export const SETUP_COMMAND = 'npx chestmnist setup';

/** The folder of what set-up downloads or extracts: `<cache>/libtorch/<version>-<flavour>/torch`. */
export const libtorchCache = (): string => path.join(cacheDirectory(), 'libtorch');

/** The same for messages, which are printed without a home too. */
export const libtorchCacheText = (): string =>
  knownCache() === undefined ? 'the cache (none: there is no home folder)' : libtorchCache();

/** The file that marks a directory of the cache as complete and records its version and source. */
export const MANIFEST = 'libtorch.json';

/** The link in the package by which the addon's run path finds LibTorch. */
export const libtorchLink = (root: string): string => path.join(root, 'libtorch');

/** `2.13.0+cpu` -> `2.13.0`: the part that must match between an addon and a LibTorch. */
export const releaseOf = (version: string): string => version.split('+')[0];

/** True when `version` is not older than `oldest`, by its numbers. */
export function atLeast(version: string, oldest: string): boolean {
  const numbers = (text: string): number[] =>
    releaseOf(text)
      .split('.')
      .map((part) => Number.parseInt(part, 10) || 0);
  const [a, b] = [numbers(version), numbers(oldest)];
  for (let i = 0; i < 3; i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) > (b[i] ?? 0);
  }
  return true;
}
