/** The public API. Importing it loads neither LibTorch nor the addon: the first train, evaluate or predict does. */
export { train, type TrainControl } from './train';
export { tune, type TuneControl, type TuneEvent, type TuneOptions, type TuneResult } from './tune';
export type { SearchSpace } from './recipe/space';
export type { Rung, Trial, TrialResult } from './run/search';
export type { TrainEvent, TrainResult } from './train/events';
export type { TrainingRun } from './train/training-run';
export type { EpochRow } from './run/history';
export type { ResolvedOptions, TrainOptions } from './recipe/options';
export { evaluate, type Evaluation, type EvaluateOptions } from './judge/evaluate';
export { predict, type Prediction } from './judge/predict';
export type { PredictOptions } from './judge/pictures';
export { explain, type Explanation, type ExplainOptions, type Finding } from './explain';
export {
  expandToRgb,
  loadDataset,
  type DataFacts,
  type Dataset,
  type LoadOptions,
  type Split,
  type SplitName,
} from './data';
export { compareRuns, type CompareOptions } from './compare';
export type { ComparedPair, ComparedSide, RunsComparison } from './compare/types';
export type { Agreement } from './metrics/agreement';
export { listRuns, type ListedRun, type ListOptions, type RunsList, type RunsOrder } from './run/list';
export { importImages, type ImportOptions, type ImportResult } from './import';
export { loadWeights, saveWeights } from './weights';
export type { StateDict, StateEntry } from './engine/contract';
export type { Metrics, MetricsFile, ThresholdRule } from './metrics/types';
export type { Task } from './base/task';
export { ChestMnistError, type CudaUnavailableReason, type ErrorCode } from './base/errors';
