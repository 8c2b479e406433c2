/**
 * Downloads one file: through a proxy when the environment names one, resumed by Range, checked, and renamed into place
 * when complete. Not here: which files exist (catalogue.ts) and where they are kept (places.ts).
 */
import { mkdir, open, rename, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EnvHttpProxyAgent, Response } from 'undici';
import { flush } from './atomic';
import { hashFile } from './checksum';
import { checkRoom, isWriteError, systemError, writeError } from './disk';
import { ChestMnistError } from './errors';
import { followed } from './output';
import { claimPart, type Part } from './part-file';

export interface DownloadOptions {
  /** Hex digest that the file must have. Without md5 or sha256, the part left by an earlier call is not resumed. */
  md5?: string;
  sha256?: string;
  /** Size of the file in bytes; no more than this is written. */
  size?: number;
  /** Called with the bytes so far and, when known, the size of the whole file. */
  onProgress?: (done: number, total?: number) => void;
  /** Called before each pause after a failed attempt. */
  onRetry?: (reason: string, delayMs: number) => void;
  /** Rejects with the signal's reason; the part that arrived is kept and resumed by the next call. */
  signal?: AbortSignal;
  /** Consecutive attempts without a new byte before it gives up; default 5. */
  attempts?: number;
  /** Pause after a failed attempt, doubled each time; default 1000 ms. */
  retryDelayMs?: number;
  /** Longest wait for a response or the next bytes; default 30,000 ms. */
  stallTimeoutMs?: number;
  /** How to choose another place when this one cannot be written, e.g. `pass another --out`. */
  instead?: string;
}

/** A URL without its user and password, fit to be shown. Text that is not a URL may hold them anywhere: not shown. */
export function withoutCredentials(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed) return 'an address that is not a URL';
  if (!parsed.username && !parsed.password) return url;
  parsed.username = parsed.password = '';
  return parsed.href;
}

