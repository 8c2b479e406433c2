/**
 * metrics.json as it is read back: what the pictures and the page use of it, checked, so that a damaged file gives one
 * clear error instead of a page of NaN. The shape and its meaning: metrics/types.ts.
 */
import { z } from 'zod';
import type { MetricsFile } from '../metrics/types';

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
    threshold: z.union([z.number(), each(z.number())]),
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

/** Checks the parsed content of metrics.json; returns it, or says in words what is wrong with it. */
export function parseMetricsFile(value: unknown): MetricsFile | string {
  const named = z.looseObject({ labels: z.array(z.string()).min(1) }).safeParse(value);
  if (!named.success) return z.prettifyError(named.error);
  const labelCount = named.data.labels.length;
  const metrics = metricsOf(labelCount);
  const thresholds = z.array(z.number()).length(labelCount);
  const result = z
    .looseObject({
      dataset: z.string(),
      labels: z.array(z.string()),
      best_epoch: whole,
      splits: z.looseObject({ val: metrics, test: metrics }),
      tuned: z.record(z.string(), z.looseObject({ thresholds, val: metrics, test: metrics })).optional(),
    })
    .safeParse(value);
  return result.success ? (value as MetricsFile) : z.prettifyError(result.error);
}
