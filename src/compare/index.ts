/**
 * Runs, ensembles and files of predictions side by side: figures with paired intervals, the options that differ, and the
 * images that one gets right and another wrong. The first is compared with each of the others. Not here: how one is opened
 * (side.ts), the figures (metrics/), the page (page.ts).
 */
import { checkArgument, checkFields, ANY, rule, TEXT, type Rule } from '../base/arguments';
import { writeAtomically } from '../base/atomic';
import { ChestMnistError } from '../base/errors';
import { checkNotRead, outputAt } from '../base/output';
import { isExclusive, isTask, TASKS, type Task } from '../base/task';
import { areUnnamed, namesFor, unnamed } from '../data/labels';
import { checkSameImages } from '../judge/prediction-files';
import { THRESHOLDS, thresholdsOf, type GivenThresholds } from '../judge/thresholds';
import { computeMetrics } from '../metrics';
import { agreementOf } from '../metrics/agreement';
import { scoreTogether } from '../metrics/bootstrap';
import { checkConfidence, DEFAULT_THRESHOLD, thresholdsFor } from '../metrics/check';
import { decisionsOf } from '../metrics/thresholds';
import { SCORED_SPLITS, type ScoredSplit } from '../run/directory';
import { optionsThatDiffer } from './options';
import { isFolder, openPredictions, openRun, type Side } from './side';
import type { RunsComparison } from './types';

export interface CompareOptions {
  /** The split of runs; default `test`. Files have the predictions of one split, which must be the same. */
  split?: ScoredSplit;
  /**
   * One for all labels (default 0.5), one per label, a rule tuned on the validation split of each run, or the path of a
   * JSON file of thresholds.
   */
  thresholds?: GivenThresholds;
  /** For MedMNIST's result .csv: the .npz file of their true labels. */
  labels?: string;
  /** What the labels ask, for files; default that of the runs beside them, else what the columns suggest. */
  task?: Task;
  /** Names of the labels in column order; default those of the runs. */
  labelNames?: readonly string[];
  /** Bootstrap resamples, from 1; default 2,000. */
  resamples?: number;
  /** Seed of the resamples; default 0, as in metrics.json. */
  seed?: number;
  /** Also write the comparison as one self-contained page to this path, `.html`. */
  output?: string;
}

/** Two differ visibly in every chart; more than eight do not. */
const MOST = 8;

const OPTIONS: Readonly<Record<keyof CompareOptions, Rule>> = {
  split: rule('val or test', (value) => SCORED_SPLITS.includes(value as ScoredSplit)),
  thresholds: THRESHOLDS,
  labels: TEXT,
  task: rule(TASKS.join(', '), isTask),
  labelNames: rule('an array of names', (value) => Array.isArray(value) && value.every(TEXT.is)),
  resamples: ANY, // with the seed, by the rules of all bootstrap settings
  seed: ANY,
  output: rule('the path of an .html file', TEXT.is),
};

/**
 * Compares `sources`, two to eight run directories, ensembles or files of predictions (`.npz`, or MedMNIST's `.csv` with
 * `labels`), on the same images: the first with each of the others. Throws ERR_CONFIG, ERR_DATA_SHAPE when their images or
 * labels are not the same, ERR_DATA_MISSING for a run without predictions, and the other ERR_DATA_ codes.
 */
export async function compareRuns(sources: readonly string[], options: CompareOptions = {}): Promise<RunsComparison> {
  checkFields('options', options, OPTIONS);
  checkSources(sources);
  const { split = 'test', thresholds = DEFAULT_THRESHOLD, labels: labelsFile, labelNames, seed } = options;
  const settings = checkConfidence({ resamples: options.resamples, seed });
  const chosen = await thresholdsOf(thresholds);
  const place = options.output === undefined ? undefined : await outputAt(options.output, ['.html']);
  if (place) for (const source of sources) await checkNotRead(place, [source, labelsFile], source);
  const sides = await openAll(sources, split, options);
  const [first] = sides;
  const { labelCount, truth } = first.predictions;
  const task = taskOf(first);
  const notes = [...sides.flatMap(({ notes }) => notes), ...checkSame(sides)];
  const labels = labelNames ? namesFor(labelNames, labelCount) : labelsOf(sides, notes);
  // Exclusive labels have no thresholds: a rule is refused as a number is.
  const tuned = (side: Side): number | number[] =>
    typeof chosen !== 'string' ? chosen : isExclusive(task) ? NaN : side.tuned(chosen);
  const given = sides.map(tuned);
  const own = given.map((of) => thresholdsFor({ task, labelCount }, of));
  const { confidence, comparisons } = scoreTogether(
    sides.map(({ predictions }) => predictions),
    own,
    settings,
  );
  const decisions = sides.map(({ predictions }, i) => decisionsOf(predictions, own[i]));
  const differing = optionsThatDiffer(sides.flatMap(({ options }) => options ?? []));
  const result: RunsComparison = {
    ...{ split, task, labels },
    sides: sides.map(({ source, kind, data, options, seeds, bestEpoch, history, predictions }, i) => ({
      ...{ name: nameOf(i), source, kind },
      ...(data && { data: { name: data.name, size: data.size, md5: data.md5 } }),
      ...(options && { options: Object.fromEntries(differing.map((name) => [name, options[name]])) }),
      ...(seeds && { seeds: [...seeds] }),
      ...{ best_epoch: bestEpoch, history: [...history] },
      metrics: {
        ...computeMetrics({ ...predictions, threshold: given[i] }),
        confidence: confidence[i],
      },
    })),
    pairs: comparisons.map((figures, i) => ({
      ...{ a: nameOf(0), b: nameOf(i + 1), figures },
      images: agreementOf(truth, decisions[0], decisions[i + 1], labelCount),
    })),
    notes: [...new Set(notes)],
  };
  await place?.write(async (file) => {
    const { renderComparison } = await import('./page.js');
    const page = renderComparison(result, sides);
    await writeAtomically(file, (handle) => handle.writeFile(page));
  });
  return result;
}

