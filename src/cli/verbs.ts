/** The verbs of the command line: a summary of each, and its file, which is loaded on use. */
import type { Verbs } from './verb';

/** By name, in the order of the help. */
export const VERBS: Verbs = {
  train: { summary: 'train ResNet-18 and write a run directory', load: () => import('./verbs/train.js') },
  tune: { summary: 'search ranges of options on validation', load: () => import('./verbs/tune.js') },
  evaluate: { summary: 'score a split with a run or a file of weights', load: () => import('./verbs/evaluate.js') },
  metrics: { summary: "the metrics of any model's predictions", load: () => import('./verbs/metrics.js') },
  report: { summary: 'draw the plots and report.html of a run again', load: () => import('./verbs/report.js') },
  compare: { summary: 'runs and predictions side by side', load: () => import('./verbs/compare.js') },
  runs: { summary: 'a table of the runs in a folder', load: () => import('./verbs/runs.js') },
  predict: { summary: 'probabilities and decisions for images', load: () => import('./verbs/predict.js') },
  explain: { summary: 'heat maps of what a model reacts to', load: () => import('./verbs/explain.js') },
  export: { summary: 'write weights that other tools load', load: () => import('./verbs/export.js') },
  import: { summary: 'make a data set of pictures and their table', load: () => import('./verbs/import.js') },
  data: { summary: 'data set facts, download, check, synthesize', load: () => import('./verbs/data.js') },
  setup: { summary: 'find or get LibTorch and the addon', load: () => import('./verbs/setup.js') },
  doctor: { summary: 'what was found on this machine, and what to do', load: () => import('./verbs/doctor.js') },
  bench: { summary: 'images per second on this machine', load: () => import('./verbs/bench.js') },
  completion: {
    summary: 'a script that completes commands in your shell',
    load: () => import('./verbs/completion.js'),
  },
};
