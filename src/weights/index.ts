/**
 * Weights in and out of files, with torchvision's names and shapes: .safetensors and .pth both ways, ONNX out.
 * The addon is not needed.
 */
import path from 'node:path';
import { checkArgument, OBJECT, rule, TEXT } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import { expandHome } from '../base/folders';
import { outputAt } from '../base/output';
import type { StateDict } from '../engine/contract';
import { readBytes, withFile } from './file';
import { readPth } from './pth';
import { writePth } from './pth-writer';
import { readSafetensors, writeSafetensors } from './safetensors';

export { fitHead } from './head';
export { imagenetWeights } from './imagenet';
export { readSafetensors, writeSafetensors } from './safetensors';
export { recognise } from './state';

const FILE = rule('the path of a file of weights', TEXT.is);
const METADATA = rule(
  'an object of strings',
  (value) => OBJECT.is(value) && Object.values(value as object).every((text) => typeof text === 'string'),
);

/**
 * The state dict in a file, in the file's order: safetensors, or .pth as torch.save writes it since PyTorch 1.6 (a
 * state dict, or a dict with one under state_dict, model_state_dict, model or net; prefixes module. and _orig_mod.
 * removed). The content decides, not the extension; nothing in the file is executed. Values: F32 and I64 as they are;
 * F16, BF16 and F64 become F32. Names and shapes are not checked here: see checkState and fitHead.
 * ERR_CONFIG when the file cannot be opened, ERR_WEIGHTS when it cannot be used.
 */
export async function loadWeights(named: string): Promise<StateDict> {
  checkArgument('file', named, FILE);
  const file = expandHome(named);
  // A safetensors header is JSON and follows its 8-byte length.
  const start = await withFile(file, (handle, size) => readBytes(handle, 0, Math.min(size, 9)));
  return start[8] === 0x7b ? (await readSafetensors(file)).state : readPth(file);
}

/**
 * Writes a state dict (F32 and I64 entries) atomically in the format of the extension: .safetensors, or .pth/.pt. Links
 * are followed.
 * `metadata` (strings) is written to .safetensors, together with `format: pt`; .pth cannot hold it.
 * ERR_CONFIG for another extension; ERR_OUTPUT or ERR_DISK when the file cannot be written; ERR_WEIGHTS for an invalid
 * entry.
 */
export async function saveWeights(file: string, state: StateDict, metadata?: Record<string, string>): Promise<void> {
  checkArgument('file', file, FILE);
  if (metadata !== undefined) checkArgument('metadata', metadata, METADATA);
  switch (path.extname(file).toLowerCase()) {
    case '.safetensors':
      return (await outputAt(file, ['.safetensors'])).write((place) => writeSafetensors(place, state, metadata));
    case '.pth':
    case '.pt':
      return (await outputAt(file, ['.pth', '.pt'])).write((place) => writePth(place, state));
    default:
      throw new ChestMnistError('ERR_CONFIG', {
        found: `the file name ${file}`,
        needed: 'the extension .safetensors or .pth',
        next: 'choose another output path; for ONNX, npx chestmnist export RUN --format onnx -o FILE.onnx',
      });
  }
}
