/** The package's public face. Importing it loads neither LibTorch nor the addon: the first train, evaluate or predict does. */
export { train } from './train';
export type { DataFacts, TrainEvent, TrainResult, TrainingRun } from './events';
export type { EpochRow } from './history';
export type { ResolvedOptions, TrainOptions } from './options';
export { evaluate, type Evaluation, type EvaluateOptions } from './evaluate';
export { predict, type Prediction, type PredictOptions } from './predict';
export { expandToRgb, loadDataset, type Dataset, type LoadOptions, type Split, type SplitName } from './data';
export { loadWeights, saveWeights } from './weights';
export type { StateDict, StateEntry } from './native';
export type { Metrics, MetricsFile, ThresholdRule } from './metrics/types';
export { ChestMnistError, type CudaUnavailableReason, type ErrorCode } from './errors';
