/**
 * Loads the addon in a separate process and asks for its facts, so that a crash becomes an error message. Not here:
 * loading it for use (load.ts).
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { shortage } from '../base/disk';
import { ChestMnistError, type ErrorCode, type ErrorParts } from '../base/errors';
import type { CudaStatus } from './cuda';
import type { Resolved } from './load';
import { PACKAGE_ROOT, SETUP_COMMAND } from './versions';

export interface Loaded {
  version: string;
  capability: string;
  cuda: CudaStatus;
}

/** Errors keep their code. A process that dies without one is ERR_NATIVE_MISSING with the signal or exit code. */
const PROBE = `
const { loadAddon } = require(process.argv[1]);
const say = (value) => require('fs').writeSync(3, JSON.stringify(value));
try {
  const addon = loadAddon(JSON.parse(process.argv[2]));
  say({ version: addon.torchVersion(), capability: addon.cpuCapability(), cuda: addon.cudaStatus() });
} catch (error) {
  say({ error: { code: error.code, found: error.found ?? String(error), needed: error.needed, next: error.next } });
}`;

/** Throws the ChestMnistError of loading, or ERR_NATIVE_MISSING when the process dies. */
export async function load(resolved: Resolved): Promise<Loaded> {
  const program = path.join(PACKAGE_ROOT, 'dist', 'setup', 'load.js');
  const child = spawn(process.execPath, ['-e', PROBE, program, JSON.stringify(resolved)], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  let answer = '';
  let chatter = '';
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    if (child.pid === undefined) return; // not started: it has no streams, and the error follows
    child.stdio[3]?.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (chatter = (chatter + chunk.toString()).slice(-2_000)));
    child.once('close', (...end) => resolve(end));
  });
  const said = (answer ? JSON.parse(answer) : { error: {} }) as
    Loaded | { error: Partial<ErrorParts & { code: ErrorCode }> };
  if (!('error' in said)) return said;
  const { code: errorCode, found, needed, next } = said.error;
  const ended = `loading the addon ended its process (${signal ?? `exit ${code}`}) ${chatter.trim()}`.trim();
  if (found === undefined) throw shortage(chatter, ended) ?? died(ended);
  throw new ChestMnistError(errorCode ?? 'ERR_NATIVE_MISSING', {
    found,
    needed: needed ?? LOADS,
    next: next ?? REBUILD,
  });
}

const LOADS = 'an addon and a LibTorch that load on this machine';
const REBUILD = `${SETUP_COMMAND} --rebuild`;

const died = (found: string): ChestMnistError =>
  new ChestMnistError('ERR_NATIVE_MISSING', { found, needed: LOADS, next: REBUILD });
