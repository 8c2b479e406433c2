/**
 * Weights in and out of files, with torchvision's names and shapes: .safetensors and .pth both ways, ONNX out.
 * The addon is not needed.
 */
import path from 'node:path';
import { checkArgument, checkFields, OBJECT, rule, TEXT } from '../base/arguments';
import { ChestMnistError } from '../base/errors';
import { expandHome } from '../base/folders';
import { outputAt } from '../base/output';
import type { StateDict } from '../engine/contract';
import { openWeights } from './open';
import { writePth } from './pth-writer';
import { writeSafetensors } from './safetensors';
import { checkSavable } from './tensor';
import { checkValues } from './values';

export { fitHead, withTemperatures } from './head';
export { imagenetWeights } from './imagenet';
export { openWeights } from './open';
export { readSafetensors, writeSafetensors } from './safetensors';
export { recognise } from './state';

const FILE = rule('the path of a file of weights', TEXT.is);
const METADATA = rule(
  'an object of strings',
  (value) => OBJECT.is(value) && Object.values(value as object).every((text) => typeof text === 'string'),
);

/**
 * The weights in a file, in the file's order: .safetensors, or what torch.save wrote (a state dict, or any dict that
 * holds one, as trainers save it). A ResNet-18 is found under any prefix and in the names of torchvision, timm, MedMNIST,
 * Hugging Face or nn.Sequential, and gets torchvision's; losses and metrics beside it are left out. `key` names one of
 * several networks, such as `ema`; without it the first that is no average is read. The content decides, not the
 * extension; nothing in the file is executed. Values: F32 and I64 as they are; F16, BF16 and F64 become F32. Whether it is
 * a ResNet-18 is not checked.
 * ERR_CONFIG when the file cannot be opened or has nothing under `key`, ERR_WEIGHTS when it cannot be used or a value is
 * not finite.
 */
export async function loadWeights(file: string, options: { key?: string } = {}): Promise<StateDict> {
  checkArgument('file', file, FILE);
  checkFields('options', options, { key: TEXT });
  return (await openWeights(expandHome(file), options.key)).state;
}

/**
 * Writes a state dict (F32 and I64 entries) atomically in the format of the extension: .safetensors, or .pth/.pt. Links
 * are followed. `metadata` (strings) is kept in the file: for .safetensors together with `format: pt`, for .pth in the `_metadata` that
 * PyTorch keeps with a state dict. `labels` (JSON), `image_size` and `input_size` are read by evaluate and predict.
 * ERR_CONFIG for another extension; ERR_OUTPUT or ERR_DISK when the file cannot be written; ERR_WEIGHTS for an invalid
 * entry or a value that is not finite.
 */
export async function saveWeights(file: string, state: StateDict, metadata?: Record<string, string>): Promise<void> {
  checkArgument('file', file, FILE);
  if (metadata !== undefined) checkArgument('metadata', metadata, METADATA);
  checkSavable(state);
  checkValues(state, `weights for ${file}`);
  switch (path.extname(file).toLowerCase()) {
    case '.safetensors':
      return (await outputAt(file, ['.safetensors'])).write((place) => writeSafetensors(place, state, metadata));
    case '.pth':
    case '.pt':
      return (await outputAt(file, ['.pth', '.pt'])).write((place) => writePth(place, state, metadata));
    default:
      throw new ChestMnistError('ERR_CONFIG', {
        found: `the file name ${file}`,
        needed: 'the extension .safetensors or .pth',
        next: 'choose another output path; for ONNX, npx chestmnist export RUN --format onnx -o FILE.onnx',
      });
  }
}