/** The user and password of a URL as a header, since fetch does not accept them in the URL. */
function authorization(url: string): Record<string, string> {
  const { username, password } = new URL(url);
  if (!username && !password) return {};
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(user).toString('base64')}` };
}

function checkUrl(url: string): void {
  try {
    authorization(url);
  } catch {
    throw new Permanent(
      'not a URL; in a user name and password, every character except letters and digits must be percent-encoded',
    );
  }
}

/**
 * The HTTP client, loaded with the first download: its WebAssembly sets aside 10 GB of addresses. Without them Node ends
 * the process while the client is loaded, so they are asked for first.
 */
async function client(): Promise<typeof import('undici')> {
  const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: new (size: { initial: number }) => unknown } })
    .WebAssembly;
  try {
    new Memory({ initial: 1 });
  } catch (error) {
    throw systemError(error);
  }
  return import('undici');
}

/** An internal error that another attempt cannot fix. */
class Permanent extends Error {}

const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);
const LONGEST_PAUSE_MS = 60_000;
const AGAIN = { then: 'run the same command again' };

/**
 * Downloads `url` to `destination` and creates its folder. A destination that already has the checksum is kept. Until
 * the file is complete it is a `.part` file in the same folder; each process has its own. Throws ERR_DATA_MISSING (what
 * failed, and how to place the file by hand), ERR_DATA_CHECKSUM (nothing is left behind), ERR_DISK or ERR_OUTPUT (the
 * file cannot be written), or the signal's reason.
 */
export async function download(url: string, destination: string, options: DownloadOptions = {}): Promise<void> {
  const target = await followed(resolve(destination));
  options.signal?.throwIfAborted();
  if (hasChecksum(options) && (await wrongChecksum(target, options).catch(() => 'absent')) === undefined) return;
  try {
    await mkdir(dirname(target), { recursive: true });
    const part = await claimPart(target, hasChecksum(options));
    try {
      await complete(url, part, options);
      await rename(part.path, target);
    } finally {
      await part.release();
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof ChestMnistError) throw error;
    if (isWriteError(error))
      throw writeError(error, target, { ...AGAIN, ...(options.instead && { instead: options.instead }) });
    throw new ChestMnistError(
      'ERR_DATA_MISSING',
      {
        found: `${withoutCredentials(url)} could not be downloaded (${reasonOf(error)})`,
        needed: 'a connection to it (https_proxy and no_proxy are respected)',
        next: `run the same command again to resume, or download the file by hand and place it at ${target}`,
      },
      { cause: error },
    );
  }
}

/** Retries until the part is complete and has the right checksum. */
async function complete(url: string, part: Part, options: DownloadOptions): Promise<void> {
  checkUrl(url);
  const { attempts = 5, retryDelayMs = 1000, signal } = options;
  const { EnvHttpProxyAgent } = await client();
  const agent = new EnvHttpProxyAgent();
  const file = await open(part.path, 'a+');
  try {
    // Bytes kept from an earlier call may belong to an older file: after a wrong checksum it starts over once.
    let fresh = (await file.stat()).size === 0;
    for (let failures = 0; ;) {
      const before = (await file.stat()).size;
      try {
        await fetchRest(url, file, dirname(part.path), before, agent, options);
        const wrong = await wrongChecksum(part.path, options);
        if (wrong === undefined) return await flush(file);
        await file.truncate(0);
        if (fresh) throw checksumError(url, wrong);
        fresh = true;
      } catch (error) {
        signal?.throwIfAborted();
        if (!canRetry(error)) throw error;
        failures = (await file.stat()).size > before ? 1 : failures + 1;
        if (failures >= attempts) throw error;
        const delay = Math.min(retryDelayMs * 2 ** (failures - 1), LONGEST_PAUSE_MS);
        options.onRetry?.(reasonOf(error), delay);
        await sleep(delay, undefined, { signal });
      }
    }
  } finally {
    await file.close();
    await agent.destroy();
  }
}

/** Requests what follows the first `have` bytes and appends it to `file`. */
async function fetchRest(
  url: string,
  file: FileHandle,
  directory: string,
  have: number,
  agent: EnvHttpProxyAgent,
  options: DownloadOptions,
): Promise<void> {
  const { size, signal, onProgress, stallTimeoutMs = 30_000 } = options;
  if (size !== undefined && have >= size) {
    if (have === size) return;
    await file.truncate(0);
    have = 0;
  }
  const stalled = new AbortController();
  const timer = setTimeout(
    () => stalled.abort(new Error(`nothing arrived for ${stallTimeoutMs / 1000} s`)),
    stallTimeoutMs,
  );
  try {
    const { fetch } = await client();
    const response = await fetch(withoutCredentials(url), {
      dispatcher: agent,
      signal: signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal,
      headers: {
        'accept-encoding': 'identity',
        ...authorization(url),
        ...(have > 0 ? { range: `bytes=${have}-` } : {}),
      },
    });
    const { start, total } = placeOf(response, have);
    if (response.status === 416 && start === have) return;
    // The body does not continue the part: start over (status 200 sends the whole file, from 0).
    if (start !== have) await file.truncate(0);
    if (start !== have && start !== 0) throw new Error('the server does not resume where the part ends');
    if (size !== undefined && total !== undefined && total !== size) {
      throw new Permanent(`the server offers ${total} bytes instead of ${size}`);
    }
    const whole = total ?? size;
    if (whole !== undefined) await checkRoom(directory, whole - start, AGAIN);
    let done = start;
    onProgress?.(done, whole);
    for await (const chunk of response.body ?? []) {
      timer.refresh();
      const bytes = chunk as Uint8Array;
      if (whole !== undefined && done + bytes.length > whole) throw new Permanent(`more than ${whole} bytes arrived`);
      await file.appendFile(bytes);
      done += bytes.length;
      onProgress?.(done, whole);
    }
    if (whole !== undefined && done < whole) throw new Error(`the connection ended at ${done} of ${whole} bytes`);
  } finally {
    clearTimeout(timer);
  }
}

/** Where the body of a response starts in the file, and the file's size if the response states it. */
function placeOf(response: Response, have: number): { start: number; total?: number } {
  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  const size = (text: string | null | undefined) => (text && /^\d+$/.test(text) ? Number(text) : undefined);
  if (response.status === 200) return { start: 0, total: size(response.headers.get('content-length')) };
  if (response.status === 206) return { start: size(range?.[1]) ?? -1, total: size(range?.[2]) };
  // Either the part is complete, or it is longer than the file and the download starts over.
  if (response.status === 416 && have > 0) return { start: size(range?.[2]) === have ? have : -1 };
  const message = `HTTP ${response.status} ${response.statusText}`.trim();
  throw TRANSIENT_STATUS.has(response.status) ? new Error(message) : new Permanent(message);
}

const hasChecksum = ({ md5, sha256 }: DownloadOptions): boolean => md5 !== undefined || sha256 !== undefined;

/** The checksum that is wrong, or undefined. Rejects when the file cannot be read. */
async function wrongChecksum(
  path: string,
  { md5, sha256, signal }: DownloadOptions,
): Promise<{ found: string; needed: string } | undefined> {
  for (const [algorithm, needed] of [['md5', md5] as const, ['sha256', sha256] as const]) {
    if (needed === undefined) continue;
    const found = await hashFile(path, algorithm, signal);
    if (found !== needed.toLowerCase()) return { found: `${algorithm} ${found}`, needed: `${algorithm} ${needed}` };
  }
  return undefined;
}

function checksumError(url: string, { found, needed }: { found: string; needed: string }): ChestMnistError {
  return new ChestMnistError('ERR_DATA_CHECKSUM', {
    found: `the file from ${withoutCredentials(url)} has ${found}`,
    needed,
    next: 'try again later or through another network: something between you and the server changes the file',
  });
}

/** False when the file system refuses or when another attempt cannot help. */
const canRetry = (error: unknown): boolean =>
  !(error instanceof Permanent || error instanceof ChestMnistError || isWriteError(error));

/** fetch reports only "fetch failed"; the reason is in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  if (cause instanceof Error) return `${message}: ${cause.message || (cause as NodeJS.ErrnoException).code}`;
  return message;
}
