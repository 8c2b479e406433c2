/** The exports of data/: loading, synthesizing and expanding data sets. */
export { CHESTMNIST, CHESTMNIST_LABELS } from './catalogue';
export { SPLIT_NAMES, type DataFacts, type Dataset, type Split, type SplitName } from './dataset';
export { expandToRgb, expandView, type ExpandedView } from './expand';
export { limitSplit, loadDataset, type LoadOptions } from './load';
export { synthesize, type SynthesizeOptions } from './synthetic';
