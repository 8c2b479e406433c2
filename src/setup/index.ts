/**
 * Set-up: a LibTorch that this package can use, the link to it, and an addon that fits it. Running it again changes
 * nothing and is quick; killed at any moment, the next run repairs. Not here: the command line (cli/setup.ts).
 */
import { execFile } from 'node:child_process';
import { lstatSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { ChestMnistError } from '../errors';
import { findAddon, sourceHash } from './addon';
import { buildAddon } from './build';
import { fits, type LibTorch } from './inspect';
import { locateInPython, locateSetUp, type Failure } from './locate';
import { withLock } from '../lock';
import { obtain } from './obtain';
import { checkPlatform } from './platform';
import { libtorchLink, PACKAGE_ROOT, PINNED } from './versions';

export { doctor, type DoctorReport } from './doctor';

export interface SetupOptions {
  /** Insist on a CUDA build of LibTorch; gets a large download when there is none. */
  cuda?: boolean;
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
  checkWritable(root);
  const waiting = (holder: string): void => log(`waiting for another setup of this package: ${holder}`);
  return withLock(
    path.join(root, 'build', 'setup.lock'),
    async () => {
      const libtorch = await findOrGet(root, options);
      log(`LibTorch ${libtorch.version} in ${libtorch.directory} (${libtorch.source})`);
      const relinked = link(root, libtorch.directory);
      const there = findAddon(root);
      if (there && !options.rebuild && fits(there.libtorch, libtorch) && there.sources === sourceHash(root)) {
        if (relinked) await tryLoading();
        return { libtorch, addon: there.file, built: false };
      }
      log(`building the addon${there ? '' : ' (about a minute)'}; log in ${path.join(root, 'build', 'build.log')}`);
      const addon = await buildAddon({
        root,
        libtorch,
        ...(options.verbose ? { verbose: options.verbose } : {}),
        ...(signal ? { signal } : {}),
      });
      await tryLoading();
      return { libtorch, addon: addon.file, built: true };
    },
    { waiting, signal },
  );
}

async function findOrGet(
  root: string,
  { cuda = false, log = () => undefined, signal }: SetupOptions,
): Promise<LibTorch> {
  const env = process.env;
  const failures: Failure[] = [];
  const refuse = (libtorch: LibTorch): string | undefined =>
    cuda && !libtorch.cuda ? `${libtorch.directory} is LibTorch ${libtorch.version}, a CPU build` : undefined;
  const wanted = { root, env, refuse };
  const libtorch =
    locateSetUp(wanted, failures) ??
    locateInPython(wanted, failures) ??
    (await obtain({ cuda, env, log, signal, again: () => locateSetUp(wanted, []) }, failures));
  if (libtorch) return libtorch;
  throw new ChestMnistError('ERR_LIBTORCH_NOT_FOUND', {
    found: `no LibTorch from any source:\n${failures.map(({ source, reason }) => `  ${source}: ${reason}`).join('\n')}\n`,
    needed: `LibTorch ${cuda ? `${PINNED.cuda} (CUDA)` : PINNED.cpu}, from one of these`,
    next:
      'with a network (HTTPS_PROXY is honoured) run npx chestmnist setup again; without one, ' +
      'pip install torch on this machine or set CHESTMNIST_LIBTORCH to an unpacked LibTorch',
  });
}

function checkWritable(root: string): void {
  try {
    mkdirSync(path.join(root, 'build'), { recursive: true });
    const probe = path.join(root, 'build', `.${process.pid}`);
    mkdirSync(probe);
    rmSync(probe, { recursive: true });
  } catch (error) {
    throw new ChestMnistError(
      'ERR_NATIVE_MISSING',
      {
        found: `${root} cannot be written (${(error as Error).message})`,
        needed: 'to put the addon and the link to LibTorch there',
        next: 'run setup as the user who installed the package',
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

/** Loads the addon in a process of its own: a crash there is a message here. */
async function tryLoading(): Promise<void> {
  const program = 'require(process.argv[1]).loadAddon()';
  try {
    await promisify(execFile)(process.execPath, ['-e', program, path.join(__dirname, 'load.js')]);
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    throw new ChestMnistError(
      'ERR_NATIVE_MISSING',
      {
        found: `the addon does not load: ${/^ChestMnistError: .*$/m.exec(stderr)?.[0] ?? stderr.trim().split('\n').at(-1) ?? message}`,
        needed: 'an addon and a LibTorch that load',
        next: 'npx chestmnist doctor',
      },
      { cause: error },
    );
  }
}
