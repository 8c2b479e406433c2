/**
 * TensorBoard event files: scalars, images and precision-recall curves, each on disk when the call returns. Formats:
 * TFRecord framing (length, masked CRC-32C, data, masked CRC-32C) and tensorboard/compat/proto's event and summary.
 * Not here: when they are written (train/index.ts) and the pictures (report/tensorboard.ts).
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { writeError } from '../base/disk';
import { ChestMnistError } from '../base/errors';
import type { Predictions } from '../metrics/types';
import type { EpochRow } from './history';
import { bytes, float, integer, message, nested, string, type Encoded } from '../base/protobuf';

/** The prefix of event files, by which TensorBoard finds them. */
export const EVENTS = 'events.out.tfevents.';

/** Appends events to a new file, `events.out.tfevents.<seconds>.<process>.<n>` and a suffix, in a run directory. */
export class TensorBoardWriter {
  /** Path of the event file. */
  readonly file: string;
  private descriptor: number | undefined;

  /** Creates the file. Throws ERR_OUTPUT or ERR_DISK when the directory is missing or cannot be written. */
  constructor(directory: string, suffix = '') {
    [this.file, this.descriptor] = create(directory, suffix);
    try {
      this.append(Date.now() / 1000, [string(3, 'brain.Event:2')]);
    } catch (error) {
      void this.close();
      rmSync(this.file, { force: true });
      throw error;
    }
  }

  /** One number (NaN is allowed) at a step; `wallTime` in seconds since 1970, now by default. Throws ERR_DISPOSED after close. */
  scalar(tag: string, value: number, step: number, wallTime = Date.now() / 1000): void {
    this.summary([message(string(1, tag), float(2, value))], step, wallTime);
  }

  /** The figures of one epoch as scalars; an undefined AUC is left out. */
  epoch(row: EpochRow, wallTime = Date.now() / 1000): void {
    const scalars: Record<string, number | null> = {
      'loss/train': row.trainLoss,
      'loss/val': row.valLoss,
      'auc/val': row.valAuc,
      'accuracy/val': row.valAcc,
      lr: row.lr,
      images_per_second: row.imagesPerSecond,
    };
    const values = Object.entries(scalars).flatMap(([tag, value]) =>
      value === null ? [] : [message(string(1, tag), float(2, value))],
    );
    this.summary(values, row.epoch, wallTime);
  }

  /** A run continues at `step`: TensorBoard drops that step and later ones from this and earlier files. */
  restart(step: number): void {
    this.append(Date.now() / 1000, [integer(2, step), nested(7, message(integer(1, SESSION_START)))]);
  }

  /** A PNG of `width` x `height` pixels. */
  image(tag: string, png: Uint8Array, width: number, height: number, step: number, wallTime = Date.now() / 1000): void {
    const image = message(integer(1, height), integer(2, width), integer(3, RGBA), bytes(4, png));
    this.summary([message(string(1, tag), nested(4, image))], step, wallTime);
  }

  /** The precision-recall curve of one label: `truth` [N] of 0/1, `scores` [N] from 0 to 1, at 127 equal steps of threshold. */
  prCurve(
    tag: string,
    truth: Uint8Array,
    scores: Predictions['scores'],
    step: number,
    wallTime = Date.now() / 1000,
  ): void {
    const content = message(integer(1, 0), integer(2, PR_THRESHOLDS));
    const metadata = message(nested(1, message(string(1, 'pr_curves'), nested(2, content))));
    const shape = message(...[6, PR_THRESHOLDS].map((size) => nested(2, message(integer(1, size)))));
    const rows = prCounts(truth, scores);
    const tensor = message(integer(1, DT_FLOAT), nested(2, shape), bytes(4, new Uint8Array(rows.buffer)));
    this.summary([message(string(1, tag), nested(8, tensor), nested(9, metadata))], step, wallTime);
  }

  /** Closes the file; a second call does nothing. */
  close(): Promise<void> {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    this.descriptor = undefined;
    return Promise.resolve();
  }

  private summary(values: readonly Encoded[], step: number, wallTime: number): void {
    this.append(wallTime, [integer(2, step), nested(5, message(...values.map((value) => nested(1, value))))]);
  }

  private append(wallTime: number, fields: readonly Encoded[]): void {
    if (this.descriptor === undefined) {
      throw new ChestMnistError('ERR_DISPOSED', {
        found: `a write to ${this.file} after close()`,
        needed: 'an open writer',
        next: 'create a new TensorBoardWriter',
      });
    }
    try {
      writeSync(this.descriptor, record(message(double(1, wallTime), ...fields)));
    } catch (cause) {
      throw writeError(cause, this.file);
    }
  }
}

const SESSION_START = 1;
const RGBA = 4;
const DT_FLOAT = 1;
const PR_THRESHOLDS = 127;

function create(directory: string, suffix: string): [file: string, descriptor: number] {
  const stem = path.join(directory, `${EVENTS}${Math.floor(Date.now() / 1000)}.${process.pid}`);
  for (let n = 0; ; n++) {
    const file = `${stem}.${n}${suffix}`;
    try {
      return [file, openSync(file, 'wx')];
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw writeError(cause, file);
    }
  }
}

/**
 * tp, fp, tn, fn, precision and recall, [6, PR_THRESHOLDS], at thresholds from 0 to 1; a score equal to a threshold
 * counts as positive.
 */
function prCounts(truth: Uint8Array, scores: Predictions['scores']): Float32Array {
  const steps = PR_THRESHOLDS - 1;
  // The number of scores that reach each threshold, of negatives and of positives.
  const reached = [new Float64Array(PR_THRESHOLDS), new Float64Array(PR_THRESHOLDS)];
  truth.forEach((value, i) => reached[value][Math.floor(scores[i] * steps)]++);
  for (const counts of reached) for (let i = steps - 1; i >= 0; i--) counts[i] += counts[i + 1];
  const [negatives, positives] = [reached[0][0], reached[1][0]];
  const rows = new Float32Array(6 * PR_THRESHOLDS);
  for (let i = 0; i < PR_THRESHOLDS; i++) {
    const [fp, tp] = [reached[0][i], reached[1][i]];
    const row = [tp, fp, negatives - fp, positives - tp, tp / Math.max(tp + fp, 1), tp / Math.max(positives, 1)];
    row.forEach((value, r) => (rows[r * PR_THRESHOLDS + i] = value));
  }
  return rows;
}

/** A field of eight bytes; the formats of weights do not use it. */
function double(field: number, value: number): Encoded {
  const chunk = new Uint8Array(9);
  chunk[0] = field * 8 + 1;
  new DataView(chunk.buffer).setFloat64(1, value, true);
  return { chunks: [chunk], length: chunk.length };
}

function record({ chunks, length }: Encoded): Buffer {
  const framed = Buffer.alloc(length + 16);
  framed.writeBigUInt64LE(BigInt(length), 0);
  framed.writeUInt32LE(maskedCrc(framed.subarray(0, 8)), 8);
  let position = 12;
  for (const chunk of chunks) {
    framed.set(chunk, position);
    position += chunk.length;
  }
  framed.writeUInt32LE(maskedCrc(framed.subarray(12, 12 + length)), 12 + length);
  return framed;
}

/** CRC-32C (Castagnoli, reflected), one byte at a time. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0x82f63b78 : n >>> 1;
  return n >>> 0;
});

function maskedCrc(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = CRC_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
