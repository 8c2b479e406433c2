/**
 * The sub-path `chestmnist/metrics`: metrics of multi-label, binary, multi-class and ordinal predictions as pure functions
 * over typed arrays. It loads neither the addon nor any dependency. Predictions are [N, L] row-major: N images, L labels.
 * Conventions: types.ts.
 */
export { comparePredictions } from './bootstrap';
export type { ComparisonInput } from './bootstrap';
export { calibrationCurve } from './calibration';
export type { CalibrationCurve, CalibrationOptions } from './calibration';
export type { ConfidenceOptions } from './check';
export { computeMetrics, macroAuc, macroAveragePrecision, meanAccuracy } from './compute';
export type { MetricsInput } from './compute';
export { precisionRecallCurve, rocCurve } from './curves';
export type { CurveOptions, PrecisionRecallCurve, RocCurve } from './curves';
export { predictionsOfLabel } from './label';
export { bceWithLogits, bceWithScores, crossEntropyWithLogits, crossEntropyWithScores, sigmoid, softmax } from './loss';
export type { Task } from '../base/task';
export { decide, parseThresholdRule, parseThresholds, tuneThresholds, untunedLabels } from './thresholds';
export type * from './types';
