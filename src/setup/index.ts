/**
 * Set-up: a LibTorch that this package can use, the link to it, and an addon that fits it. Running it again changes
 * nothing and is quick; killed at any moment, the next run repairs. Not here: the command line (cli/setup.ts).
 */
import { existsSync, lstatSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { unusedDevice } from '../device';
import { ChestMnistError } from '../errors';
import { findAddon, findAddons, fitting, releasesOf, sourceHash, type Addon } from './addon';
import { buildAddon, checkTools } from './build';
import type { LibTorch } from './inspect';
import { locateInPython, locateSetUp, type Failure } from './locate';
import { withLock } from '../lock';
import { load, type Loaded } from './probe';
import { CUDA_SIZES, obtain, obtainFromFile } from './obtain';
import { resolveAddon } from './load';
import { checkPlatform } from './platform';
import { libtorchCache, libtorchLink, PACKAGE_ROOT, PINNED, releaseOf, SETUP_COMMAND } from './versions';

export { doctor, type DoctorReport } from './doctor';

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
 * other. Throws ERR_PLATFORM_UNSUPPORTED, ERR_LIBTORCH_NOT_FOUND (each source with its reason) or ERR_NATIVE_MISSING.
 */
export async function setup(options: SetupOptions = {}): Promise<SetupResult> {
  const { log = () => undefined, signal } = options;
  checkPlatform();
  const root = PACKAGE_ROOT;
  const blocked = unwritable(root);
  const waiting = (holder: string): void => log(`waiting for another setup of this package: ${holder}`);
  const work = async (): Promise<SetupResult> => {
    const addons = usableAddons(root, options);
    const { libtorch, addon, built, loaded } = await firstThatLoads(root, addons, blocked, options);
    if (!blocked) link(root, libtorch.directory);
    confirmUsed(root, libtorch);
    const unused = unusedDevice(loaded.cuda);
    if (unused) log(`${unused.name} stays unused by this CPU build: ${unused.remedy}, which ${CUDA_SIZES}`);
    return { libtorch, addon: addon.file, built };
  };
  // A package that another user installed can be used with a LibTorch of one's own, as long as nothing is to be built.
  if (blocked) return work();
  return withLock(path.join(root, 'build', 'setup.lock'), work, { waiting, signal });
}

/** A LibTorch and an addon that were loaded together. */
interface Ready {
  libtorch: LibTorch;
  addon: Addon;
  built: boolean;
  loaded: Loaded;
}

/** A LibTorch that does not load here. */
interface Broken {
  directory: string;
  error: ChestMnistError;
}

/**
 * Tries one LibTorch after the other: only one that loads may be linked, or the next set-up would find it first again.
 * One that the user named is never passed over.
 */
async function firstThatLoads(
  root: string,
  addons: readonly Addon[],
  blocked: ChestMnistError | undefined,
  options: SetupOptions,
): Promise<Ready> {
  const { log = () => undefined, from } = options;
  const named = from !== undefined || Boolean(process.env.CHESTMNIST_LIBTORCH);
  for (const broken: Broken[] = []; ;) {
    const libtorch = await findOrGet(root, addons, broken, options);
    log(`LibTorch ${libtorch.version} in ${libtorch.directory} (${libtorch.source})`);
    try {
      return await withAddon(root, libtorch, addons, blocked, options);
    } catch (error) {
      if (named || !(error instanceof ChestMnistError) || error.code !== 'ERR_LIBTORCH_NOT_FOUND') throw error;
      log(`it does not load here: ${error.found}`);
      broken.push({ directory: realpathSync(libtorch.directory), error });
    }
  }
}

/** Loads `libtorch` with the addon that fits it, else with one that is built now. */
async function withAddon(
  root: string,
  libtorch: LibTorch,
  addons: readonly Addon[],
  blocked: ChestMnistError | undefined,
  { log = () => undefined, verbose, signal }: SetupOptions,
): Promise<Ready> {
  const there = fitting(addons, libtorch);
  if (there) {
    try {
      return { libtorch, addon: there, built: false, loaded: await load({ addon: there, libtorch }) };
    } catch (error) {
      // Building does not mend a LibTorch that does not load.
      if (!(error instanceof ChestMnistError) || error.code === 'ERR_LIBTORCH_NOT_FOUND') throw error;
      log(`the addon does not load here: ${error.found}`);
    }
  }
  if (blocked) throw blocked;
  const logFile = path.join(root, 'build', 'build.log');
  const why = !there && addons.length > 0 ? `the addon here is for LibTorch ${releasesOf(addons)}, ` : '';
  log(`${why}building the addon: takes CMake, a C++20 compiler and about a minute; log in ${logFile}`);
  const addon = await buildAddon({
    root,
    libtorch,
    ...(verbose ? { verbose } : {}),
    ...(signal ? { signal } : {}),
  });
  return { libtorch, addon, built: true, loaded: await load({ addon, libtorch }) };
}

/** What was set up has to be what a run finds. Where it is not, the way out is told: ERR_LIBTORCH_MISMATCH. */
function confirmUsed(root: string, { directory, version, source }: LibTorch): void {
  let used: string;
  try {
    used = resolveAddon(root).libtorch.directory;
  } catch (error) {
    if (!(error instanceof ChestMnistError)) throw error;
    used = 'none';
  }
  if (used !== 'none' && realpathSync(used) === realpathSync(directory)) return;
  throw new ChestMnistError('ERR_LIBTORCH_MISMATCH', {
    found: `LibTorch ${version} in ${directory} (${source}) loads, but a run would take ${used}`,
    needed: `the link ${libtorchLink(root)} to it, which could not be made, or a variable that names it`,
    next: `CHESTMNIST_LIBTORCH=${directory}, set whenever chestmnist is used; or ${SETUP_COMMAND} as the user who installed the package, without CHESTMNIST_LIBTORCH`,
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

/**
 * LibTorch: one that fits an addon here comes before any other, and is got from a network when none is found, so that
 * no compiler is needed; one that takes a build is the last resort.
 */
async function findOrGet(
  root: string,
  addons: readonly Addon[],
  broken: readonly Broken[],
  { cuda = false, from, log = () => undefined, signal }: SetupOptions,
): Promise<LibTorch> {
  const env = process.env;
  const failures: Failure[] = [];
  const refuse = ({ directory, version, cuda: build }: LibTorch): string | undefined =>
    broken.find((one) => one.directory === realpathSync(directory))?.error.found ??
    (cuda && !build ? `${directory} is LibTorch ${version}, a CPU build` : undefined);
  const refuseUnfit = (libtorch: LibTorch): string | undefined =>
    refuse(libtorch) ??
    (addons.length > 0 && !fitting(addons, libtorch)
      ? `${libtorch.directory} is LibTorch ${libtorch.version}; the addon here is for ${releasesOf(addons)}`
      : undefined);
  if (from !== undefined) return obtainFromFile({ file: from, refuse, log, signal });
  const any = { root, env, refuse };
  // One that is named is used whatever it takes.
  const wanted = env.CHESTMNIST_LIBTORCH ? any : { root, env, refuse: refuseUnfit };
  const get = async (): Promise<LibTorch | undefined> => {
    const version = PINNED[cuda ? 'cuda' : 'cpu'];
    // The cache has it already, and it does not load.
    if (broken.some(({ directory }) => isCached(directory, `${version}-${cuda ? 'cu' : 'cpu'}`))) return undefined;
    // Before a large download, not after it.
    if (!addons.some(({ libtorch }) => releaseOf(libtorch) === version))
      checkTools({ version, source: 'to be downloaded' });
    return obtain({ cuda, env, log, signal, again: () => locateSetUp(wanted, []) }, failures);
  };
  const fit = locateSetUp(wanted, failures) ?? locateInPython(wanted, failures) ?? (await get());
  if (fit) return fit;
  const lastResort = locateSetUp(any, []) ?? locateInPython(any, []);
  const sources = failures.map(({ source, reason }) => `  ${source}: ${reason}`).join('\n');
  if (lastResort) {
    try {
      checkTools(lastResort);
      return lastResort;
    } catch (error) {
      if (!(error instanceof ChestMnistError)) throw error;
      const found = `${error.found}; one that fits came from no source:\n${sources}\n`;
      throw new ChestMnistError(error.code, { found, needed: error.needed, next: `${error.next}; or ${OTHER_WAYS}` });
    }
  }
  if (broken.length > 0) throw broken[0].error;
  throw new ChestMnistError('ERR_LIBTORCH_NOT_FOUND', {
    found: `no LibTorch from any source:\n${sources}\n`,
    needed: `LibTorch ${cuda ? `${PINNED.cuda} (CUDA)` : PINNED.cpu}, from one of these`,
    next: OTHER_WAYS,
  });
}

const OTHER_WAYS =
  `with a network run ${SETUP_COMMAND} again (HTTPS_PROXY, PIP_INDEX_URL and CHESTMNIST_LIBTORCH_MIRROR are honoured); ` +
  `without one, copy a torch wheel or LibTorch zip here and run ${SETUP_COMMAND} --from FILE`;

/** True for a LibTorch in a folder of the cache whose name starts with `name`. */
const isCached = (directory: string, name: string): boolean =>
  existsSync(libtorchCache()) && path.relative(realpathSync(libtorchCache()), directory).startsWith(name);

/** The error to end with when something has to be written into a package that cannot be written. */
function unwritable(root: string): ChestMnistError | undefined {
  try {
    mkdirSync(path.join(root, 'build'), { recursive: true });
    const probe = path.join(root, 'build', `.${process.pid}`);
    mkdirSync(probe);
    rmSync(probe, { recursive: true });
    return undefined;
  } catch (error) {
    return new ChestMnistError(
      'ERR_NATIVE_MISSING',
      {
        found: `${root} cannot be written (${(error as Error).message}), and the addon has to be built there`,
        needed: 'a package folder that can be written, or an addon in it that fits',
        next: `run ${SETUP_COMMAND} as the user who installed the package`,
      },
      { cause: error },
    );
  }
}

/** Points the package's link at `directory`; true when that changed something. A folder put there by hand is left alone. */
export function link(root: string, directory: string): boolean {
  const place = libtorchLink(root);
  const there = lstatSync(place, { throwIfNoEntry: false });
  if (there?.isDirectory()) return false;
  try {
    if (realpathSync(place) === realpathSync(directory)) return false;
  } catch {
    // No link yet, or one that leads nowhere.
  }
  const fresh = `${place}.${process.pid}`;
  rmSync(fresh, { force: true });
  symlinkSync(realpathSync(directory), fresh, 'junction');
  if (process.platform === 'win32') rmSync(place, { force: true }); // cannot be renamed over there
  renameSync(fresh, place);
  return true;
}
