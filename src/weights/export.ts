/**
 * `chestmnist export`: writes a resnet18's weights as safetensors, .pth or ONNX. It replaces a file only with `force`.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { ChestMnistError } from '../base/errors';
import type { StateDict, Stem } from '../engine/contract';
import { metadataOf } from './metadata';
import { writeOnnx } from './onnx';
import { writePth } from './pth-writer';
import { writeSafetensors } from './safetensors';
import { recognise } from './state';
import { checkValues } from './values';

export type ExportFormat = 'safetensors' | 'pth' | 'onnx';

/** The weights and what is known about them. Sides are in pixels, null when unknown (then ONNX leaves H and W free). */
export interface ExportSource {
  readonly state: StateDict;
  readonly labels: readonly string[];
  readonly imageSize: number | null;
  readonly inputSize: number | null;
}

export interface Exported {
  /** Absolute path. */
  file: string;
  format: ExportFormat;
  bytes: number;
  stem: Stem;
  labels: string[];
  input_size: number | null;
}

/**
 * Writes `source` to `output`, atomically. Every format carries the label names, the
 * sizes and the stem in its metadata.
 * ERR_OUTPUT when the file exists (without `force`), ERR_OUTPUT or ERR_DISK when it cannot be written, ERR_WEIGHTS when
 * the state dict is not a resnet18's.
 */
export async function exportWeights(
  source: ExportSource,
  options: { format: ExportFormat; output: string; force?: boolean },
): Promise<Exported> {
  const file = path.resolve(options.output);
  const there = await stat(file).catch(() => undefined);
  if (there && !options.force) {
    throw new ChestMnistError('ERR_OUTPUT', {
      found: `${file} exists`,
      needed: 'an output that does not exist, or --force to replace it',
      next: 'choose another --output, or add --force',
    });
  }
  const { stem, state } = recognise(source.state);
  checkValues(state, 'the weights to export');
  const { labels, inputSize } = source;
  const metadata = metadataOf(source, stem);
  switch (options.format) {
    case 'safetensors':
      await writeSafetensors(file, state, metadata);
      break;
    case 'pth':
      await writePth(file, state, metadata);
      break;
    case 'onnx':
      await writeOnnx(file, state, { metadata, inputSize: inputSize ?? undefined });
      break;
  }
  const { size } = await stat(file);
  return { file, format: options.format, bytes: size, stem, labels: [...labels], input_size: inputSize };
}
