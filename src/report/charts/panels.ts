/**
 * One small picture per label: confusion matrix, ROC curve, precision-recall curve, reliability diagram. They are drawn
 * one by one, so that the page can let them flow and a sheet can hold all of them.
 */
import type { LineSeriesOption, ScatterSeriesOption } from 'echarts';
import { calibrationCurve, precisionRecallCurve, rocCurve } from '../../metrics';
import { rankedBy } from '../../metrics/ranking';
import type { ConfusionMatrix, Figure, Predictions } from '../../metrics/types';
import { draw, type Drawing } from './chart';
import { count, figureText, percent } from '../format';
import { HEAT_SCALE, ink, SERIES, type Dash } from './theme';

const WIDTH = 220;
const HEIGHT = 210;

const GRID = { left: 54, right: 14, top: 14, bottom: 44, outerBoundsMode: 'none' } as const;
const NAME = { nameLocation: 'middle', nameTextStyle: { color: ink.ink, fontSize: 13 } } as const;

/** Rows are the truth, columns the decision; the colour is the share of the row. */
export function confusionPanel(label: string, matrix: ConfusionMatrix): Drawing {
  const cells = matrix.flatMap((row, truth) =>
    row.map((n, decision) => {
      const share = row[0] + row[1] === 0 ? null : n / (row[0] + row[1]);
      return { truth, decision, n, share, name: CELLS[truth][decision] };
    }),
  );
  const description =
    `Confusion matrix of ${label}: ` +
    cells
      .map(
        ({ n, share, truth, decision }) =>
          `truth ${SIDES[truth]}, decision ${SIDES[decision]}: ${count(n)}${share === null ? '' : ` (${percent(share)} of the row)`}`,
      )
      .join('; ');
  const category = {
    type: 'category',
    data: SIDES,
    axisTick: { show: false },
    axisLine: { show: false },
    ...NAME,
  } as const;
  const axisLabel = { color: ink.ink, fontSize: 12 };
  return draw(description, WIDTH, HEIGHT, {
    grid: GRID,
    xAxis: { ...category, name: 'decision', nameGap: 26, axisLabel },
    yAxis: {
      ...category,
      name: 'truth',
      nameGap: 30,
      inverse: true,
      axisLabel: { ...axisLabel, rotate: 90, align: 'center', verticalAlign: 'bottom', margin: 4 },
    },
    visualMap: HEAT_SCALE,
    series: {
      type: 'heatmap',
      itemStyle: { borderColor: ink.surface, borderWidth: 3 },
      data: cells.map(({ truth, decision, n, share, name }) => {
        const color = (share ?? 0) >= 0.6 ? ink.heatInkStrong : ink.heatInk;
        return {
          value: [decision, truth, share ?? 0],
          label: {
            show: true,
            formatter: `{count|${count(n)}}\n{share|${share === null ? 'no image' : percent(share)}}\n{share|${name}}`,
            rich: {
              count: { fontSize: 15, fontWeight: 'bold', color, lineHeight: 19 },
              share: { fontSize: 12, color, lineHeight: 15 },
            },
          },
        };
      }),
    },
  });
}

const SIDES = ['negative', 'positive'];
const CELLS = [['TN', 'FP'], ['FN', 'TP']]; // prettier-ignore

/** True positive rate over false positive rate; the dashed diagonal is chance. */
export function rocPanel(label: string, of: Predictions, auc: Figure): Drawing {
  return square({
    description: `ROC curve of ${label}: area under the curve ${figureText(auc)}; chance is 0.500.`,
    names: ROC_AXES,
    caption: { text: `AUC ${figureText(auc)}`, right: true, top: false },
    series: auc === null ? [] : [chance(0, 0, 1, 1), line(rocPoints(of))],
  });
}

/** Precision over recall in steps, whose area is the average precision; the dashed line is the prevalence. */
export function precisionRecallPanel(label: string, of: Predictions, ap: Figure, prevalence: number): Drawing {
  return square({
    description: `Precision-recall curve of ${label}: average precision ${figureText(ap)}; without information it would be the prevalence, ${figureText(prevalence)}.`,
    names: PR_AXES,
    caption: { text: `AP ${figureText(ap)}`, right: true, top: true },
    series:
      ap === null
        ? []
        : [chance(0, prevalence, 1, prevalence), { ...line(precisionRecallPoints(of)), step: 'start' as const }],
  });
}

/** One label of several models for the same images; the order is that of SERIES. */
interface Overlaid {
  label: string;
  models: readonly { name: string; of: Predictions; figure: Figure }[];
}

/** The ROC curves of several models over one another; all have the same truth, so all are defined or none is. */
export const overlaidRoc = ({ label, models }: Overlaid): Drawing =>
  square({
    description: `ROC curves of ${label}, areas under the curve: ${figuresOf(models)}; chance is 0.500.`,
    names: ROC_AXES,
    series: isUndefined(models)
      ? []
      : [chance(0, 0, 1, 1), ...models.map(({ of }, i) => line(rocPoints(of), SERIES[i].color, 1.8, SERIES[i].dash))],
  });

/** The same of precision-recall curves. */
export const overlaidPrecisionRecall = ({ label, models, prevalence }: Overlaid & { prevalence: number }): Drawing =>
  square({
    description: `Precision-recall curves of ${label}, average precision: ${figuresOf(models)}; without information it would be the prevalence, ${figureText(prevalence)}.`,
    names: PR_AXES,
    series: isUndefined(models)
      ? []
      : [
          chance(0, prevalence, 1, prevalence),
          ...models.map(({ of }, i) => ({
            ...line(precisionRecallPoints(of), SERIES[i].color, 1.8, SERIES[i].dash),
            step: 'start' as const,
          })),
        ],
  });

