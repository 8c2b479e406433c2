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
import { checkPlatform } from './platform';
import { libtorchLink, PACKAGE_ROOT, PINNED, releaseOf, SETUP_COMMAND } from './versions';

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
    const libtorch = await findOrGet(root, addons, options);
    log(`LibTorch ${libtorch.version} in ${libtorch.directory} (${libtorch.source})`);
    if (!blocked) link(root, libtorch.directory);
    const ready = ({ file }: Addon, built: boolean, { cuda }: Loaded): SetupResult => {
      const unused = unusedDevice(cuda);
      if (unused !== undefined) log(`${unused} stays unused by this CPU build: ${SETUP_COMMAND} --cuda ${CUDA_SIZES}`);
      return { libtorch, addon: file, built };
    };
    const there = fitting(addons, libtorch);
    if (there) {
      const loaded = await tryLoading();
      if (!(loaded instanceof ChestMnistError)) return ready(there, false, loaded);
      if (loaded.code === 'ERR_LIBTORCH_NOT_FOUND') throw loaded; // building does not mend that
      log(`the addon does not load here: ${loaded.found}`);
    }
    if (blocked) throw blocked;
    const logFile = path.join(root, 'build', 'build.log');
    const why = !there && addons.length > 0 ? `the addon here is for LibTorch ${releasesOf(addons)}, ` : '';
    log(`${why}building the addon: takes CMake, a C++20 compiler and about a minute; log in ${logFile}`);
    const addon = await buildAddon({
      root,
      libtorch,
      ...(options.verbose ? { verbose: options.verbose } : {}),
      ...(signal ? { signal } : {}),
    });
    return ready(addon, true, await load());
  };
  // A package that another user installed can be used with a LibTorch of one's own, as long as nothing is to be built.
  if (blocked) return work();
  return withLock(path.join(root, 'build', 'setup.lock'), work, { waiting, signal });
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
  { cuda = false, from, log = () => undefined, signal }: SetupOptions,
): Promise<LibTorch> {
  const env = process.env;
  const failures: Failure[] = [];
  const refuse = (libtorch: LibTorch): string | undefined =>
    cuda && !libtorch.cuda ? `${libtorch.directory} is LibTorch ${libtorch.version}, a CPU build` : undefined;
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
    // Before a large download, not after it.
    if (!addons.some(({ libtorch }) => releaseOf(libtorch) === version))
      checkTools({ version, source: 'to be downloaded' });
    return obtain({ cuda, env, log, signal, again: () => locateSetUp(wanted, []) }, failures);
  };
  const libtorch =
    locateSetUp(wanted, failures) ??
    locateInPython(wanted, failures) ??
    (await get()) ??
    locateSetUp(any, []) ??
    locateInPython(any, []);
  if (libtorch) return libtorch;
  throw new ChestMnistError('ERR_LIBTORCH_NOT_FOUND', {
    found: `no LibTorch from any source:\n${failures.map(({ source, reason }) => `  ${source}: ${reason}`).join('\n')}\n`,
    needed: `LibTorch ${cuda ? `${PINNED.cuda} (CUDA)` : PINNED.cpu}, from one of these`,
    next:
      `with a network run ${SETUP_COMMAND} again (HTTPS_PROXY, PIP_INDEX_URL and CHESTMNIST_LIBTORCH_MIRROR are honoured); ` +
      `without one, copy a torch wheel or LibTorch zip here and run ${SETUP_COMMAND} --from FILE`,
  });
}

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

/** Loads the addon in a process of its own, where a crash is a message here; the error when it does not load. */
async function tryLoading(): Promise<Loaded | ChestMnistError> {
  try {
    return await load();
  } catch (error) {
    if (error instanceof ChestMnistError) return error;
    throw error;
  }
}
