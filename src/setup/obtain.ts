/**
 * Downloads a LibTorch: the official archive, else a wheel through pip (a wheel is a zip with LibTorch inside). With
 * `cuda`, pip's CUDA build and the NVIDIA libraries it names. The result appears in the user's cache, whole or not at
 * all.
 */
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { download, withoutCredentials } from '../base/download';
import { checkRoom, isWriteError, writing, type NextStep } from '../base/disk';
import { openZip } from '../base/zip';
import { ChestMnistError } from '../base/errors';
import { extract, libtorchEntries, nvidiaEntries } from './extract';
import { inspectLibTorch, type LibTorch } from './inspect';
import type { Failure } from './locate';
import { withLock } from '../base/lock';
import { pipDownload } from './pip';
import { libtorchCache, MANIFEST, PINNED, releaseOf, SETUP_COMMAND } from './versions';

export interface ObtainOptions {
  cuda: boolean;
  env: NodeJS.ProcessEnv;
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
  /** Searches again once the lock is held: another process may have downloaded it meanwhile. */
  again: () => LibTorch | undefined;
}

export interface FileOptions extends Pick<ObtainOptions, 'log' | 'signal'> {
  /** A torch wheel, or LibTorch's archive. */
  file: string;
  /** Returns why a LibTorch is not wanted, or undefined to accept it. */
  refuse: (libtorch: LibTorch) => string | undefined;
}

/** Bytes needed on disk: the download and what is extracted from it. Measured, without pip's own cache. */
const DISK_BYTES = { cpu: 0.8e9, cuda: 7e9 } as const;

/** Printed by `setup --cuda` before it starts. Measured for torch 2.14.1 on Linux x64. */
export const CUDA_SIZES =
  'downloads 2.7 GB (PyTorch 0.55 GB, NVIDIA libraries 2.2 GB) and needs 4.3 GB of disk, in addition to the copies in the cache of pip';

/** The folder of the cache for archives that are being downloaded. */
const DOWNLOADS = 'downloads';

/** Where the archives are; CHESTMNIST_LIBTORCH_MIRROR names another place with the same files. */
const ARCHIVE_HOST = 'https://download.pytorch.org/libtorch/cpu';

/** Archives of the CPU build by platform. Other platforms have none. */
const ARCHIVES: Record<string, string> = {
  'linux-x64': `libtorch-shared-with-deps-${PINNED.cpu}%2Bcpu.zip`,
  'darwin-arm64': `libtorch-macos-arm64-${PINNED.cpu}.zip`,
  'win32-x64': `libtorch-win-shared-with-deps-${PINNED.cpu}%2Bcpu.zip`,
};

/** The downloaded LibTorch; undefined, with the reasons added to `failures`, when no source has one. */
export async function obtain(options: ObtainOptions, failures: Failure[]): Promise<LibTorch | undefined> {
  const { signal, cuda } = options;
  return withCache(options, cuda, async () => {
    const there = options.again();
    if (there) return there;
    if (cuda) return attempt('pip (CUDA build)', () => fromCudaWheels(options), failures, signal);
    return (
      (await attempt('official archive', () => fromArchive(options), failures, signal)) ??
      (await attempt('pip', () => fromWheel(options), failures, signal))
    );
  });
}

