/**
 * pip as a downloader: it knows the user's mirrors, proxies and certificates. One retry and a short timeout, so that it
 * fails within seconds on a machine without a network.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ChestMnistError } from '../base/errors';
import { pythons } from './locate';

export interface PipOptions {
  env: NodeJS.ProcessEnv;
  /** Receives a line per file that pip starts to download. */
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
  /** Whether dependencies are downloaded too. */
  deps: boolean;
}

/**
 * Downloads wheels into `folder`; returns the paths of all wheels there. Throws an Error with pip's reason, or ERR_DISK
 * when the disk is full.
 */
export async function pipDownload(requirements: string[], folder: string, options: PipOptions): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const args = ['-m', 'pip', 'download', '--only-binary=:all:', '--disable-pip-version-check', '--progress-bar', 'off'];
  args.push('--retries', '1', '--timeout', '15', ...(options.deps ? [] : ['--no-deps']), '--dest', folder);
  const reasons: string[] = [];
  for (const python of pythons(options.env)) {
    let result = await run(python, [...args, ...requirements], options);
    // LibTorch does not depend on Python: for a Python too old or too new for this torch, the wheel of another will do.
    if (result.code !== 0 && /No matching distribution/.test(result.text) && !/connection broken/i.test(result.text)) {
      result = await run(python, [...args, '--python-version', '3.12', ...requirements], options);
    }
    if (result.code === 0) {
      return readdirSync(folder)
        .filter((name) => name.endsWith('.whl'))
        .map((name) => path.join(folder, name));
    }
    if (/No space left on device|Disk quota exceeded/i.test(result.text)) throw full(folder, reasonOf(result.text));
    reasons.push(`${python}: ${reasonOf(result.text)}`);
  }
  throw new Error(reasons.join('; '));
}

/** pip writes to the folder of temporary files first, so either disk may be the full one. */
const full = (folder: string, reason: string): ChestMnistError =>
  new ChestMnistError('ERR_DISK', {
    found: `pip could not write its downloads: ${reason}`,
    needed: `room in the folder of temporary files (TMPDIR) and in ${path.dirname(folder)}`,
    next: 'free some space there, then run the same command again',
  });

/** The relevant line of pip's output: its last error, else its last line. */
function reasonOf(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
  const error = lines.findLast((line) => line.startsWith('ERROR:'))?.slice('ERROR:'.length);
  const offline =
    /Failed to establish a new connection|Temporary failure in name resolution|Network is unreachable|timed out/i.exec(
      text,
    )?.[0];
  return [(error ?? lines.at(-1) ?? 'no output').trim(), ...(offline ? [`(${offline})`] : [])].join(' ');
}

async function run(
  program: string,
  args: string[],
  { env, log, signal }: PipOptions,
): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], ...(signal ? { signal } : {}) });
    let text = '';
    const collect = (chunk: string): void => {
      text = (text + chunk).slice(-65_536);
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve({ code: -1, text: 'no such Python' });
      else reject(error);
    });
    if (child.pid === undefined) return; // not started: it may have no streams
    child.stdout.setEncoding('utf8').on('data', collect);
    createInterface(child.stdout).on('line', (line) => {
      // The file name and the size behind it; some versions of pip print the whole URL.
      const file = /^\s*Downloading (?:\S*\/)?([^\s/]+\.whl)(?:\s+(\([^)]*\)))?/.exec(line);
      if (file && !/\.metadata/.test(line)) log(`  ${[file[1], file[2]].filter(Boolean).join(' ')}`);
    });
    child.stderr.setEncoding('utf8').on('data', collect);
    child.once('close', (code) => resolve({ code: code ?? -1, text }));
  });
}
