import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { sigmoid } from '../../../src/metrics';
import { bestOf, outOfPatience, writeHistory, type EpochRow } from '../../../src/run/history';
import { rowOf } from '../../../src/train/journal';

const row = (epoch: number, valAuc: number | null, valLoss = 1): EpochRow => ({
  epoch,
  lr: 1e-3,
  trainLoss: 0.5,
  valLoss,
  valAuc,
  valAp: null,
  valAcc: 0.9,
  seconds: 2,
  imagesPerSecond: 100,
});

test('the best epoch is the first with the highest AUC', () => {
  expect(bestOf([row(1, 0.5), row(2, 0.7), row(3, 0.7), row(4, 0.6)], 'auc')?.epoch).toBe(2);
  expect(bestOf([], 'auc')).toBeUndefined();
});

test('without an AUC the lowest validation loss decides', () => {
  expect(bestOf([row(1, null, 0.3), row(2, null, 0.2), row(3, null, 0.25)], 'auc')?.epoch).toBe(2);
});

test('patience counts epochs since the best', () => {
  const history = [row(1, 0.5), row(2, 0.7), row(3, 0.6)];
  expect(outOfPatience(history, { patience: 2, select: 'auc' })).toBe(false);
  expect(outOfPatience([...history, row(4, 0.6)], { patience: 2, select: 'auc' })).toBe(true);
  expect(outOfPatience([...history, row(4, 0.8)], { patience: 2, select: 'auc' })).toBe(false);
  expect(outOfPatience(history, { patience: null, select: 'auc' })).toBe(false);
  expect(outOfPatience([], { patience: 1, select: 'auc' })).toBe(false);
});

test('a row says what was trained and what validation says', () => {
  const logits = Float32Array.of(2, -1, -2, 0.4);
  const val = {
    truth: Uint8Array.of(1, 0, 0, 0),
    logits,
    scores: sigmoid(logits),
    labelCount: 2,
    loss: 0.4,
  };
  const made = rowOf({ epoch: 3, samples: 100, lossSum: 25, seconds: 4 }, 1e-4, val, 1);
  // Label 0 is ranked perfectly; label 1 has no positive. Three of four decisions are right.
  expect(made).toEqual({
    epoch: 3,
    lr: 1e-4,
    trainLoss: 0.25,
    valLoss: 0.4,
    valAuc: 1,
    valAp: 1,
    valAcc: 0.75,
    seconds: 5,
    imagesPerSecond: 25,
  });
});

test('history.csv has the columns of the contract; an undefined AUC is an empty field', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'history-'));
  try {
    await writeHistory(directory, [row(1, 0.5), row(2, null)]);
    expect(await readFile(path.join(directory, 'history.csv'), 'utf8')).toBe(
      'epoch,lr,train_loss,val_loss,val_auc,val_acc,seconds,images_per_second,val_ap\n' +
        '1,0.001,0.5,1,0.5,0.9,2,100,\n2,0.001,0.5,1,,0.9,2,100,\n',
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});
