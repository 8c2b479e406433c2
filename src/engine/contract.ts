/**
 * The native contract as TypeScript types: everything that crosses between JavaScript and the addon. Plain values and
 * typed arrays cross; no tensor object does. Not here: loading the addon (addon.ts).
 */
import type { ImageView } from '../data/expand';
import type { ChestMnistError } from '../base/errors';
import type { Augmentation } from '../recipe/augment';
import type { CudaStatus } from '../setup/cuda';

/** Every name that crosses the boundary. The addon exports the same as `contract`, and addon.ts compares the two. */
export const CONTRACT = {
  /** Fields of TrainerConfig. */
  config: [
    ...(['stem', 'labelCount', 'criterion', 'labelWeights', 'positiveFocus', 'negativeFocus', 'margin'] as const),
    ...(['smoothing', 'channels', 'imageSize', 'inputSize', 'device', 'precision', 'threads', 'seed'] as const),
    ...(['optimizer', 'learningRate', 'weightDecay', 'decayNorms', 'clipNorm', 'averageDecay', 'exact'] as const),
  ],
  stem: ['torchvision', 'cifar'],
  criterion: ['binary-cross-entropy', 'cross-entropy'],
  /**
   * For tests: `fp64`, plain operators only, measures rounding (floats still cross as float32); `bf16-emulated` is bf16 as on
   * AMX, without it.
   */
  precision: ['fp32', 'bf16', 'bf16-emulated', 'fp64'],
  optimizer: ['adam', 'adamw'],
  dtype: ['F32', 'I64'],
} as const satisfies Record<string, readonly string[]>;

export type Stem = (typeof CONTRACT.stem)[number];
export type Criterion = (typeof CONTRACT.criterion)[number];
export type Precision = (typeof CONTRACT.precision)[number];
export type OptimizerName = (typeof CONTRACT.optimizer)[number];

/** The configuration of a trainer. Every field is required: the options have the defaults. */
export interface TrainerConfig {
  stem: Stem;
  /** L: number of labels, the width of the logits. */
  labelCount: number;
  /** Mean over batch and labels, or, where an image has exactly one of the labels, over the batch. */
  criterion: Criterion;
  /** [L]: of each label's positive term, or of each exclusive label; empty for ones. */
  labelWeights: Float32Array;
  /** Exponents of the loss: 0 for cross-entropy, or from 1 (native/core/loss.h). */
  positiveFocus: number;
  negativeFocus: number;
  /** What is taken off the probability of a negative, from 0, below 1. */
  margin: number;
  /** The part of a target that is spread evenly over its values, from 0, below 1. */
  smoothing: number;
  /** Of the images passed in: 1 for gray, which is repeated to 3, or 3 for RGB. */
  channels: 1 | 3;
  /** Side of the images passed in, in pixels. */
  imageSize: number;
  /** Side of the network's input after nearest-neighbour resizing; equal to imageSize for no resizing. */
  inputSize: number;
  /** `cpu`, `cuda` or `cuda:N`; `auto` is resolved in TypeScript. */
  device: string;
  precision: Precision;
  /** CPU threads of this trainer's operators, at least 1. */
  threads: number;
  /** Seed of the initial weights, as in torch.manual_seed. */
  seed: number;
  optimizer: OptimizerName;
  learningRate: number;
  weightDecay: number;
  /** Whether weights of norms and biases decay too. */
  decayNorms: boolean;
  /** The most that the norm of all gradients may be; 0 for no limit. */
  clipNorm: number;
  /** Decay of the moving average of the state, from 0, below 1; 0 keeps none. */
  averageDecay: number;
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
  /** Sum of the loss over the samples so far. The sums of an epoch's parts add up to the epoch's sum, bit for bit. */
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
  /**
   * [samples, L, s, s] if asked for: what each position of the last layer adds to a logit, which is the mean over the positions
   * plus the bias.
   */
  evidence?: Float32Array;
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
  loadSplit(name: string, images: ImageView, labels: Uint8Array): Promise<void>;
  /**
   * Trains on split `split` (default `train`) in the given order (indices into it, uint8 images normalised to
   * (x/255-0.5)/0.5). A last batch of one sample is merged into the batch before it. `learningRates` has one rate per
   * step; without it the last one stays, at first that of the configuration. onProgress is called at most 10 times a
   * second, on the JavaScript thread; reports are dropped, not queued.
   */
  trainEpoch(
    args: {
      order: Int32Array;
      batchSize: number;
      split?: string;
      learningRates?: Float64Array;
      augmentation?: Augmentation;
    },
    onProgress?: (progress: EpochProgress) => void,
  ): Promise<EpochResult>;
  /** Logits in evaluation mode, of a loaded split or of images passed in; `averaged`: of the averaged weights. */
  predict(
    args: { batchSize: number; averaged?: boolean; evidence?: boolean } & ({ split: string } | { images: ImageView }),
    onProgress?: (progress: { samples: number; seconds: number }) => void,
  ): Promise<PredictResult>;
  /** `averaged`: of the moving average. */
  stateDict(options?: { averaged: boolean }): Promise<StateDict>;
  /**
   * Strict: other names, shapes or dtypes reject with ERR_WEIGHTS and change nothing. The moving average starts again at
   * loaded weights; `averaged` loads the average itself.
   */
  loadStateDict(state: StateDict, options?: { averaged: boolean }): Promise<void>;
  /** `step` (F32, shape []), then `exp_avg.<parameter>` and `exp_avg_sq.<parameter>` (F32). */
  optimizerState(): Promise<StateDict>;
  /** Equally strict; rejects with ERR_CHECKPOINT_INCOMPATIBLE, since only a checkpoint holds this state. */
  loadOptimizerState(state: StateDict): Promise<void>;
  /** Gradients of one batch in training mode, by parameter name; nothing is updated. For parity tests. */
  gradients(args: {
    order: Int32Array;
    split?: string;
    augmentation?: Augmentation;
  }): Promise<{ loss: number; gradients: StateDict }>;
  /** Ends the running trainEpoch or predict at the next batch boundary. No effect when idle. */
  cancel(): void;
  /** Cancels, waits for the thread, frees all memory. Idempotent. */
  dispose(): Promise<void>;
  /** The device, for logs. */
  readonly device: string;
  /**
   * LibTorch's operators (`plain`), the same recorded as CUDA graphs (`graphed`), or native/cpu's kernels (`fast`, and
   * `fast-bf16` with the operands of products in bfloat16).
   */
  readonly execution: 'plain' | 'graphed' | 'fast' | 'fast-bf16';
}

export interface NativeAddon {
  /** CONTRACT in the sources that the addon was built from. */
  readonly contract: typeof CONTRACT;
  Trainer: new (config: TrainerConfig) => Trainer;
  /** LibTorch version at run time, e.g. `2.13.0`. */
  torchVersion(): string;
  cudaStatus(): CudaStatus;
  /** The instruction set of LibTorch's CPU kernels, e.g. `AVX2`. */
  cpuCapability(): string;
  /** Sets the class of native errors. */
  setErrorClass(errorClass: typeof ChestMnistError): void;
}
