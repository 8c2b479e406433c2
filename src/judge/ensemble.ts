/**
 * The end of an ensemble's training: what its members predicted becomes the predictions and the figures of the ensemble.
 * Not here: the prediction of other images with it (model.ts), its training (train/ensemble.ts).
 */
import { ChestMnistError } from '../base/errors';
import { shellWord } from '../base/shell';
import { comparePredictions } from '../metrics';
import { predictionsOf } from '../metrics/loss';
import { deviation, meanLogits } from '../metrics/mean';
import type { EnsembleFigures, Figure, Metrics, MetricsFile, Predictions, RankSummary } from '../metrics/types';
import { readConfig } from '../run/config';
import { resumeCommand, runFiles, SCORED_SPLITS, type ScoredSplit } from '../run/directory';
import { checkMember, ofMember, type Ensemble } from '../run/ensemble';
import { readMetrics } from '../run/metrics-file';
import { readScored } from '../run/predictions';
import { readRunFile } from '../run/record';
import type { Selection } from '../run/history';
import { beforeOf, CONFIDENCE, writeScored, type Scored } from './score';

interface Member {
  seed: number;
  metrics: MetricsFile;
  scored: Record<ScoredSplit, Predictions>;
}

/** Scores the members together and writes metrics.json and predictions/ of the ensemble. They are all finished. */
export async function scoreEnsemble(directory: string, ensemble: Ensemble): Promise<MetricsFile> {
  const members: Member[] = [];
  for (const { seed } of ensemble.members)
    members.push(await ofMember(directory, seed, () => readMember(directory, seed, ensemble)));
  const [first] = members;
  const { task = 'multi-label', labels } = first.metrics;
  const meanOf = (split: ScoredSplit, logitsOf: (member: Member) => Float32Array): Scored => {
    const { truth, labelCount } = first.scored[split];
    const logits = meanLogits(task, members.map(logitsOf), labelCount);
    return predictionsOf(task, { truth, logits, labelCount });
  };
  const together = (split: ScoredSplit): Scored => {
    for (const { seed, scored } of members)
      if (!Buffer.from(scored[split].truth).equals(first.scored[split].truth)) throw otherTruth(directory, seed, split);
    return meanOf(split, ({ scored }) => scored[split].logits as Float32Array);
  };
  /** As without `--calibrate`. */
  const uncalibrated = (split: ScoredSplit): Scored =>
    meanOf(split, ({ metrics: { calibration }, scored }) =>
      (scored[split].logits as Float32Array).map(
        (logit, i) => logit * (calibration?.temperatures?.[i % labels.length] ?? 1),
      ),
    );
  const scored = { val: together('val'), test: together('test') };
  const calibration = ensemble.options.calibrate
    ? { temperatures: null, kept: [], before: beforeOf({ val: uncalibrated('val'), test: uncalibrated('test') }) }
    : undefined;
  const { resamples, select } = ensemble.options;
  const best = bestOf(members, select);
  const comparison =
    resamples > 0
      ? comparePredictions({
          ...{ task, truth: scored.test.truth, labelCount: labels.length },
          ...{ a: scored.test.scores, aLogits: scored.test.logits },
          ...{ b: best.scored.test.scores, bLogits: best.scored.test.logits },
          confidence: { ...CONFIDENCE, resamples },
        })
      : undefined;
  const { name, size } = ensemble.data;
  return writeScored(directory, { name, size, task, labels }, scored, {
    resamples,
    more: {
      best_epoch: null,
      ensemble: { ...figuresOf(members), best: best.seed, ...(comparison && { comparison }) },
      ...(calibration && { calibration }),
    },
  });
}

async function readMember(directory: string, seed: number, ensemble: Ensemble): Promise<Member> {
  const place = runFiles(directory).member(seed);
  checkMember(directory, seed, ensemble, { config: await readConfig(place), record: await readRunFile(place) });
  const metrics = await readMetrics(place);
  const [val, test] = await Promise.all(SCORED_SPLITS.map((split) => readScored(place, split, metrics?.task)));
  if (metrics && val && test) return { seed, metrics, scored: { val, test } };
  throw new ChestMnistError('ERR_DATA_MISSING', {
    found: `${place} has lost its ${metrics ? 'predictions' : 'metrics.json'}`,
    needed: 'the files of a finished run',
    next: resumeCommand(place),
  });
}

/** The best on validation, by what chose the best epochs. */
function bestOf(members: readonly Member[], select: Selection): Member {
  const figureOf = ({ metrics: { splits } }: Member): number => {
    const { auc, average_precision: ap, loss } = splits.val;
    const figure = select === 'auc' ? auc.macro : select === 'ap' ? ap.macro : null;
    return figure ?? -(loss ?? Infinity);
  };
  return members.reduce((best, member) => (figureOf(member) > figureOf(best) ? member : best));
}

const ranksOf = ({ auc, average_precision: ap }: Metrics): RankSummary<Figure> => ({
  auc_macro: auc.macro,
  average_precision_macro: ap.macro,
});

function figuresOf(all: readonly Member[]): Pick<EnsembleFigures, 'members' | 'mean'> {
  const members = all.map(({ seed, metrics: { best_epoch, splits } }) => ({
    ...{ seed, best_epoch: best_epoch! },
    ...{ val: ranksOf(splits.val), test: ranksOf(splits.test) },
  }));
  const over = (split: ScoredSplit, name: keyof RankSummary<Figure>): { mean: Figure; sd: Figure } => {
    const values = members.map((member) => member[split][name]).filter((value) => value !== null);
    return values.length === members.length ? deviation(values) : { mean: null, sd: null };
  };
  const ofSplit = (split: ScoredSplit): EnsembleFigures['mean']['val'] => ({
    auc_macro: over(split, 'auc_macro'),
    average_precision_macro: over(split, 'average_precision_macro'),
  });
  return { members, mean: { val: ofSplit('val'), test: ofSplit('test') } };
}

function otherTruth(directory: string, seed: number, split: ScoredSplit): ChestMnistError {
  const place = runFiles(directory).member(seed);
  return new ChestMnistError('ERR_CHECKPOINT_INCOMPATIBLE', {
    found: `the labels in ${runFiles(place).scored(split)} are not those of the other members`,
    needed: 'predictions of the same images',
    next: `remove that file, then ${resumeCommand(place)}; or remove ${shellWord(place)}, then ${resumeCommand(directory)} trains it again`,
  });
}