const nameOf = (i: number): string => String.fromCharCode(65 + i);
const taskOf = ({ predictions }: Side): Task => predictions.task ?? 'multi-label';

function checkSources(sources: unknown): void {
  const all = rule('an array of paths', (value) => Array.isArray(value) && value.every(TEXT.is));
  checkArgument('sources', sources, all);
  const { length } = sources as string[];
  if (length >= 2 && length <= MOST) return;
  throw new ChestMnistError('ERR_CONFIG', {
    found: `${length === 1 ? 'one' : length || 'nothing'} to compare`,
    needed: `two to ${MOST} runs, ensembles or files of predictions`,
    next: length < 2 ? 'name another one, from the list of npx chestmnist runs' : 'compare fewer at a time',
  });
}

/** Runs first: files are read by the task of a run beside them. */
async function openAll(
  sources: readonly string[],
  split: ScoredSplit,
  { labels, task }: CompareOptions,
): Promise<Side[]> {
  const sides: Side[] = new Array<Side>(sources.length);
  const files: number[] = [];
  for (const [i, source] of sources.entries()) {
    if (await isFolder(source)) sides[i] = await openRun(source, split);
    else files.push(i);
  }
  const ofRun = Object.values(sides)[0] as Side | undefined;
  for (const i of files) sides[i] = await openPredictions(sources[i], labels, task ?? (ofRun && taskOf(ofRun)));
  return sides;
}

/** Refuses predictions of other images, of another task or on other data; returns what could not be checked. */
function checkSame([first, ...others]: readonly Side[]): string[] {
  const notes: string[] = [];
  for (const other of others) {
    const [mine, theirs] = [first, other].map(taskOf);
    if (mine !== theirs) throw different(first, other, `is ${mine}`, `is ${theirs}`, 'one task');
    checkSameImages(first.source, first.predictions, other.source, other.predictions);
  }
  const known = [first, ...others].filter(({ data }) => data && data.name !== 'synthetic');
  for (const other of known.slice(1)) {
    const [a, b] = [known[0].data!, other.data!];
    if (a.md5 === b.md5) continue;
    const text = (of: typeof a): string => `was scored on ${of.name} of ${of.size} px with MD5 ${of.md5}`;
    if (a.size === b.size)
      throw different(known[0], other, text(a), text(b), 'one data set: the labels agree, the images may not');
    notes.push(
      `${known[0].source} ${text(a)}, ${other.source} on images of ${b.size} px: their labels are the same, so that they are taken for the same images`,
    );
  }
  return notes;
}

const different = (a: Side, b: Side, mine: string, theirs: string, needed: string): ChestMnistError =>
  new ChestMnistError('ERR_DATA_SHAPE', {
    found: `${a.source} ${mine}, ${b.source} ${theirs}`,
    needed: `predictions for the same images, in the same order, of ${needed}`,
    next: 'compare models that were scored on one split of one data set',
  });

/** The names of the first side that has some. */
function labelsOf(sides: readonly Side[], notes: string[]): string[] {
  const named = sides.filter(({ labels }) => labels && !areUnnamed(labels));
  const [first] = named;
  if (!first) return unnamed(sides[0].predictions.labelCount);
  const other = named.find(({ labels }) => labels!.join() !== first.labels!.join());
  if (other)
    notes.push(
      `${other.source} calls the labels ${other.labels!.join(', ')}; here they have the names of ${first.source}`,
    );
  return [...first.labels!];
}
