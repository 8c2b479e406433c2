/**
 * What a TypeScript consumer writes, checked with `nodenext` and `bundler` and run once. A public type that narrows,
 * widens or disappears fails here.
 */
import {
  ChestMnistError,
  evaluate,
  expandToRgb,
  loadDataset,
  loadWeights,
  predict,
  saveWeights,
  train,
  type Dataset,
  type ErrorCode,
  type Evaluation,
  type Metrics,
  type Prediction,
  type StateDict,
  type TrainEvent,
  type TrainingRun,
  type TrainOptions,
  type TrainResult,
} from 'chestmnist';
import { computeMetrics, tuneThresholds } from 'chestmnist/metrics';

const options: TrainOptions = { data: 'synthetic', epochs: 3, milestones: ['50%', 2], resume: true, device: 'cuda:1' };
// @ts-expect-error an unknown optimizer
export const wrongName: TrainOptions = { optimizer: 'sgdm' };
// @ts-expect-error an unknown option
export const wrongOption: TrainOptions = { epoch: 3 };

/** Every kind of event is told apart by `type`. */
export function describe(event: TrainEvent): string {
  switch (event.type) {
    case 'start':
      return `${event.runDirectory} ${event.data.counts.train}`;
    case 'ensemble':
      return event.seeds.join();
    case 'note':
      return event.text;
    case 'progress':
      return `${event.phase} ${event.done}/${event.total ?? '?'}`;
    case 'epoch':
      return `${event.epoch} ${event.best}`;
    case 'stop':
      return event.resume ?? 'nothing to resume yet';
    case 'finish':
      return `${event.metrics.best_epoch}`;
  }
}

/** A finished run has metrics, a stopped one has none. */
export function aucOf(result: TrainResult): number | null {
  // @ts-expect-error not before it is known that the run finished
  void result.metrics.splits;
  return result.status === 'finished' ? result.metrics.splits.test.auc.macro : null;
}

export async function use(file: string, stop: AbortSignal): Promise<[Evaluation, Prediction, Uint8Array]> {
  const run: TrainingRun = train(options, { signal: stop });
  for await (const event of run) console.log(describe(event));
  run.stop();
  const result: TrainResult = await run;
  // A run that was stopped before it had a directory has none.
  const runDirectory: string | null = result.runDirectory;
  if (runDirectory === null) throw new Error(result.status);
  const dataset: Dataset = await loadDataset('synthetic', { size: 28 });
  const rgb = expandToRgb(dataset.splits.test.images, dataset.splits.test.count, dataset.size);
  const state: StateDict = await loadWeights(file);
  await saveWeights(`${file}.pth`, state);
  const evaluation = await evaluate(runDirectory, { thresholds: 'val-f1', split: 'test' });
  const logits: Float32Array = evaluation.logits;
  console.log(logits.length, rgb.length);
  return [evaluation, await predict(file, ['a.png'], { thresholds: 0.5 }), rgb];
}

export function remedy(error: unknown): { code: ErrorCode; next: string } | undefined {
  return error instanceof ChestMnistError ? { code: error.code, next: error.next } : undefined;
}

const input = { truth: Uint8Array.of(0, 1, 0, 1), scores: Float64Array.of(0.2, 0.9, 0.4, 0.6), labelCount: 1 };
const metrics: Metrics = computeMetrics(input);
// An undefined figure is null, never a made-up number.
const auc: number | null = metrics.auc.macro;
if (auc !== 1 || tuneThresholds('val-f1', input).length !== 1) throw new Error(`AUC ${auc}`);
console.log('ok');
