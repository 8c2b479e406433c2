/**
 * Finds a LibTorch on this machine: in the environment variable, the package's link, the user's cache and, for set-up,
 * a Python's installed torch. Every source that fails is recorded with its reason. Does not use the network.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { isAbsent } from '../base/entry';
import { ChestMnistError } from '../base/errors';
import { absolute, expandHome } from '../base/folders';
import { inspectLibTorch, type LibTorch } from './inspect';
import { libtorchCache, libtorchCacheText, libtorchLink, MANIFEST, SETUP_COMMAND } from './versions';

/** Whether two paths are the same place. Links are followed; a path that does not exist is compared as written. */
export function isSame(a: string, b: string): boolean {
  const real = (place: string): string => {
    try {
      return realpathSync(place);
    } catch {
      return path.resolve(place);
    }
  };
  return real(a) === real(b);
}

/** A source without a usable LibTorch. */
export interface Failure {
  readonly source: string;
  readonly reason: string;
}

export interface Wanted {
  /** Package root. */
  root: string;
  env: NodeJS.ProcessEnv;
  /** Returns why a LibTorch is not wanted (another version, no CUDA), or undefined to accept it. */
  refuse?: (libtorch: LibTorch) => string | undefined;
}

/**
 * The LibTorch already set up; undefined, with the reasons added to `failures`, when there is none. A
 * CHESTMNIST_LIBTORCH that cannot be used is never skipped: it throws ERR_LIBTORCH_NOT_FOUND, or ERR_LIBTORCH_MISMATCH
 * when `refuse` rejects it.
 */
export function locateSetUp({ root, env, refuse }: Wanted, failures: Failure[]): LibTorch | undefined {
  const named = env.CHESTMNIST_LIBTORCH;
  if (named) {
    const found = inspectLibTorch(absolute(named), 'CHESTMNIST_LIBTORCH');
    const refusal = typeof found === 'string' ? undefined : refuse?.(found);
    if (typeof found !== 'string' && refusal === undefined) return found;
    throw new ChestMnistError(refusal === undefined ? 'ERR_LIBTORCH_NOT_FOUND' : 'ERR_LIBTORCH_MISMATCH', {
      found: `CHESTMNIST_LIBTORCH: ${typeof found === 'string' ? found : refusal}`,
      needed: 'a LibTorch directory with lib/ and include/ that fits',
      next: `correct or unset CHESTMNIST_LIBTORCH, then ${SETUP_COMMAND}`,
    });
  }
  failures.push({ source: 'CHESTMNIST_LIBTORCH', reason: 'not set' });

  return firstUsable(
    [
      [libtorchLink(root), 'set up for this package'],
      ...cached().map((directory): [string, string] => [directory, 'user cache']),
    ],
    {
      refuse,
      none: { source: 'set up before', reason: `nothing at ${libtorchLink(root)} or in ${libtorchCacheText()}` },
    },
    failures,
  );
}

function firstUsable(
  places: [directory: string, source: string][],
  { refuse, none }: { refuse?: Wanted['refuse']; none: Failure },
  failures: Failure[],
): LibTorch | undefined {
  const reasons: Failure[] = [];
  for (const [place, source] of places) {
    let directory: string;
    try {
      directory = realpathSync(place);
    } catch (error) {
      if (isAbsent(error)) continue;
      reasons.push({ source, reason: `${place} cannot be read (${(error as Error).message})` });
      continue;
    }
    const found = inspectLibTorch(directory, source);
    const reason = typeof found === 'string' ? found : refuse?.(found);
    if (typeof found !== 'string' && reason === undefined) return found;
    reasons.push({ source, reason: reason ?? 'not usable' });
  }
  failures.push(...(reasons.length > 0 ? reasons : [none]));
  return undefined;
}

/** The complete directories in the cache, newest version first. */
function cached(): string[] {
  try {
    const names = readdirSync(libtorchCache()).filter((name) => existsSync(path.join(libtorchCache(), name, MANIFEST)));
    return names
      .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
      .map((name) => path.join(libtorchCache(), name, 'torch'));
  } catch {
    return [];
  }
}

/** Finds torch without importing it, which would take seconds and may fail. */
const FIND_TORCH = `import importlib.util, sys
spec = importlib.util.find_spec("torch")
sys.stdout.write(list(spec.submodule_search_locations)[0] if spec and spec.submodule_search_locations else "")`;

/** The Pythons to try: the one named by CHESTMNIST_PYTHON, else those on the path. */
export const pythons = (env: NodeJS.ProcessEnv): string[] =>
  env.CHESTMNIST_PYTHON
    ? [expandHome(env.CHESTMNIST_PYTHON)]
    : process.platform === 'win32'
      ? ['python', 'py']
      : ['python3', 'python'];

/** The LibTorch inside a Python's installed torch. */
export function locateInPython({ env, refuse }: Wanted, failures: Failure[]): LibTorch | undefined {
  for (const python of pythons(env)) {
    const source = `torch of ${python}`;
    let directory: string;
    try {
      // -I: the current folder and the user's variables must not decide which torch is found.
      directory = execFileSync(python, ['-I', '-c', FIND_TORCH], {
        encoding: 'utf8',
        timeout: 10_000,
        env,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      failures.push({ source, reason: missing ? 'no such Python' : 'this Python does not run' });
      continue;
    }
    const found = directory ? inspectLibTorch(directory, source) : 'torch is not installed in it';
    const reason = typeof found === 'string' ? found : refuse?.(found);
    if (typeof found !== 'string' && reason === undefined) return found;
    failures.push({ source, reason: reason ?? 'not usable' });
  }
  return undefined;
}