/** Extracts LibTorch from a wheel or zip on this machine. Throws ERR_LIBTORCH_NOT_FOUND or ERR_LIBTORCH_MISMATCH. */
export async function obtainFromFile({ file, refuse, log, signal }: FileOptions): Promise<LibTorch> {
  const archive = path.resolve(file);
  if (!existsSync(archive)) {
    throw new ChestMnistError('ERR_LIBTORCH_NOT_FOUND', {
      found: `${archive}: no such file`,
      needed: `a torch wheel (.whl) or LibTorch archive (.zip) for ${process.platform}-${process.arch}`,
      next: `${SETUP_COMMAND} --from FILE, with the path of the file`,
    });
  }
  return withCache({ log, signal }, false, async () => {
    log(`extracting LibTorch from ${archive}`);
    try {
      return await inCache(archive, async (staging) => {
        await extract(archive, staging, libtorchEntries, signal);
        const place = path.join(staging, 'torch');
        const found = inspectLibTorch(place, archive);
        if (typeof found === 'string') throw new Error(found.replace(place, 'it'));
        const refusal = refuse(found)?.replace(place, 'it') ?? (await lacksLibraries(archive, found));
        if (refusal !== undefined) throw refused(archive, refusal);
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (isWriteError(error) || (error instanceof ChestMnistError && error.code === 'ERR_LIBTORCH_MISMATCH'))
        throw error;
      throw new ChestMnistError(
        'ERR_LIBTORCH_NOT_FOUND',
        {
          found: `${archive}: ${error instanceof ChestMnistError ? error.found : (error as Error).message}`,
          needed: `a whole torch wheel (.whl) or LibTorch archive (.zip) for ${process.platform}-${process.arch}, version ${PINNED.cpu}`,
          next: `copy the file again, then ${SETUP_COMMAND} --from FILE`,
        },
        { cause: error },
      );
    }
  });
}

const refused = (archive: string, reason: string): ChestMnistError =>
  new ChestMnistError('ERR_LIBTORCH_MISMATCH', {
    found: `${archive}: ${reason}`,
    needed: 'a LibTorch of the requested kind, complete in one file',
    next:
      `with a CPU build, ${SETUP_COMMAND} --from FILE; or ${SETUP_COMMAND} --cuda, which downloads ${PINNED.cuda} with NVIDIA's libraries ` +
      '(without a network, from a folder of wheels: PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER)',
  });

/** Why a single wheel is not enough: a CUDA build whose NVIDIA libraries are in separate wheels. */
async function lacksLibraries(archive: string, { cuda, version }: LibTorch): Promise<string | undefined> {
  if (!cuda || !archive.endsWith('.whl') || (await nvidiaRequirements(archive)).length === 0) return undefined;
  return `it is LibTorch ${version}, a CUDA build whose NVIDIA libraries are in other wheels`;
}

const NEXT: NextStep = {
  then: 'run the same command again',
  instead: `XDG_CACHE_HOME=FOLDER ${SETUP_COMMAND}, with a folder on a disk with room; keep the variable set afterwards`,
};

/** Runs `work`, which writes to the cache, in one process at a time. Throws ERR_DISK or ERR_OUTPUT. */
async function withCache<T>(
  { log, signal }: Pick<ObtainOptions, 'log' | 'signal'>,
  cuda: boolean,
  work: () => Promise<T>,
): Promise<T> {
  const cache = libtorchCache();
  const inWriting = <R>(work: () => R | Promise<R>): Promise<R> => writing(`the cache ${cache}`, work, NEXT);
  await inWriting(() => {
    mkdirSync(cache, { recursive: true });
    accessSync(cache, constants.W_OK);
  });
  const waiting = (holder: string): void => log(`waiting for ${holder}, which is setting up LibTorch too`);
  return withLock(
    path.join(cache, 'setup.lock'),
    () =>
      inWriting(async () => {
        for (const name of readdirSync(cache)) {
          // Left by a set-up that was killed.
          if (name.endsWith('.tmp') || name === DOWNLOADS)
            rmSync(path.join(cache, name), { recursive: true, force: true });
        }
        await checkRoom(cache, DISK_BYTES[cuda ? 'cuda' : 'cpu'], NEXT);
        return work();
      }),
    { waiting, signal, next: NEXT },
  );
}

async function attempt(
  source: string,
  get: () => Promise<LibTorch>,
  failures: Failure[],
  signal: AbortSignal | undefined,
): Promise<LibTorch | undefined> {
  try {
    return await get();
  } catch (error) {
    signal?.throwIfAborted();
    // No other source would do better.
    if (isWriteError(error)) throw error;
    failures.push({
      source,
      reason: error instanceof ChestMnistError ? error.found : String((error as Error).message),
    });
    return undefined;
  }
}

/**
 * Creates `<cache>/<version>-<flavour>` from what `fill` puts into a temporary folder; a rename makes it appear whole.
 * With `release`, any other release is an error.
 */
async function inCache(source: string, fill: (staging: string) => Promise<void>, release?: string): Promise<LibTorch> {
  const staging = path.join(libtorchCache(), `.${process.pid}.tmp`);
  try {
    mkdirSync(staging);
    await fill(staging);
    const found = inspectLibTorch(path.join(staging, 'torch'), source);
    if (typeof found === 'string') throw new Error(found);
    if (release !== undefined && releaseOf(found.version) !== release) {
      throw new Error(`it contains LibTorch ${found.version} instead of ${release}`);
    }
    writeFileSync(path.join(staging, MANIFEST), JSON.stringify({ version: found.version, source }));
    const flavour = found.cuda ? `cu${found.cuda.replace('.', '')}` : 'cpu';
    const home = path.join(libtorchCache(), `${releaseOf(found.version)}-${flavour}`);
    // An existing entry was examined before and is damaged or not wanted: the new one replaces it.
    const aside = path.join(libtorchCache(), `.old-${process.pid}.tmp`);
    if (lstatSync(home, { throwIfNoEntry: false })) renameSync(home, aside);
    renameSync(staging, home);
    rmSync(aside, { recursive: true, force: true });
    return { ...found, directory: path.join(home, 'torch') };
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

async function fromArchive({ env, log, signal }: ObtainOptions): Promise<LibTorch> {
  const name = ARCHIVES[`${process.platform}-${process.arch}`];
  if (!name) throw new Error(`not available for ${process.platform}-${process.arch}`);
  const url = `${(env.CHESTMNIST_LIBTORCH_MIRROR || ARCHIVE_HOST).replace(/\/+$/, '')}/${name}`;
  const folder = path.join(libtorchCache(), DOWNLOADS);
  const file = path.join(folder, decodeURIComponent(name));
  log(`LibTorch ${PINNED.cpu} (CPU): downloading ${withoutCredentials(url)}`);
  try {
    await download(url, file, {
      onProgress: progressLog(log),
      // Without a connection it fails quickly and pip is tried; an interrupted download is resumed.
      attempts: 2,
      retryDelayMs: 500,
      stallTimeoutMs: 20_000,
      ...(signal ? { signal } : {}),
    });
    const fill = async (staging: string): Promise<void> => {
      log('extracting LibTorch');
      await extract(file, staging, libtorchEntries, signal);
    };
    return await inCache('official archive', fill, PINNED.cpu);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Logs a line at every 10 %. */
function progressLog(log: (line: string) => void): (done: number, total?: number) => void {
  let told = 0;
  return (done, total) => {
    const tenth = total ? Math.floor((10 * done) / total) : 0;
    if (tenth > told) log(`  ${tenth * 10} % of ${Math.round((total ?? 0) / 1e6)} MB`);
    told = Math.max(told, tenth);
  };
}

async function fromWheel({ env, log, signal }: ObtainOptions): Promise<LibTorch> {
  // On Linux the plain version may be a CUDA build, which does not run without gigabytes of NVIDIA libraries.
  const requirement = `torch==${PINNED.cpu}${process.platform === 'linux' && process.arch === 'x64' ? '+cpu' : ''}`;
  return inCache(
    `pip download ${requirement}`,
    async (staging) => {
      log(`LibTorch ${PINNED.cpu} (CPU): pip download ${requirement}`);
      const [wheel] = await pipDownload([requirement], path.join(staging, 'wheels'), { env, log, signal, deps: false });
      if (!wheel) throw new Error('pip saved no wheel');
      log('extracting LibTorch');
      await extract(wheel, staging, libtorchEntries, signal);
      const found = inspectLibTorch(path.join(staging, 'torch'), 'wheel');
      if (typeof found !== 'string' && found.cuda) {
        throw new Error(`${path.basename(wheel)} is a CUDA build; setup --cuda gets it with the libraries it needs`);
      }
      rmSync(path.join(staging, 'wheels'), { recursive: true, force: true });
    },
    PINNED.cpu,
  );
}

async function fromCudaWheels({ env, log, signal }: ObtainOptions): Promise<LibTorch> {
  if (process.platform !== 'linux') throw new Error(`no CUDA build is packaged for ${process.platform}`);
  const requirement = `torch==${PINNED.cuda}`;
  return inCache(
    `pip download ${requirement} and NVIDIA's libraries`,
    async (staging) => {
      log(`LibTorch ${PINNED.cuda} (CUDA): ${CUDA_SIZES}`);
      const wheels = path.join(staging, 'wheels');
      log(`pip download ${requirement}`);
      const [torch] = await pipDownload([requirement], wheels, { env, log, signal, deps: false });
      if (!torch) throw new Error('pip saved no wheel');
      const libraries = await nvidiaRequirements(torch);
      if (libraries.length === 0)
        throw new Error(`${path.basename(torch)} names no NVIDIA library: it is not a CUDA build`);
      await extract(torch, staging, libtorchEntries, signal);
      rmSync(torch);
      log(`pip download ${libraries.map((name) => name.split(/[[<=>]/)[0]).join(' ')}`);
      for (const wheel of await pipDownload(libraries, wheels, { env, log, signal, deps: true })) {
        log(`extracting ${path.basename(wheel)}`);
        await extract(wheel, staging, nvidiaEntries, signal);
        rmSync(wheel);
      }
      rmSync(wheels, { recursive: true, force: true });
    },
    PINNED.cuda,
  );
}

/** The wheel's own list of NVIDIA libraries: `Requires-Dist` lines, without their conditions. */
export async function nvidiaRequirements(wheel: string): Promise<string[]> {
  const zip = await openZip(wheel);
  try {
    const metadata = zip.entries.find(({ name }) => /^[^/]+\.dist-info\/METADATA$/.test(name));
    if (!metadata) throw new Error(`${path.basename(wheel)} has no METADATA: it is not a wheel`);
    const text = Buffer.from(await zip.read(metadata.name, { maxBytes: 1 << 24 })).toString('utf8');
    return [...text.matchAll(/^Requires-Dist: ((?:nvidia-|cuda-toolkit)[^;\r\n]*)/gm)].map((match) => match[1].trim());
  } finally {
    await zip.close();
  }
}
