/**
 * metrics.json: written at the end of a run, and read back through a schema of what the report uses, so that a damaged
 * file gives one clear error instead of a page of NaN. The shape and its meaning: metrics/types.ts.
 */
import { z } from 'zod';
import { writeJson } from '../base/json';
import { TASKS } from '../base/task';
import type { MetricsFile } from '../metrics/types';
import { runFiles } from './directory';
import { readOwn, unexpected } from './own-json';

const figure = z.number().nullable();
const whole = z.int().min(0);
const micro = { macro: figure, micro: figure };

/** The schema of one split with `labelCount` labels. */
function metricsOf(labelCount: number) {
  const each = <S extends z.ZodType>(schema: S) => z.array(schema).length(labelCount);
  const perLabel = { per_label: each(figure) };
  const rank = z.looseObject({ ...micro, ...perLabel });
  const averaged = z.looseObject({ ...micro, weighted: figure, samples: figure, ...perLabel });
  const label = z.looseObject({ macro: figure, ...perLabel });
  const interval = z.tuple([figure, figure]);
  return z.looseObject({
    n: whole.min(1),
    loss: figure.optional(),
    task: z.enum(TASKS).optional(),
    threshold: z.union([z.number(), each(z.number())]).nullable(),
    auc: rank,
    average_precision: rank,
    accuracy: z.looseObject({ mean: z.number(), subset: z.number(), ...perLabel }),
    balanced_accuracy: label,
    specificity: label,
    mcc: label,
    precision: averaged,
    recall: averaged,
    f1: averaged,
    brier: label,
    ece: label,
    confusion_matrix: each(each(whole)).optional(),
    quadratic_weighted_kappa: figure.optional(),
    majority: z
      .looseObject({
        class: whole,
        accuracy: z.number(),
        f1_macro: z.number(),
        recall_macro: z.number(),
        auc_macro: figure,
        average_precision_macro: figure,
      })
      .optional(),
    confusion: each(z.tuple([z.tuple([whole, whole]), z.tuple([whole, whole])])),
    support: each(whole),
    prevalence: each(z.number()),
    all_negative: z.looseObject({
      accuracy: z.number(),
      f1_macro: z.number(),
      recall_macro: z.number(),
      auc_macro: figure,
      average_precision_macro: figure,
    }),
    confidence: z
      .looseObject({
        level: z.number(),
        resamples: whole,
        auc_macro: interval,
        average_precision_macro: interval,
        f1_macro: interval,
        recall_macro: interval,
        auc_per_label: each(interval),
        average_precision_per_label: each(interval),
      })
      .optional(),
  });
}

const rankSummary = <S extends z.ZodType>(schema: S) =>
  z.looseObject({ auc_macro: schema, average_precision_macro: schema });
const spread = rankSummary(z.looseObject({ mean: figure, sd: figure }));
const compared = z.looseObject({
  a: figure,
  b: figure,
  difference: figure,
  interval: z.tuple([figure, figure]),
  a_better: figure,
});
const ensembleFigures = z.looseObject({
  members: z
    .array(z.looseObject({ seed: whole, best_epoch: whole, val: rankSummary(figure), test: rankSummary(figure) }))
    .min(2),
  mean: z.looseObject({ val: spread, test: spread }),
  best: whole,
  comparison: rankSummary(compared).optional(),
});

/** The checked content of metrics.json, or a description of what is wrong with it. */
function parse(value: unknown): MetricsFile | string {
  const named = z.looseObject({ labels: z.array(z.string()).min(1) }).safeParse(value);
  if (!named.success) return z.prettifyError(named.error);
  const labelCount = named.data.labels.length;
  const metrics = metricsOf(labelCount);
  const thresholds = z.array(z.number()).length(labelCount);
  const uncalibrated = z.looseObject({
    loss: figure,
    ece: z.looseObject({ macro: figure, per_label: z.array(figure).length(labelCount) }),
    brier_macro: figure,
  });
  const result = z
    .looseObject({
      dataset: z.string(),
      task: z.enum(TASKS).optional(),
      labels: z.array(z.string()),
      best_epoch: whole.nullable(),
      ensemble: ensembleFigures.optional(),
      calibration: z
        .looseObject({
          temperatures: z.array(z.number().positive()).length(labelCount).nullable(),
          kept: z.array(whole),
          before: z.looseObject({ val: uncalibrated, test: uncalibrated }),
        })
        .optional(),
      splits: z.looseObject({ val: metrics, test: metrics }),
      tuned: z.record(z.string(), z.looseObject({ thresholds, val: metrics, test: metrics })).optional(),
    })
    .safeParse(value);
  return result.success ? (value as MetricsFile) : z.prettifyError(result.error);
}

export const writeMetrics = (directory: string, metrics: MetricsFile): Promise<void> =>
  writeJson(runFiles(directory).metrics, metrics);

/** metrics.json; undefined when it does not exist. Throws ERR_DATA_CORRUPT when it is damaged. */
export async function readMetrics(directory: string): Promise<MetricsFile | undefined> {
  const { metrics: file } = runFiles(directory);
  const value = await readOwn(directory, file);
  if (value === undefined) return undefined;
  const metrics = parse(value);
  if (typeof metrics !== 'string') return metrics;
  throw unexpected(directory, file, metrics);
}
