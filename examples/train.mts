/** Trains on synthetic radiographs, prints each epoch, and stops with a checkpoint on Ctrl-C. Argument: a data set (.npz). */
import { train } from 'chestmnist';

const run = train({
  data: process.argv[2] ?? 'synthetic',
  limitTrain: 2000,
  limitVal: 500,
  limitTest: 500,
  epochs: 4,
  patience: 2,
});
process.once('SIGINT', () => run.stop());

for await (const event of run) {
  if (event.type === 'start')
    console.log(`${event.data.counts.train} images on ${event.device}: ${event.runDirectory}`);
  if (event.type === 'note') console.log(event.text);
  if (event.type === 'epoch')
    console.log(`epoch ${event.epoch}  loss ${event.trainLoss.toFixed(4)}  val AUC ${event.valAuc?.toFixed(4)}`);
}

const result = await run;
if (result.status === 'finished') {
  const { auc, f1, all_negative: nothing } = result.metrics.splits.test;
  console.log(
    `test: AUC ${auc.macro?.toFixed(3)} (predicting nothing: ${nothing.auc_macro}), F1 ${f1.macro?.toFixed(3)}`,
  );
} else if (result.runDirectory !== null) {
  console.log(`stopped; to go on: train({ resume: ${JSON.stringify(result.runDirectory)} })`);
}
