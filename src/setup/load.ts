/**
 * The only place that loads the addon. What files can show (is it there, does it fit the LibTorch) is checked before
 * the dynamic linker runs, since the linker's messages name a symbol and not the remedy.
 */
import path from 'node:path';
import { existsSync, readFileSync } from 'node:fs';
import { checkCurrentFolder, shortage } from '../base/disk';
import { ChestMnistError } from '../base/errors';
import { findAddons, fitting, releasesOf, type Addon } from './addon';
import type { LibTorch } from './inspect';
import { checkLoaded, hidden, preload, variableLeadingTo } from './libraries';
import { locateSetUp, type Failure } from './locate';
import { checkPlatform } from './platform';
import { MANIFEST, PACKAGE_ROOT, SETUP_COMMAND } from './versions';

/** An addon and the LibTorch it runs on. */
export interface Resolved {
  addon: Addon;
  libtorch: LibTorch;
}

/**
 * The addon's exports. Throws ERR_PLATFORM_UNSUPPORTED, ERR_NATIVE_MISSING, ERR_LIBTORCH_NOT_FOUND,
 * ERR_LIBTORCH_MISMATCH, ERR_RESOURCES, or ERR_CONFIG without a current folder. Loading takes about a second: LibTorch is large.
 */
export function loadAddon({ addon, libtorch }: Resolved = resolveAddon()): unknown {
  try {
    checkCurrentFolder();
    checkLoaded(libtorch);
    preload(libtorch);
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    const exports: unknown = require(addon.file);
    checkLoaded(libtorch);
    return exports;
  } catch (error) {
    throw error instanceof ChestMnistError ? error : explain(error, addon, libtorch);
  }
}

/** The addon and the LibTorch it will run on, both checked by their files. Throws the errors of loadAddon. */
export function resolveAddon(root = PACKAGE_ROOT, env = process.env): Resolved {
  checkPlatform();
  const addons = findAddons(root);
  if (addons.length === 0) {
    checkPlace(root);
    throw new ChestMnistError('ERR_NATIVE_MISSING', {
      found: `chestmnist is installed in ${root}, but has no native addon for ${process.platform}-${process.arch} yet`,
      needed: 'the addon and LibTorch, which one command sets up',
      next: SETUP_COMMAND,
    });
  }
  const releases = releasesOf(addons);
  const failures: Failure[] = [];
  const refuse = (libtorch: LibTorch): string | undefined =>
    fitting(addons, libtorch)
      ? undefined
      : `LibTorch ${libtorch.version} in ${libtorch.directory}, but the addon was built for ${releases}`;
  const libtorch = locateSetUp({ root, env, refuse }, failures);
  const addon = libtorch && fitting(addons, libtorch);
  if (addon) return { addon, libtorch };
  const mismatch = failures.find(({ reason }) => reason.includes('the addon was built for'));
  throw new ChestMnistError(mismatch ? 'ERR_LIBTORCH_MISMATCH' : 'ERR_LIBTORCH_NOT_FOUND', {
    found:
      mismatch?.reason ??
      `LibTorch is not set up yet (${failures.map(({ source, reason }) => `${source}: ${reason}`).join('; ')})`,
    needed: `LibTorch ${releases}, for which the addon was built`,
    next: SETUP_COMMAND,
  });
}

/** Throws ERR_NATIVE_MISSING, with the bundler's setting, when a bundler moved this code out of the package. */
function checkPlace(root: string): void {
  let name: unknown;
  try {
    name = (JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { name?: unknown }).name;
  } catch {
    // No package.json: not the package's folder.
  }
  if (name === 'chestmnist') return;
  throw new ChestMnistError('ERR_NATIVE_MISSING', {
    found: `the code of chestmnist is outside of its package, which is not in ${root}; it seems to be bundled`,
    needed: 'the package in node_modules, since its native addon cannot be bundled',
    next: 'mark chestmnist as external: esbuild --external:chestmnist, webpack externals, Next.js serverExternalPackages',
  });
}

