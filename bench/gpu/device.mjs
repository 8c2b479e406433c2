/**
 * The device that the files of this folder work on: `--device cuda` (default), or `cpu` to rehearse them without one,
 * with fewer and smaller cases. Ends the process with exit code 4 where there is no such device.
 */
import os from 'node:os';
import { parseArgs } from 'node:util';
import { native } from '../../dist/engine/addon.js';

export const { device } = parseArgs({ options: { device: { type: 'string', default: 'cuda' } }, strict: false }).values;
export const rehearsed = device === 'cpu';

const status = native().cudaStatus();
if (!rehearsed && !status.available) {
  console.log(`no CUDA device can be used here (${status.reason}): nothing measured`);
  process.exit(4);
}

const what = rehearsed
  ? `a rehearsal on ${os.cpus()[0].model.trim()}`
  : `${status.devices[0].name}, CUDA ${status.builtWith} (driver ${status.driver})`;
export const heading = `${new Date().toISOString().slice(0, 10)}, ${what}, Node ${process.versions.node}, LibTorch ${native().torchVersion()}`;
