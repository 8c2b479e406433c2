/**
 * Images per second of this machine, training and predicting, on synthetic images: medians over repeats after a
 * warm-up. Not here: comparisons with PyTorch (bench/).
 */
import { synthesize } from '../data';
import { viewOf } from '../data/expand';
import { resolveDevice } from '../engine/device';
import { precisionNotes, trainerOf } from '../engine/trainer';
import { native } from '../engine/addon';
import type { Trainer } from '../engine/contract';
import { resolveOptions, threadsOf } from '../recipe/resolve';
import type { TrainOptions } from '../recipe/options';
import { order } from '../recipe/order';

export type ThroughputOptions = Pick<
  TrainOptions,
  'size' | 'resize' | 'stem' | 'head' | 'batchSize' | 'device' | 'precision' | 'threads'
>;

/** Median and single repeats, in images per second. */
export interface Rate {
  images_per_second: number;
  repeats: number[];
}

export interface Throughput {
  device: string;
  libtorch: string;
  cpu_capability: string;
  threads: number;
  precision: string;
  exact: boolean;
  /** Where the precision is not the one that was asked for. */
  note?: string;
  stem: string;
  head: string;
  size: number;
  input_size: number;
  batch_size: number;
  /** Images per repeat. */
  images: number;
  train: Rate;
  predict: Rate;
}

const BATCHES = 8;
const REPEATS = 5;

/** Takes about half a minute on two cores at 28 px. Throws as `train` does. */
export async function throughput(given: ThroughputOptions = {}): Promise<Throughput> {
  const options = resolveOptions(given);
  const { device } = resolveDevice(options.device);
  const images = BATCHES * options.batchSize;
  const dataset = synthesize({ size: options.size ?? 28, counts: { train: images, val: 1, test: 1 } });
  const trainer = trainerOf(options, dataset, device);
  try {
    const { train } = dataset.splits;
    const [note] = precisionNotes(options, trainer);
    await trainer.loadSplit('train', viewOf(train), train.truth);
    return {
      device: trainer.device,
      libtorch: native().torchVersion(),
      cpu_capability: native().cpuCapability(),
      threads: threadsOf(options),
      precision: options.precision,
      exact: options.exact,
      ...(note !== undefined && { note }),
      ...{ stem: options.stem, head: options.head },
      size: dataset.size,
      input_size: options.resize ?? dataset.size,
      batch_size: options.batchSize,
      images,
      train: await rateOf((repeat) => trainOnce(trainer, order(0, repeat, images), options.batchSize)),
      predict: await rateOf(() => trainer.predict({ split: 'train', batchSize: options.batchSize })),
    };
  } finally {
    await trainer.dispose();
  }
}

const trainOnce = (trainer: Trainer, order: Int32Array, batchSize: number): ReturnType<Trainer['trainEpoch']> =>
  trainer.trainEpoch({ order, batchSize });

async function rateOf(pass: (repeat: number) => Promise<{ samples: number; seconds: number }>): Promise<Rate> {
  await pass(0); // warm-up: memory is allocated, kernels are chosen
  const repeats: number[] = [];
  for (let repeat = 1; repeat <= REPEATS; repeat++) {
    const { samples, seconds } = await pass(repeat);
    repeats.push(samples / seconds);
  }
  return { images_per_second: [...repeats].sort((a, b) => a - b)[(REPEATS - 1) / 2], repeats };
}
