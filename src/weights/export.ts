/**
 * `chestmnist export`: writes a resnet18's weights as safetensors, .pth or ONNX. It replaces a file only with `force`.
 */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { ChestMnistError } from '../base/errors';
import { outputAt, type Output } from '../base/output';
import type { Task } from '../base/task';
import type { Head, StateDict, Stem } from '../engine/contract';
import { metadataOf } from './metadata';
import { onnxOf, writeOnnx } from './onnx';
import { writePth } from './pth-writer';
import { writeSafetensors } from './safetensors';
import { recognise } from './state';
import { checkValues } from './values';

export type ExportFormat = 'safetensors' | 'pth' | 'onnx';

/** Another extension would promise another format; .bin promises none. */
const EXTENSIONS: Readonly<Record<ExportFormat | 'web', readonly string[]>> = {
  safetensors: ['.safetensors', '.bin'],
  pth: ['.pth', '.pt', '.bin', '.ckpt'],
  onnx: ['.onnx', '.bin'],
  web: ['.html', '.htm'],
};

/** The weights and what is known about them. Sides are in pixels, null when unknown (then ONNX leaves H and W free). */
export interface ExportSource {
  readonly state: StateDict;
  readonly task: Task | null;
  readonly channels: 1 | 3 | null;
  readonly labels: readonly string[];
  readonly imageSize: number | null;
  readonly inputSize: number | null;
}

export interface ExportOptions {
  format: ExportFormat;
  output: string;
  /** Replaces a file that exists; default false. */
  force?: boolean;
  /** Weights as float16, in ONNX; default false. */
  half?: boolean;
  /** Told that a pipe has no reader yet. */
  waiting?: (text: string) => void;
  /** Writes the model card beside the file. */
  card?: (exported: Omit<Exported, 'card'>, files: ReturnType<typeof cardFiles>) => Promise<unknown>;
}

export interface Exported {
  /** Absolute path. */
  file: string;
  format: ExportFormat;
  bytes: number;
  stem: Stem;
  head: Head;
  labels: string[];
  input_size: number | null;
  /** Absolute path of the model card as Markdown; null where none was written, as beside a pipe. */
  card: string | null;
}

/** Where the model card of an exported file stands. */
export const cardFiles = (file: string) => ({ markdown: `${file}.card.md`, json: `${file}.card.json` });

/**
 * Writes `source` to `output`, atomically. Every format carries the task, the label names, the sizes, the stem and an attention head in its metadata.
 * ERR_CONFIG for the extension of another format; ERR_OUTPUT when the file exists (without `force`), ERR_OUTPUT or
 * ERR_DISK when it cannot be written, ERR_WEIGHTS when a value is not finite or
 * the state dict is not a resnet18's.
 */
export async function exportWeights(source: ExportSource, options: ExportOptions): Promise<Exported> {
  const output = await outputFor(options.format, options);
  const cards = cardFiles(output.path);
  const { stem, head, state } = recognise(source.state);
  checkValues(state, 'the weights to export');
  const { labels, inputSize } = source;
  const metadata = metadataOf(source, { stem, head });
  let bytes = 0;
  await output.write(async (file) => {
    switch (options.format) {
      case 'safetensors':
        await writeSafetensors(file, state, metadata);
        break;
      case 'pth':
        await writePth(file, state, metadata);
        break;
      case 'onnx':
        await writeOnnx(file, state, { metadata, inputSize: inputSize ?? undefined, half: options.half });
        break;
    }
    bytes = (await stat(file)).size;
  });
  const { format } = options;
  const exported = { file: output.path, format, bytes, stem, head, labels: [...labels], input_size: inputSize };
  if (output.isSink || !options.card) return { ...exported, card: null };
  await options.card(exported, cards);
  return { ...exported, card: cards.markdown };
}

/** Where the file goes. ERR_CONFIG for the extension of another format, ERR_OUTPUT when it or its card exists, without `force`. */
export async function outputFor(
  format: ExportFormat | 'web',
  { force, card, ...options }: Pick<ExportOptions, 'output' | 'force' | 'card' | 'waiting'>,
): Promise<Output> {
  const output = await outputAt(options.output, EXTENSIONS[format], options.waiting);
  const there = [output.path, ...(card ? Object.values(cardFiles(output.path)) : [])].find((file) => existsSync(file));
  if (!output.isSink && there !== undefined && !force) {
    throw new ChestMnistError('ERR_OUTPUT', {
      found: `${there} exists`,
      needed: 'an output that does not exist, or --force to replace it',
      next: 'choose another --output, or add --force',
    });
  }
  return output;
}

/** The ONNX file of `source`, in memory. ERR_WEIGHTS as above. */
export function onnxBytes(source: ExportSource, { half }: Pick<ExportOptions, 'half'>): Uint8Array {
  const { stem, head, state } = recognise(source.state);
  checkValues(state, 'the weights to export');
  const inputSize = source.inputSize ?? undefined;
  return Buffer.concat(onnxOf(state, { metadata: metadataOf(source, { stem, head }), inputSize, half }).chunks);
}
