/**
 * Extracts what the addon needs from a zip (a wheel or LibTorch's archive): libraries, headers, the version. Paths that
 * leave the destination are refused; the zip reader checks sizes and CRCs. Several entries are extracted at a time, so
 * that the thousands of headers are written while the one large library inflates.
 */
import { mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { openZip } from '../base/zip';
import { ChestMnistError } from '../base/errors';

const AT_ONCE = 4;

/** Where an entry goes, relative to the destination; undefined to leave it out. */
export type Selection = (entry: string) => string | undefined;

/** Extracts the selected entries and counts files and bytes. Throws ERR_DATA_CORRUPT or ERR_DATA_MISSING. */
export async function extract(
  archive: string,
  destination: string,
  select: Selection,
  signal?: AbortSignal,
): Promise<{ files: number; bytes: number }> {
  const zip = await openZip(archive);
  try {
    const chosen = zip.entries
      .filter(({ name }) => !name.endsWith('/'))
      .flatMap((entry) => {
        const target = select(entry.name);
        return target === undefined ? [] : [{ ...entry, target: inside(destination, target, archive) }];
      })
      .sort((a, b) => b.uncompressedSize - a.uncompressedSize);
    for (const folder of new Set(chosen.map(({ target }) => path.dirname(target))))
      mkdirSync(folder, { recursive: true });

    const queue = chosen.values();
    const worker = async (): Promise<void> => {
      for (const { name, target } of queue) {
        signal?.throwIfAborted();
        const file = await open(target, 'w', isLibrary(target) ? 0o755 : 0o644);
        try {
          for await (const chunk of zip.chunks(name)) await file.writeFile(chunk);
        } finally {
          await file.close();
        }
      }
    };
    // Waits for every worker before it throws, so that none still writes into a folder that the caller removes.
    const ended = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker));
    for (const result of ended) if (result.status === 'rejected') throw result.reason;
    return { files: chosen.length, bytes: chosen.reduce((sum, entry) => sum + entry.uncompressedSize, 0) };
  } finally {
    await zip.close();
  }
}

function inside(destination: string, target: string, archive: string): string {
  const resolved = path.resolve(destination, target);
  if (resolved.startsWith(path.resolve(destination) + path.sep)) return resolved;
  throw new ChestMnistError('ERR_DATA_CORRUPT', {
    found: `${archive} has an entry that leaves the folder it is extracted to: ${target}`,
    needed: 'a LibTorch archive or wheel',
    next: 'get the file from its source again',
  });
}

const isLibrary = (file: string): boolean => /\.(so|dylib|dll)(\.|$)/.test(path.basename(file));

/** Not needed to build or run an addon: Python's own library and test programs. */
const LEFT_OUT = /^lib(torch_python|jitbackend_test|torchbind_test|backend_with_compiler|aoti_custom_ops|shm)\b/;

/** A torch wheel or the official archive (top folder `torch` or `libtorch`) -> `torch/lib`, `torch/include`, version. */
export const libtorchEntries: Selection = (entry) => {
  const match = /^(?:torch|libtorch)\/(lib\/[^/]+|include\/.+|version\.py|build-version)$/.exec(entry);
  if (!match?.[1] || LEFT_OUT.test(path.basename(match[1]))) return undefined;
  return `torch/${match[1]}`;
};

/** An NVIDIA wheel -> `nvidia/<part>/lib`, where the run path of libtorch_cuda looks. */
export const nvidiaEntries: Selection = (entry) =>
  /^nvidia\/[^/]+\/lib\/[^/]+\.so[.\d]*$/.test(entry) ? entry : undefined;