const ROC_AXES = ['false positive rate', 'true positive rate'] as const;
const PR_AXES = ['recall', 'precision'] as const;
const isUndefined = (models: Overlaid['models']): boolean => models.every(({ figure }) => figure === null);
const figuresOf = (models: Overlaid['models']): string =>
  models.map(({ name, figure }) => `${name} ${figureText(figure)}`).join(', ');

function rocPoints(of: Predictions): number[][] {
  const { fpr, tpr } = rocCurve(of.truth, rankedBy(of));
  return thin(fpr, tpr);
}

function precisionRecallPoints(of: Predictions): number[][] {
  const curve = precisionRecallCurve(of.truth, rankedBy(of));
  // Ascending, without the appended point (recall 0, precision 1), which belongs to no threshold.
  const recall = curve.recall.slice(0, -1).reverse();
  const precision = curve.precision.slice(0, -1).reverse();
  // The highest threshold of a step gives its height; later points at the same recall add no area.
  const isStep = (_: number, i: number): boolean => recall[i] > (recall[i - 1] ?? 0);
  const steps = [recall.filter(isStep), precision.filter(isStep)] as const;
  return [[0, steps[1][0]], ...thin(...steps)];
}

/**
 * Share of positives over mean probability in 15 equal bins; the area of a dot is the share of images in its bin. The axes
 * end where the dots do, at 0.1, 0.2, 0.5 or 1: the probabilities of rare findings are small.
 */
export function reliabilityPanel(label: string, of: Predictions, ece: Figure): Drawing {
  const { probPred, probTrue, count: images } = calibrationCurve(of.truth, of.scores);
  const points = Array.from(probPred, (x, i) => [x, probTrue[i]]);
  const highest = Math.max(...points.flat());
  const end = [0.1, 0.2, 0.5].find((edge) => highest <= edge) ?? 1;
  const dots: ScatterSeriesOption = {
    type: 'scatter',
    clip: false,
    color: ink.truth,
    data: points.map((value, i) => ({ value, symbolSize: 4 + 14 * Math.sqrt(images[i] / of.truth.length) })),
    itemStyle: { opacity: 0.85 },
  };
  const bins = points.map(
    ([x, y], i) => `at mean probability ${figureText(x, 2)}, ${percent(y)} of ${count(images[i])} are positive`,
  );
  return square({
    description: `Reliability diagram of ${label}: expected calibration error ${figureText(ece)}; ${bins.join('; ')}.`,
    names: ['mean probability', 'share of positives'],
    caption: { text: `ECE ${figureText(ece)}`, right: false, top: true },
    end,
    series: [chance(0, 0, end, end), line(points, ink.truth, 1.5), dots],
  });
}

const line = (data: number[][], color: string = ink.val, width = 2, type: Dash = 'solid'): LineSeriesOption => ({
  type: 'line',
  data,
  clip: false,
  showSymbol: false,
  color,
  lineStyle: { color, width, type },
});

/** The dashed line from one point to another: what a score without information gives. */
const chance = (x0: number, y0: number, x1: number, y1: number): LineSeriesOption => ({
  ...line([[x0, y0], [x1, y1]], ink.muted), // prettier-ignore
  lineStyle: { color: ink.muted, width: 1.5, type: 'dashed' },
});

interface Square {
  description: string;
  names: readonly [x: string, y: string];
  /** In a corner; without one, only that a curve is undefined. */
  caption?: { text: string; right: boolean; top: boolean };
  /** Where both axes end; they begin at 0. */
  end?: number;
  /** None when the curve is undefined; the caption says so. */
  series: (LineSeriesOption | ScatterSeriesOption)[];
}

/** A chart with two equal axes. */
function square({ description, names, caption, end = 1, series }: Square): Drawing {
  const isEmpty = series.length === 0;
  const { text = 'undefined', right, top } = caption ?? { text: undefined, right: true, top: true };
  const axis = {
    type: 'value',
    min: 0,
    max: end,
    interval: end / 2,
    axisLabel: { color: ink.muted, fontSize: 12 },
    axisLine: { show: true, lineStyle: { color: ink.muted } },
    splitLine: { lineStyle: { color: ink.grid } },
    ...NAME,
  } as const;
  return draw(description, WIDTH, HEIGHT, {
    grid: GRID,
    xAxis: { ...axis, name: names[0], nameGap: 24 },
    yAxis: { ...axis, name: names[1], nameGap: 34 },
    series,
    graphic:
      !caption && !isEmpty
        ? undefined
        : {
            type: 'text',
            z: 1, // above the grid, below the data
            // Anchored at its own end, since fonts differ in width.
            x: right ? WIDTH - GRID.right - 4 : GRID.left + 6,
            y: top ? GRID.top + 4 : HEIGHT - GRID.bottom - 6,
            style: {
              align: right ? 'right' : 'left',
              verticalAlign: top ? 'top' : 'bottom',
              text: isEmpty ? `${text}:\none value only` : text,
              fill: ink.ink,
              fontSize: 14,
              fontWeight: 'bold',
              backgroundColor: ink.surface,
              padding: [2, 3],
            },
          },
  });
}

/** Leaves out points closer than a fraction of a pixel to the last one kept; the ends stay. */
export function thin(xs: Float64Array, ys: Float64Array, distance = 1 / 300): number[][] {
  const points: number[][] = [];
  let last = [NaN, NaN];
  xs.forEach((x, i) => {
    const y = ys[i];
    if (i > 0 && i < xs.length - 1 && Math.abs(x - last[0]) < distance && Math.abs(y - last[1]) < distance) return;
    points.push((last = [x, y]));
  });
  return points;
}
