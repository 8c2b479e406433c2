/** The platforms that LibTorch is built for. */
import { ChestMnistError } from '../base/errors';

export interface Platform {
  platform: string;
  arch: string;
  /** The C library; matters on Linux only. */
  libc: 'glibc' | 'musl';
}

const SUPPORTED = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64'];

export function thisPlatform(): Platform {
  const { platform, arch } = process;
  return { platform, arch, libc: platform === 'linux' ? libc() : 'glibc' };
}

/** Node's report has a glibc version, except on musl. */
const libc = (): Platform['libc'] => (reportOfProcess().header.glibcVersionRuntime ? 'glibc' : 'musl');

/** What Node reports about this process. Without its network section the report takes a millisecond. */
export function reportOfProcess(): { header: { glibcVersionRuntime?: string }; sharedObjects: string[] } {
  const report = process.report as typeof process.report & { excludeNetwork?: boolean };
  const before = report.excludeNetwork;
  report.excludeNetwork = true;
  const text: unknown = report.getReport();
  // The setting belongs to the whole process, and so to the application.
  if (before !== undefined) report.excludeNetwork = before;
  return (typeof text === 'string' ? JSON.parse(text) : text) as ReturnType<typeof reportOfProcess>;
}

/** Throws ERR_PLATFORM_UNSUPPORTED when LibTorch is not built for the machine. */
export function checkPlatform(machine: Platform = thisPlatform()): void {
  const tuple = `${machine.platform}-${machine.arch}`;
  const musl = machine.platform === 'linux' && machine.libc === 'musl';
  if (SUPPORTED.includes(tuple) && !musl) return;
  throw new ChestMnistError('ERR_PLATFORM_UNSUPPORTED', {
    found: musl ? `${tuple} with musl (Alpine Linux?)` : tuple,
    needed: `a platform LibTorch is built for: ${SUPPORTED.join(', ')}; on Linux with glibc`,
    next: musl
      ? 'use an image with glibc, such as node:20-bookworm-slim; `npx chestmnist metrics` and `npx chestmnist data` work here'
      : 'run training on one of these; `npx chestmnist metrics` and `npx chestmnist data` work here',
  });
}
