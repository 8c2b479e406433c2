/**
 * The native contract as TypeScript types: all that crosses between JavaScript and the addon. Plain values and typed
 * arrays cross; no tensor object does. Not here: loading the addon (addon.ts).
 */
import type { ExpandedView } from '../data/expand';
import type { ChestMnistError } from '../base/errors';
import type { CudaStatus } from '../setup/cuda';

/** Every name that crosses. The addon exports the same as `contract`, and addon.ts compares the two. */
export const CONTRACT = {
  /** Fields of TrainerConfig. */
  config: [
    ...(['stem', 'labelCount', 'imageSize', 'inputSize', 'device', 'precision'] as const),
    ...(['threads', 'seed', 'optimizer', 'learningRate', 'weightDecay', 'exact'] as const),
  ],
  stem: ['torchvision', 'cifar'],
  /** `fp64` is for tests, which measure rounding with it: plain operators alone, and floats cross as float32 all the same. */
  precision: ['fp32', 'bf16', 'fp64'],
  optimizer: ['adam', 'adamw'],
  dtype: ['F32', 'I64'],
} as const satisfies Record<string, readonly string[]>;

export type Stem = (typeof CONTRACT.stem)[number];
export type Precision = (typeof CONTRACT.precision)[number];
export type OptimizerName = (typeof CONTRACT.optimizer)[number];

/** What a trainer is made from. Every field is required: defaults are those of the options. */
export interface TrainerConfig {
  stem: Stem;
  /** L: number of labels, the width of the logits. */
  labelCount: number;
  /** Side of the images handed over, in pixels. */
  imageSize: number;
  /** Side the network sees after nearest resizing; equal to imageSize for none. */
  inputSize: number;
  /** `cpu`, `cuda` or `cuda:N`; `auto` is resolved in TypeScript. */
  device: string;
  precision: Precision;
  /** CPU threads of this trainer's operators, at least 1. */
  threads: number;
  /** Seed of the initial weights, as torch.manual_seed. */
  seed: number;
  optimizer: OptimizerName;
  learningRate: number;
  weightDecay: number;
  /** True for LibTorch's plain operators even where a faster execution of the same function exists. */
  exact: boolean;
}

/** One named parameter or buffer, little-endian bytes in C order. */
export interface StateEntry {
  readonly name: string;
  readonly dtype: (typeof CONTRACT.dtype)[number];
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}
/** In torchvision's state_dict order (122 entries for ResNet-18). */
export type StateDict = StateEntry[];

export interface EpochProgress {
  /** Samples and steps (optimizer steps) done so far in this call. */
  samples: number;
  steps: number;
  /** Sum of the loss over the samples so far; the sums of an epoch's parts add up to the whole's, to the last bit. */
  lossSum: number;
  /** Mean loss over the samples so far. */
  loss: number;
  seconds: number;
}

export interface EpochResult extends EpochProgress {
  /** True when cancel() ended the call at a batch boundary before the order was exhausted. */
  cancelled: boolean;
}

export interface PredictResult {
  /** [samples, L] row-major. */
  logits: Float32Array;
  samples: number;
  seconds: number;
  cancelled: boolean;
}

/**
 * A model, its optimizer and its data on one device, with one thread of its own. One call runs at a time: a second
 * rejects with ERR_BUSY; any call after dispose() with ERR_DISPOSED.
 */
export interface Trainer {
  /** Copies a split to the device: view [N, 3, H, W] uint8, labels [N, L] of 0/1. Replaces a split of that name. */
  loadSplit(name: string, images: ExpandedView, labels: Uint8Array): Promise<void>;
  setLearningRate(learningRate: number): void;
  /**
   * Trains on split `split` (default `train`) in the given order (indices into it, uint8 images normalised to
   * (x/255-0.5)/0.5). A last batch of one sample is merged into the batch before it. onProgress is called at most
   * 10 times a second, on the JavaScript thread; reports are dropped, not queued.
   */
  trainEpoch(
    args: { order: Int32Array; batchSize: number; split?: string },
    onProgress?: (progress: EpochProgress) => void,
  ): Promise<EpochResult>;
  /** Logits in evaluation mode, of a loaded split or of images handed over. */
  predict(
    args: { batchSize: number } & ({ split: string } | { images: ExpandedView }),
    onProgress?: (progress: { samples: number; seconds: number }) => void,
  ): Promise<PredictResult>;
  stateDict(): Promise<StateDict>;
  /** Strict: the same names, shapes and dtypes, or ERR_WEIGHTS and nothing is changed. */
  loadStateDict(state: StateDict): Promise<void>;
  /** `step` (F32, shape []), then `exp_avg.<parameter>` and `exp_avg_sq.<parameter>` (F32). */
  optimizerState(): Promise<StateDict>;
  /** As strict; ERR_CHECKPOINT_INCOMPATIBLE, since only a checkpoint holds it. */
  loadOptimizerState(state: StateDict): Promise<void>;
  /** Gradients of one batch in training mode, by parameter name; nothing is updated. For tests of parity. */
  gradients(args: { order: Int32Array; split?: string }): Promise<{ loss: number; gradients: StateDict }>;
  /** Ends the running trainEpoch or predict at the next batch boundary. No effect when idle. */
  cancel(): void;
  /** Cancels, waits for the thread, frees all memory. Idempotent. */
  dispose(): Promise<void>;
  /** What runs: for logs. */
  readonly device: string;
  /** How: `plain` operators, the same recorded as CUDA graphs (`graphed`), or the kernels of native/cpu (`fast`). */
  readonly execution: 'plain' | 'graphed' | 'fast';
}

export interface NativeAddon {
  /** As CONTRACT, of the sources that the addon was built from. */
  readonly contract: typeof CONTRACT;
  Trainer: new (config: TrainerConfig) => Trainer;
  /** LibTorch version at run time, e.g. `2.13.0`. */
  torchVersion(): string;
  cudaStatus(): CudaStatus;
  /** e.g. `AVX2`; the instruction set LibTorch's CPU kernels use. */
  cpuCapability(): string;
  /** The class native errors are made of. */
  setErrorClass(errorClass: typeof ChestMnistError): void;
}