/** What to remove: the LibTorch, in the user's cache together with the manifest that marks it as complete. */
const entryOf = ({ directory }: LibTorch): string =>
  existsSync(path.join(directory, '..', MANIFEST)) ? path.dirname(directory) : directory;

/** Whether the addresses of this process are limited (ulimit -v), which LibTorch's libraries take half a gigabyte of. */
function hasAddressLimit(): boolean {
  try {
    return !/^Max address space +unlimited/m.test(readFileSync('/proc/self/limits', 'utf8'));
  } catch {
    return false;
  }
}

/** An error with the dynamic linker's message, what it means and what to do. */
export function explain(error: unknown, addon: Addon, libtorch: LibTorch): ChestMnistError {
  const message = error instanceof Error ? error.message : String(error);
  const what = `${addon.file} with LibTorch ${libtorch.version} in ${libtorch.directory} (${libtorch.source}): ${message}`;
  // The dynamic linker has one message for a lack of addresses and for a file system without programs.
  const isUnmapped = /failed to map segment/.test(message);
  const short = shortage(isUnmapped && hasAddressLimit() ? `${message}: cannot allocate memory` : message, what, error);
  if (short) return short;
  const files = message.match(/\/[^\s:'"`()]+/g) ?? [];
  const inFront = files.find((file) => variableLeadingTo(file) !== undefined && !file.startsWith(libtorch.directory));
  if (inFront !== undefined) return hidden(inFront, libtorch, error);
  if (isUnmapped) {
    return new ChestMnistError(
      'ERR_NATIVE_MISSING',
      {
        found: what,
        needed: 'a file system from which programs may be run: this one may be mounted with noexec',
        next: `mount it without noexec; or, on another one, XDG_CACHE_HOME=FOLDER ${SETUP_COMMAND}, and keep the variable set`,
      },
      { cause: error },
    );
  }
  if (/GLIBC(XX)?_\d|CXXABI_\d/.test(message)) {
    return new ChestMnistError(
      'ERR_PLATFORM_UNSUPPORTED',
      {
        found: what,
        needed:
          'a newer C or C++ library than this system has: LibTorch needs glibc 2.28, the prebuilt addon glibc 2.34 and the libstdc++ of GCC 12',
        next: `build the addon here: ${SETUP_COMMAND} --rebuild (needs CMake and a C++20 compiler); or use a newer system, such as Debian 12`,
      },
      { cause: error },
    );
  }
  if (
    /file too short|invalid ELF header|cannot map|truncated/i.test(message) &&
    !message.includes(path.basename(addon.file))
  ) {
    return new ChestMnistError(
      'ERR_LIBTORCH_NOT_FOUND',
      {
        found: what,
        needed: 'a LibTorch with whole files',
        next: `remove ${entryOf(libtorch)}, then ${SETUP_COMMAND}`,
      },
      { cause: error },
    );
  }
  if (/undefined symbol|symbol not found|procedure could not be found/i.test(message)) {
    return new ChestMnistError(
      'ERR_LIBTORCH_MISMATCH',
      { found: what, needed: 'an addon built against this LibTorch', next: `${SETUP_COMMAND} --rebuild` },
      { cause: error },
    );
  }
  if (/cannot open shared object|Library not loaded|module could not be found/i.test(message)) {
    return new ChestMnistError(
      'ERR_LIBTORCH_NOT_FOUND',
      {
        found: what,
        needed: 'every library LibTorch depends on',
        next: `${SETUP_COMMAND}, then npx chestmnist doctor`,
      },
      { cause: error },
    );
  }
  return new ChestMnistError(
    'ERR_NATIVE_MISSING',
    { found: what, needed: 'an addon that loads', next: `${SETUP_COMMAND} --rebuild` },
    { cause: error },
  );
}
