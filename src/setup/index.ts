/**
 * Set-up: finds or downloads a LibTorch that this package can use, links it, and builds an addon if none fits. Running
 * it again is quick and changes nothing. After a set-up that was killed, the next one repairs the installation. Not
 * here: the command line (cli/verbs/setup.ts).
 */
import { existsSync, lstatSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { checkCurrentFolder, writeError, writing } from '../base/disk';
import { ChestMnistError } from '../base/errors';
import { findAddon, findAddons, fitting, releasesOf, sourceHash, type Addon } from './addon';
import { buildAddon } from './build';
import { choose, isNamed, type Broken } from './choose';
import { cudaObstacle } from './cuda';
import type { LibTorch } from './inspect';
import { checkLoaded } from './libraries';
import { resolveAddon, type Resolved } from './load';
import { isSame } from './locate';
import { withLock } from '../base/lock';
import { CUDA_SIZES } from './obtain';
import { checkPlatform } from './platform';
import { load, type Loaded } from './probe';
import { libtorchLink, PACKAGE_ROOT, SETUP_COMMAND } from './versions';

export interface SetupOptions {
  /** Require a CUDA build of LibTorch; starts a large download when none is found. */
  cuda?: boolean;
  /** A torch wheel or LibTorch zip on this machine to use, instead of searching for a LibTorch. */
  from?: string;
  /** Build the addon even if an existing one fits. */
  rebuild?: boolean;
  /** Receives a line of text for each thing that is done. */
  log?: (line: string) => void;
  /** Receives everything the build prints. */
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
 * Finds or downloads LibTorch, links it, and builds the addon unless one fits. Concurrent calls wait for each other.
 * Throws ERR_PLATFORM_UNSUPPORTED, ERR_LIBTORCH_NOT_FOUND (each source with its reason), ERR_LIBTORCH_MISMATCH,
 * ERR_NATIVE_MISSING, ERR_BUILD, ERR_CONFIG, and ERR_DISK or ERR_OUTPUT when the package or cache cannot be written.
 */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  const { log = () => undefined, signal } = options;
  checkPlatform();
  checkCurrentFolder();
  if (options.from !== undefined && process.env.CHESTMNIST_LIBTORCH) {
    throw new ChestMnistError('ERR_CONFIG', {
      found: `--from ${options.from}, and CHESTMNIST_LIBTORCH=${process.env.CHESTMNIST_LIBTORCH}, which every run would use instead`,
      needed: 'only one of them',
      next: 'unset CHESTMNIST_LIBTORCH, then run the same command again',
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
      log(`this CPU build does not use ${obstacle.unused}; to use it: ${obstacle.remedy}, which ${CUDA_SIZES}`);
    return { libtorch, addon: addon.file, built };
  };
  // A package that another user installed works with this user's LibTorch, as long as nothing has to be built.
  if (blocked) return work();
  return withLock(path.join(root, 'build', 'setup.lock'), work, { waiting, signal, next: AGAIN });
}

const AGAIN = { then: 'run the same command again' };

/** A LibTorch and an addon that were loaded together. */
interface Ready {
  libtorch: LibTorch;
  addon: Addon;
  built: boolean;
  loaded: Loaded;
}

/**
 * Tries one LibTorch after another. Only one that loads may be linked: the next set-up looks at the link first. Each is
 * tried once, and once more with an addon built for it.
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
    // A library that a variable puts in front of it is in front of every other LibTorch too.
    checkLoaded(libtorch);
    const there = build ? undefined : fitting(addons, libtorch);
    const addon = there ?? (await buildFor(libtorch, { root, addons, blocked }, options));
    const loaded = await tryLoading({ addon, libtorch });
    if (!(loaded instanceof ChestMnistError)) return { libtorch, addon, built: !there, loaded };
    log(`it does not load here: ${loaded.found}`);
    // A build does not fix an incomplete LibTorch.
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
  log(`${why}building the addon: needs CMake and a C++20 compiler, takes about a minute; log in ${logFile}`);
  return buildAddon({ root, libtorch, ...(verbose ? { verbose } : {}), ...(signal ? { signal } : {}) });
}

/** Loads the addon in a separate process; returns the error if it does not load. */
async function tryLoading(resolved: Resolved): Promise<Loaded | ChestMnistError> {
  try {
    return await load(resolved);
  } catch (error) {
    // Neither another LibTorch nor a build helps where memory or threads are lacking.
    if (error instanceof ChestMnistError && error.code !== 'ERR_RESOURCES') return error;
    throw error;
  }
}

/** Throws ERR_LIBTORCH_MISMATCH unless a run would use the LibTorch that was set up. */
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
    found: `LibTorch ${version} in ${directory} (${source}) loads, but a run would use ${used}`,
    needed: `a link to it at ${place}, which ${byHand ? 'is a folder' : 'could not be created'}, or a variable that names it`,
    next: byHand
      ? `move ${place} away, then ${SETUP_COMMAND}`
      : `set CHESTMNIST_LIBTORCH=${directory} whenever chestmnist is used; or, as the user who installed the package, ${SETUP_COMMAND}`,
  });
}

/** The addons here whose sources have not changed; none with `rebuild`. Removes what a killed build left. */
function usableAddons(root: string, { rebuild }: SetupOptions): Addon[] {
  // A partial build would hide the prebuilt addon.
  const partial = path.join(root, 'build', 'Release', 'chestmnist.node');
  if (!findAddon(root) && existsSync(partial)) rmSync(partial);
  const current = sourceHash(root);
  return rebuild ? [] : findAddons(root).filter(({ sources }) => sources === current);
}

/** Undefined if the package can be written, else the error for when something has to be written into it. */
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

/** Points the package's link at `directory`; returns whether it changed. A folder in the link's place is kept. */
export function link(root: string, directory: string): boolean {
  const place = libtorchLink(root);
  const there = lstatSync(place, { throwIfNoEntry: false });
  if (there?.isDirectory()) return false;
  if (isSame(place, directory)) return false;
  const fresh = `${place}.${process.pid}`;
  rmSync(fresh, { force: true });
  symlinkSync(realpathSync(directory), fresh, 'junction');
  if (process.platform === 'win32') rmSync(place, { force: true }); // Windows cannot rename over it
  renameSync(fresh, place);
  return true;
}
