/** The curves over epochs: loss, and validation AUC, with the chosen epoch marked. */
import type { LineSeriesOption } from 'echarts';
import type { EpochRow } from '../../run/history';
import { draw, type Drawing, type EChartsOption } from './chart';
import { figureText } from '../format';
import { ink, SERIES, type Dash } from './theme';

const WIDTH = 420;
const HEIGHT = 300;

interface Line {
  name: string;
  color: string;
  dash: Dash;
  epochs: readonly number[];
  /** After each epoch. */
  values: readonly (number | null)[];
}

interface Range {
  min: number;
  max: number;
}

/** Mean loss of the training and the validation split after each epoch. */
export function lossCurve(history: readonly EpochRow[], chosen: number | null, exclusive = false): Drawing {
  const train = history.map((row) => row.trainLoss);
  const val = history.map((row) => row.valLoss);
  const epochs = epochsOf(history);
  const description =
    `Loss over ${history.length} epochs. Training loss goes from ${ends(train)}; validation loss goes from ${ends(val)}` +
    ` and is lowest at ${lowest(history)}.${chosenText(chosen)}`;
  const lines: Line[] = [
    { name: 'training', color: ink.train, dash: 'dashed', epochs, values: train },
    { name: 'validation', color: ink.val, dash: 'solid', epochs, values: val },
  ];
  return overEpochs(description, lossName(exclusive), lines, { chosen });
}

/** Macro AUC of the validation split after each epoch; 0.5 is chance. */
export function aucCurve(history: readonly EpochRow[], chosen: number | null): Drawing {
  const values = history.map((row) => row.valAuc);
  const description =
    `Macro AUC of the validation split over ${history.length} epochs. It goes from ${ends(values)}.` +
    chosenText(chosen);
  const line: Line = { name: 'validation', color: ink.val, dash: 'solid', epochs: epochsOf(history), values };
  return overEpochs(description, 'macro AUC', [line], { chosen, range: tenthAround(values) });
}

/** What is drawn of several runs over one another. */
const OVERLAID = {
  'training loss': 'trainLoss',
  'validation loss': 'valLoss',
  'validation AUC': 'valAuc',
} as const satisfies Record<string, keyof EpochRow>;
export type Overlaid = keyof typeof OVERLAID;

/** The same figure of several runs after each epoch; `side` is the place of the run in SERIES. */
export function overlaidCurve(
  figure: Overlaid,
  runs: readonly { name: string; side: number; history: readonly EpochRow[] }[],
  exclusive = false,
): Drawing {
  const lines = runs.map(({ name, side, history }): Line => {
    const values = history.map((row) => row[OVERLAID[figure]]);
    return { name, ...SERIES[side], epochs: epochsOf(history), values };
  });
  const description = `${figure[0].toUpperCase()}${figure.slice(1)} over epochs. ${lines
    .map(({ name, epochs, values }) => `${name}: ${epochs.length} epochs, from ${ends(values)}`)
    .join('; ')}.`;
  const isAuc = figure === 'validation AUC';
  const range = isAuc ? tenthAround(lines.flatMap(({ values }) => values)) : undefined;
  return overEpochs(description, isAuc ? 'macro AUC' : lossName(exclusive), lines, { range });
}

const epochsOf = (history: readonly EpochRow[]): number[] => history.map((row) => row.epoch);
const lossName = (exclusive: boolean): string => `loss (mean ${exclusive ? 'CE' : 'BCE'})`;

/** The axis of a constant curve (such as a run of one epoch), which by default would extend beyond 1. */
function tenthAround(values: readonly (number | null)[]): Range | undefined {
  const [first, ...others] = values.filter((value) => value !== null);
  if (first === undefined || others.some((value) => value !== first)) return undefined;
  const top = Math.max(1, Math.ceil(10 * first));
  return { min: (top - 1) / 10, max: top / 10 };
}

const chosenText = (chosen: number | null): string => (chosen === null ? '' : ` The chosen epoch is ${chosen}.`);

const ends = (values: readonly (number | null)[]): string => `${figureText(values[0])} to ${figureText(values.at(-1))}`;

function lowest(history: readonly EpochRow[]): string {
  const row = history.reduce((low, next) => (next.valLoss < low.valLoss ? next : low));
  return `epoch ${row.epoch} (${figureText(row.valLoss)})`;
}

function overEpochs(
  description: string,
  yName: string,
  lines: readonly Line[],
  { chosen = null, range }: { chosen?: number | null; range?: Range },
): Drawing {
  const series = lines.map(({ name, color, dash, epochs, values }, i): LineSeriesOption => ({
    type: 'line',
    name,
    data: values.map((value, j) => [epochs[j], value ?? '-']),
    clip: false,
    symbol: 'circle',
    symbolSize: 5,
    showSymbol: values.length <= 30,
    color,
    lineStyle: { color, width: 2, type: dash },
    markLine: i === lines.length - 1 ? chosenLine(chosen, epochs, values) : undefined,
  }));
  const all = lines.flatMap(({ epochs }) => epochs);
  const [first, last] = [Math.min(...all), Math.max(...all)];
  const option: EChartsOption = {
    legend: {
      right: 12,
      top: 4,
      itemWidth: lines.length > 2 ? 24 : 28,
      itemGap: lines.length > 2 ? 8 : 24,
      textStyle: { color: ink.ink, fontSize: 13 },
      inactiveColor: ink.muted,
    },
    grid: { left: 62, right: 18, top: 48, bottom: 46 },
    xAxis: {
      type: 'value',
      min: first === last ? first - 1 : first,
      max: first === last ? first + 1 : last,
      minInterval: 1,
      name: 'epoch',
      nameLocation: 'middle',
      nameGap: 28,
      ...AXIS,
      splitLine: { show: false },
    },
    yAxis: {
      ...{ type: 'value', scale: true, name: yName, nameLocation: 'middle', nameGap: 44, splitNumber: 4 },
      ...range,
      ...AXIS,
    },
    series,
  };
  return draw(description, WIDTH, HEIGHT, option);
}

const AXIS = {
  nameTextStyle: { color: ink.ink, fontSize: 13 },
  axisLabel: { color: ink.muted, fontSize: 12 },
  axisLine: { show: true, lineStyle: { color: ink.muted } },
  axisTick: { lineStyle: { color: ink.muted } },
  splitLine: { lineStyle: { color: ink.grid } },
} as const;

function chosenLine(
  chosen: number | null,
  epochs: readonly number[],
  values: readonly (number | null)[],
): LineSeriesOption['markLine'] {
  const place = chosen === null ? -1 : epochs.indexOf(chosen);
  if (chosen === null || place < 0) return undefined;
  const value = values[place];
  const share = (place + 0.5) / epochs.length;
  return {
    silent: true,
    symbol: ['none', 'none'],
    lineStyle: { color: ink.chosen, width: 2, type: 'dotted' },
    label: {
      formatter: `chosen: epoch ${chosen}${value === null ? '' : ` (${figureText(value)})`}`,
      color: ink.chosen,
      fontSize: 13,
      fontWeight: 'bold',
      // Near an end of the axis a centred label would leave the picture.
      align: share < 0.25 ? 'left' : share > 0.75 ? 'right' : 'center',
    },
    data: [{ xAxis: chosen }],
  };
}
