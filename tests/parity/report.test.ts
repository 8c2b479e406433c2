/**
 * What we write, read by those it is meant for: the real TensorBoard, and Python's reading of a MedMNIST result CSV with
 * the figures by scikit-learn as MedMNIST's Evaluator computes them. TensorBoard and pandas are looked for in the
 * reference Python; a comparison whose package is absent is skipped by name.
 */
import path from 'node:path';
import { drawReport } from '../../src/report';
import { writePredictions } from '../../src/run/predictions';
import { TensorBoardWriter } from '../../src/run/tensorboard';
import { describeWithPython, runReference, testWith } from '../support/reference';
import { datasetOf, folder, makeRun, metricsOf, removeRuns, scoredOf } from '../support/report-fixture';

afterAll(removeRuns);

interface Events {
  /** [step, value, wall time] by tag. */
  scalars: Record<string, [number, number, number][]>;
  /** [step, width, height, first bytes in hex]. */
  images: Record<string, [number, number, number, string]>;
  /** [plug-in, number of thresholds, rows]. */
  curves: Record<string, [string, number, number[][]]>;
}

const READ_EVENTS = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0, 'images': 0, 'tensors': 0}).Reload()
tags = events.Tags()
def image(tag):
    e = events.Images(tag)[0]
    return [e.step, e.width, e.height, e.encoded_image_string[:8].hex()]
curve = {}
for tag in tags['tensors']:
    plugin = events.SummaryMetadata(tag).plugin_data
    from tensorboard.plugins.pr_curve import plugin_data_pb2
    curve[tag] = [plugin.plugin_name, plugin_data_pb2.PrCurvePluginData.FromString(plugin.content).num_thresholds,
                  tensor_util.make_ndarray(events.Tensors(tag)[0].tensor_proto).tolist()]
print(json.dumps({
    'scalars': {tag: [[e.step, e.value, e.wall_time] for e in events.Scalars(tag)] for tag in tags['scalars']},
    'images': {tag: image(tag) for tag in tags['images']}, 'curves': curve}))
`;

describeWithPython('TensorBoard', () => {
  testWith('tensorboard')('shows an epoch that was trained again once, as it was last', async () => {
    const run = await makeRun();
    const row = { lr: 1e-3, valLoss: 0.25, valAuc: 0.7, valAp: null, valAcc: 0.9, seconds: 1, imagesPerSecond: 100 };
    for (const [first, trainLoss] of [
      [1, 0.5],
      [2, 0.25],
    ]) {
      const writer = new TensorBoardWriter(run, `.${first}`);
      if (first > 1) writer.restart(first);
      for (const epoch of [first, first + 1, first + 2]) writer.epoch({ ...row, epoch, trainLoss });
      await writer.close();
    }
    const { scalars } = (await runReference(READ_EVENTS, run)) as Events;
    expect(scalars['loss/train'].map(([step, value]) => [step, value])).toEqual([
      [1, 0.5],
      [2, 0.25],
      [3, 0.25],
      [4, 0.25],
    ]);
  });

  testWith('tensorboard')('reads the scalars, pictures and precision-recall curves of a run', async () => {
    const run = await makeRun();
    const writer = new TensorBoardWriter(run);
    const row = { lr: 1e-3, valLoss: 0.25, valAuc: 0.7, valAp: null, valAcc: 0.9, seconds: 1, imagesPerSecond: 100 };
    for (const epoch of [1, 2, 3]) writer.epoch({ ...row, epoch, trainLoss: 1 / epoch }, 1700000000 + epoch);
    await writer.close();
    const dataset = datasetOf();
    await drawReport(run, { dataset });
    const read = (await runReference(READ_EVENTS, run)) as Events;
    expect(read.scalars['loss/train']).toEqual(
      [1, 2, 3].map((epoch) => [epoch, Math.fround(1 / epoch), 1700000000 + epoch]),
    );
    expect(Object.keys(read.scalars).sort()).toEqual([
      'accuracy/val',
      'auc/val',
      'images_per_second',
      'loss/train',
      'loss/val',
      'lr',
    ]);
    expect(Object.keys(read.images)).toHaveLength(20);
    expect(read.images['plots/loss']).toEqual([2, 840, 684, '89504e470d0a1a0a']);
    expect(Object.keys(read.curves)).toHaveLength(28);
    const [plugin, thresholds, [tp, fp, tn, fn]] = read.curves['pr_test/hernia'];
    expect([plugin, thresholds]).toEqual(['pr_curves', 127]);
    const { support, n } = metricsOf(dataset).splits.test;
    expect([tp[0], fp[0], tn[0], fn[0]]).toEqual([support[13], n - support[13], 0, 0]);
  });
});

const EVALUATE = (read: string): string => `
import json, os, sys
import numpy as np
from sklearn.metrics import roc_auc_score, accuracy_score
labels = np.load(sys.argv[2])['labels']
${read}
labels = np.delete(labels, 6, 1); scores = np.delete(scores, 6, 1)
auc = np.mean([roc_auc_score(labels[:, i], scores[:, i]) for i in range(13)])
acc = np.mean([accuracy_score(labels[:, i], scores[:, i] > 0.5) for i in range(13)])
flag, split, *_ = os.path.basename(sys.argv[1]).split('_')
print(json.dumps([flag, split, sys.argv[1].split('@')[-1].split('.')[0], auc, acc, list(scores.shape)]))
`;

describeWithPython('MedMNIST result CSV', () => {
  const dataset = datasetOf();
  const metrics = metricsOf(dataset).splits.test;
  // Without pneumonia, which has no positive: the Evaluator's AUC would be undefined with it.
  const accuracies = metrics.accuracy.per_label.filter((_, label) => label !== 6);
  const write = async (): Promise<string[]> =>
    writePredictions(await folder(), scoredOf(dataset.splits.test), {
      flag: 'chestmnist',
      size: 28,
      split: 'test',
      run: 'r1',
      auc: metrics.auc.macro,
      acc: metrics.accuracy.mean,
    });
  type Evaluated = [flag: string, split: string, run: string, auc: number, acc: number, shape: number[]];
  const check = ([flag, split, run, auc, acc, shape]: Evaluated): void => {
    expect([flag, split, run, shape]).toEqual(['chestmnist', 'test', 'r1', [160, 13]]);
    expect(auc).toBeCloseTo(metrics.auc.macro!, 9);
    expect(acc).toBeCloseTo(accuracies.reduce((sum, value) => sum + value) / 13, 9);
  };

  test('read by numpy, it gives our AUC and ACC by scikit-learn', async () => {
    const [csv, npz] = await write();
    check(
      (await runReference(EVALUATE("scores = np.loadtxt(sys.argv[1], delimiter=',')[:, 1:]"), csv, npz)) as Evaluated,
    );
    expect(path.basename(csv)).toContain(
      `[AUC]${metrics.auc.macro!.toFixed(3)}_[ACC]${metrics.accuracy.mean.toFixed(3)}`,
    );
  });

  testWith('pandas')('read by pandas as the Evaluator does, it gives the same', async () => {
    const [csv, npz] = await write();
    const read = 'import pandas as pd\nscores = pd.read_csv(sys.argv[1], index_col=0, header=None).sort_index().values';
    check((await runReference(EVALUATE(read), csv, npz)) as Evaluated);
  });
});
