/**
 * Set-up: a LibTorch that this package can use, the link to it, and an addon that fits it. Running it again changes
 * nothing and is quick; killed at any moment, the next run repairs. Not here: the command line (cli/setup.ts).
 */
import { existsSync, lstatSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { writeError, writing } from '../base/disk';
import { ChestMnistError } from '../base/errors';
import { findAddon, findAddons, fitting, releasesOf, sourceHash, type Addon } from './addon';
import { buildAddon } from './build';
import { choose, isNamed, type Broken } from './choose';
import { cudaObstacle } from './cuda';
import type { LibTorch } from './inspect';
import { resolveAddon, type Resolved } from './load';
import { isSame } from './locate';
import { withLock } from '../base/lock';
import { CUDA_SIZES } from './obtain';
import { checkPlatform } from './platform';
import { load, type Loaded } from './probe';
import { libtorchLink, PACKAGE_ROOT, SETUP_COMMAND } from './versions';

export interface SetupOptions {
  /** Insist on a CUDA build of LibTorch; gets a large download when there is none. */
  cuda?: boolean;
  /** A torch wheel or LibTorch zip on this machine to take LibTorch from, instead of looking for one. */
  from?: string;
  /** Build the addon even when the one there fits. */
  rebuild?: boolean;
  /** Lines for people: what is being done. */
  log?: (line: string) => void;
  /** Everything the build prints. */
  verbose?: (line: string) => void;
  signal?: AbortSignal;
}

export interface SetupResult {
  libtorch: LibTorch;
  /** Absolute path of the addon. */
  addon: string;
  /** True when this call built it. */
  built: boolean;
}

/**
 * Finds or gets LibTorch, links it, and builds the addon unless one that fits is there. Two calls at once wait for each
 * other. Throws ERR_PLATFORM_UNSUPPORTED, ERR_LIBTORCH_NOT_FOUND (each source with its reason), ERR_LIBTORCH_MISMATCH,
 * ERR_NATIVE_MISSING, ERR_BUILD, ERR_CONFIG, and ERR_DISK or ERR_OUTPUT when the package or the cache cannot be written.
 */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  const { log = () => undefined, signal } = options;
  checkPlatform();
  if (options.from !== undefined && process.env.CHESTMNIST_LIBTORCH) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--from ${options.from}, and CHESTMNIST_LIBTORCH=${process.env.CHESTMNIST_LIBTORCH}, which every run would take`,
      needed: 'one of them',
      next: 'unset CHESTMNIST_LIBTORCH, then the same command',
    });
  }
  const root = PACKAGE_ROOT;
  const blocked = unwritable(root);
  const waiting = (holder: string): void => log(`waiting for another setup of this package: ${holder}`);
  const work = async (): Promise<SetupResult> => {
    const addons = await writing(root, () => usableAddons(root, options), AGAIN);
    const { libtorch, addon, built, loaded } = await firstThatLoads(root, addons, blocked, options);
    if (!blocked) await writing(root, () => link(root, libtorch.directory), AGAIN);
    confirmUsed(root, libtorch);
    const obstacle = cudaObstacle(loaded.cuda);
    if (obstacle?.unused)
      log(`${obstacle.unused} stays unused by this CPU build: ${obstacle.remedy}, which ${CUDA_SIZES}`);
    return { libtorch, addon: addon.file, built };
  };
  // A package that another user installed can be used with a LibTorch of one's own, as long as nothing is to be built.
  if (blocked) return work();
  return withLock(path.join(root, 'build', 'setup.lock'), work, { waiting, signal, next: AGAIN });
}

const AGAIN = { then: 'the same command again' };

/** A LibTorch and an addon that were loaded together. */
interface Ready {
  libtorch: LibTorch;
  addon: Addon;
  built: boolean;
  loaded: Loaded;
}

/**
 * Tries one LibTorch after the other: only one that loads may be linked, or the next set-up would find it first again.
 * Each is tried once, and once more with an addon built for it.
 */
async function firstThatLoads(
  root: string,
  addons: readonly Addon[],
  blocked: Error | undefined,
  options: SetupOptions,
): Promise<Ready> {
  const { log = () => undefined, cuda = false, from, signal } = options;
  let broken: Broken[] = [];
  for (;;) {
    const { libtorch, build } = await choose({ root, addons, broken, cuda, from, log, signal });
    log(`LibTorch ${libtorch.version} in ${libtorch.directory} (${libtorch.source})`);
    const there = build ? undefined : fitting(addons, libtorch);
    const addon = there ?? (await buildFor(libtorch, { root, addons, blocked }, options));
    const loaded = await tryLoading({ addon, libtorch });
    if (!(loaded instanceof ChestMnistError)) return { libtorch, addon, built: !there, loaded };
    log(`it does not load here: ${loaded.found}`);
    // Building does not mend a LibTorch that is not whole.
    const mendable = there !== undefined && loaded.code !== 'ERR_LIBTORCH_NOT_FOUND';
    const tried = broken.find((one) => isSame(one.libtorch.directory, libtorch.directory));
    if ((tried && !tried.mendable) || (isNamed(from) && !mendable)) throw loaded;
    broken = [...broken.filter((one) => one !== tried), { libtorch, error: loaded, mendable }];
  }
}

async function buildFor(
  libtorch: LibTorch,
  { root, addons, blocked }: { root: string; addons: readonly Addon[]; blocked: Error | undefined },
  { log = () => undefined, verbose, signal }: SetupOptions,
): Promise<Addon> {
  if (blocked) throw blocked;
  const logFile = path.join(root, 'build', 'build.log');
  const why =
    addons.length > 0 && !fitting(addons, libtorch) ? `the addon here is for LibTorch ${releasesOf(addons)}, ` : '';
  log(`${why}building the addon: takes CMake, a C++20 compiler and about a minute; log in ${logFile}`);
  return buildAddon({ root, libtorch, ...(verbose ? { verbose } : {}), ...(signal ? { signal } : {}) });
}

/** Loads in a process of its own; the error when it does not load. */
async function tryLoading(resolved: Resolved): Promise<Loaded | ChestMnistError> {
  try {
    return await load(resolved);
  } catch (error) {
    if (error instanceof ChestMnistError) return error;
    throw error;
  }
}

/** What was set up has to be what a run finds, or the way out is told: ERR_LIBTORCH_MISMATCH. */
function confirmUsed(root: string, { directory, version, source }: LibTorch): void {
  let used = 'none';
  try {
    used = resolveAddon(root).libtorch.directory;
  } catch (error) {
    if (!(error instanceof ChestMnistError)) throw error;
  }
  if (isSame(used, directory)) return;
  const place = libtorchLink(root);
  const byHand = lstatSync(place, { throwIfNoEntry: false })?.isDirectory();
  throw new ChestMnistError('ERR_LIBTORCH_MISMATCH', {
    found: `LibTorch ${version} in ${directory} (${source}) loads, but a run would take ${used}`,
    needed: `the link ${place} to it, which ${byHand ? 'is a folder' : 'could not be made'}, or a variable that names it`,
    next: byHand
      ? `move ${place} away, then ${SETUP_COMMAND}`
      : `set CHESTMNIST_LIBTORCH=${directory} whenever chestmnist is used; or, as the user who installed the package, ${SETUP_COMMAND}`,
  });
}

/** The addons here, but for those whose sources changed; none when one is to be built anyway. What a killed build left is taken away. */
function usableAddons(root: string, { rebuild }: SetupOptions): Addon[] {
  // It would hide the prebuilt one.
  const partial = path.join(root, 'build', 'Release', 'chestmnist.node');
  if (!findAddon(root) && existsSync(partial)) rmSync(partial);
  const current = sourceHash(root);
  return rebuild ? [] : findAddons(root).filter(({ sources }) => sources === current);
}

/** The error to end with when something has to be written into a package that cannot be written. */
function unwritable(root: string): Error | undefined {
  try {
    mkdirSync(path.join(root, 'build'), { recursive: true });
    const probe = path.join(root, 'build', `.${process.pid}`);
    mkdirSync(probe);
    rmSync(probe, { recursive: true });
    return undefined;
  } catch (error) {
    const isForbidden = ['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
    return writeError(error, `${root}, where the addon has to be built,`, {
      ...AGAIN,
      ...(isForbidden && { instead: `as the user who installed the package: ${SETUP_COMMAND}` }),
    }) as Error;
  }
}

/** Points the package's link at `directory`; true when that changed something. A folder put there by hand is left alone. */
export function link(root: string, directory: string): boolean {
  const place = libtorchLink(root);
  const there = lstatSync(place, { throwIfNoEntry: false });
  if (there?.isDirectory()) return false;
  if (isSame(place, directory)) return false;
  const fresh = `${place}.${process.pid}`;
  rmSync(fresh, { force: true });
  symlinkSync(realpathSync(directory), fresh, 'junction');
  if (process.platform === 'win32') rmSync(place, { force: true }); // cannot be renamed over there
  renameSync(fresh, place);
  return true;
}
