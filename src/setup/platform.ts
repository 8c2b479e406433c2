/** Which machines have a LibTorch to run on: LibTorch itself exists for no other. */
import { ChestMnistError } from '../base/errors';

export interface Platform {
  platform: string;
  arch: string;
  /** The C library; of interest on Linux only. */
  libc: 'glibc' | 'musl';
}

const SUPPORTED = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64'];

export function thisPlatform(): Platform {
  const { platform, arch } = process;
  return { platform, arch, libc: platform === 'linux' ? libc() : 'glibc' };
}

/** Node's report names the glibc it runs on; on musl there is none. Without the network part it costs a millisecond. */
function libc(): Platform['libc'] {
  const report = process.report as typeof process.report & { excludeNetwork?: boolean };
  const before = report.excludeNetwork;
  report.excludeNetwork = true;
  const { header } = report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  // The setting is the process's, and so the application's.
  if (before !== undefined) report.excludeNetwork = before;
  return header.glibcVersionRuntime ? 'glibc' : 'musl';
}

/** Throws ERR_PLATFORM_UNSUPPORTED when there is no LibTorch for the machine. */
export function checkPlatform(machine: Platform = thisPlatform()): void {
  const tuple = `${machine.platform}-${machine.arch}`;
  const musl = machine.platform === 'linux' && machine.libc === 'musl';
  if (SUPPORTED.includes(tuple) && !musl) return;
  throw new ChestMnistError('ERR_PLATFORM_UNSUPPORTED', {
    found: musl ? `${tuple} with musl (Alpine Linux?)` : tuple,
    needed: `a platform LibTorch is built for: ${SUPPORTED.join(', ')}; on Linux with glibc`,
    next: musl
      ? 'use an image with glibc, such as node:20-bookworm-slim; `chestmnist metrics` and `chestmnist data` work here'
      : 'run training on one of these; `chestmnist metrics` and `chestmnist data` work here',
  });
}
