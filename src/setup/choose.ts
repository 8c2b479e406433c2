/**
 * Chooses the LibTorch that set-up tries next: one on this machine that fits an addon, else a download, else one that
 * needs a build. Not here: loading it (index.ts).
 */
import { lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { isWriteError } from '../base/disk';
import { ChestMnistError } from '../base/errors';
import { fitting, releasesOf, type Addon } from './addon';
import { checkTools } from './build';
import type { LibTorch } from './inspect';
import { isSame, locateInPython, locateSetUp, type Failure } from './locate';
import { obtain, obtainFromFile } from './obtain';
import { libtorchCache, libtorchLink, PINNED, releaseOf, SETUP_COMMAND } from './versions';

export interface Choice {
  libtorch: LibTorch;
  /** Whether an addon has to be built for it. */
  build: boolean;
}

/** A LibTorch that was tried and did not load. */
export interface Broken {
  libtorch: LibTorch;
  error: ChestMnistError;
  /** Whether it may load with an addon built now: the addon that was tried was built earlier or elsewhere. */
  mendable: boolean;
}

export interface Search {
  root: string;
  /** The addons that are current. */
  addons: readonly Addon[];
  broken: readonly Broken[];
  cuda: boolean;
  /** A file that the user named. */
  from: string | undefined;
  log: (line: string) => void;
  signal: AbortSignal | undefined;
}

/** Whether the user named a LibTorch. Then only that one is used, even if it needs a build. */
export const isNamed = (from: string | undefined): boolean =>
  from !== undefined || Boolean(process.env.CHESTMNIST_LIBTORCH);

/**
 * The next LibTorch to try. Throws ERR_LIBTORCH_NOT_FOUND with every source and its reason, ERR_BUILD, ERR_DISK or
 * ERR_OUTPUT.
 */
export async function choose({ root, addons, broken, cuda, from, log, signal }: Search): Promise<Choice> {
  const env = process.env;
  const failures: Failure[] = [];
  const mendable = broken.find((one) => one.mendable);
  if (isNamed(from) && mendable) return { libtorch: mendable.libtorch, build: true };

  const refuse = (libtorch: LibTorch): string | undefined =>
    broken.find((one) => isSame(one.libtorch.directory, libtorch.directory))?.error.found ??
    (cuda && !libtorch.cuda ? `${libtorch.directory} is LibTorch ${libtorch.version}, a CPU build` : undefined);
  const refuseUnfit = (libtorch: LibTorch): string | undefined =>
    refuse(libtorch) ??
    (addons.length > 0 && !fitting(addons, libtorch)
      ? `${libtorch.directory} is LibTorch ${libtorch.version}; the addon here is for ${releasesOf(addons)}`
      : undefined);
  const choice = (libtorch: LibTorch): Choice => ({ libtorch, build: !fitting(addons, libtorch) });
  if (from !== undefined) return choice(await obtainFromFile({ file: from, refuse, log, signal }));
  const any = { root, env, refuse };
  const wanted = isNamed(from) ? any : { root, env, refuse: refuseUnfit };

  const version = PINNED[cuda ? 'cuda' : 'cpu'];
  /** Whether there already is an addon for the LibTorch that would be downloaded. */
  const buildless = addons.some(({ libtorch }) => releaseOf(libtorch) === version);
  let notGot: ChestMnistError | undefined;
  const get = async (): Promise<LibTorch | undefined> => {
    if (broken.some(({ libtorch }) => isCached(libtorch.directory, `${version}-${cuda ? 'cu' : 'cpu'}`)))
      return undefined;
    try {
      // Checked before the large download, not after it.
      checkLink(root);
      if (!buildless) checkTools({ version, source: 'to be downloaded' });
      return await obtain({ cuda, env, log, signal, again: () => locateSetUp(wanted, []) }, failures);
    } catch (error) {
      if (!(error instanceof ChestMnistError)) throw error;
      notGot = error;
      return undefined;
    }
  };
  const fit =
    locateSetUp(wanted, failures) ?? locateInPython(wanted, failures) ?? (buildless ? await get() : undefined);
  if (fit) return choice(fit);

  const lastResort = mendable?.libtorch ?? locateSetUp(any, []) ?? locateInPython(any, []);
  const lacking = lastResort && lackingTools(lastResort);
  if (lastResort && !lacking) return { libtorch: lastResort, build: true };
  const got = lastResort || buildless ? undefined : await get();
  if (got) return choice(got);
  if (notGot && isWriteError(notGot)) throw notGot;
  throw withOtherWays(broken.at(0)?.error ?? lacking ?? notGot ?? nothing(cuda), failures);
}

const nothing = (cuda: boolean): ChestMnistError =>
  new ChestMnistError('ERR_LIBTORCH_NOT_FOUND', {
    found: 'no LibTorch on this machine',
    needed: `LibTorch ${cuda ? `${PINNED.cuda} (CUDA)` : PINNED.cpu}, from one of the sources`,
    next: `with a network, ${SETUP_COMMAND} (HTTPS_PROXY, PIP_INDEX_URL and CHESTMNIST_LIBTORCH_MIRROR are honoured)`,
  });

/** Adds the reasons of all other sources to the error, and what to do without a network. */
function withOtherWays({ code, found, needed, next }: ChestMnistError, failures: readonly Failure[]): ChestMnistError {
  const others = failures
    .filter(({ reason }) => reason !== found)
    .map(({ source, reason }) => `  ${source}: ${reason}`);
  return new ChestMnistError(code, {
    found: `${found}; the other sources:\n${others.join('\n')}\n`,
    needed,
    next: `${next}; without a network, copy a torch wheel or LibTorch zip here and run ${SETUP_COMMAND} --from FILE`,
  });
}

function lackingTools(libtorch: LibTorch): ChestMnistError | undefined {
  try {
    checkTools(libtorch);
    return undefined;
  } catch (error) {
    if (error instanceof ChestMnistError) return error;
    throw error;
  }
}

/** Throws ERR_LIBTORCH_MISMATCH when the link's place holds a folder, which would hide the LibTorch to download. */
function checkLink(root: string): void {
  const place = libtorchLink(root);
  if (!lstatSync(place, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new ChestMnistError('ERR_LIBTORCH_MISMATCH', {
    found: `${place} is a folder without the LibTorch that is needed, and it would hide any other`,
    needed: 'a link there, which set-up creates',
    next: `move ${place} away, then ${SETUP_COMMAND}`,
  });
}

/** Whether `directory` is the LibTorch of a cache entry whose name starts with `name`. */
function isCached(directory: string, name: string): boolean {
  try {
    return readdirSync(libtorchCache()).some(
      (entry) => entry.startsWith(name) && isSame(path.join(libtorchCache(), entry, 'torch'), directory),
    );
  } catch {
    return false;
  }
}
