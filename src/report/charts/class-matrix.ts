/** The confusion matrix of exclusive labels: one cell for each pair of classes. Not here: that of one label (panels.ts). */
import { draw, type Drawing } from './chart';
import { count } from '../format';
import { HEAT_SCALE, ink } from './theme';

const LONGEST = 24;

/** Rows are the truth, columns the decision; the colour is the share of the row. Columns have the numbers of the classes. */
export function classMatrix(labels: readonly string[], matrix: readonly (readonly number[])[]): Drawing {
  const cells = matrix.flatMap((row, truth) => {
    const total = row.reduce((sum, n) => sum + n, 0);
    return row.map((n, decision) => ({ truth, decision, n, share: total === 0 ? 0 : n / total }));
  });
  const wrong = cells.filter(({ truth, decision, n }) => truth !== decision && n > 0);
  const confused = wrong.toSorted((a, b) => b.n - a.n).slice(0, 3);
  const right = cells.reduce((sum, { truth, decision, n }) => sum + (truth === decision ? n : 0), 0);
  const all = cells.reduce((sum, { n }) => sum + n, 0);
  const description =
    `Confusion matrix of ${labels.length} classes: ${count(right)} of ${count(all)} images on the diagonal` +
    confused.map((of) => `; ${count(of.n)} of ${labels[of.truth]} decided as ${labels[of.decision]}`).join('');
  const side = Math.max(36, Math.min(64, 480 / labels.length));
  // More classes have no room for numbers in their cells.
  const isRoomy = labels.length <= 20;
  const left = 40 + 7 * Math.min(LONGEST, Math.max(...labels.map((label, i) => nameOf(label, i).length)));
  const [width, height] = [left + labels.length * side + 20, labels.length * side + 70];
  const category = { type: 'category', axisTick: { show: false }, axisLine: { show: false } } as const;
  const axisLabel = { color: ink.ink, fontSize: 12, interval: 0 } as const;
  const name = { nameLocation: 'middle', nameTextStyle: { color: ink.ink, fontSize: 13 } } as const;
  return draw(description, width, height, {
    grid: { left, right: 20, top: 14, bottom: 56, outerBoundsMode: 'none' },
    xAxis: { ...category, ...name, name: 'decision', nameGap: 28, data: labels.map((_, i) => String(i)), axisLabel },
    yAxis: {
      ...category,
      ...name,
      name: 'truth',
      nameGap: left - 24,
      inverse: true,
      data: labels.map((label, i) => cut(nameOf(label, i))),
      axisLabel,
    },
    visualMap: HEAT_SCALE,
    series: {
      type: 'heatmap',
      itemStyle: { borderColor: ink.surface, borderWidth: 2 },
      data: cells.map(({ truth, decision, n, share }) => ({
        value: [decision, truth, share],
        label: {
          show: isRoomy,
          formatter: side < 44 ? count(n) : `${count(n)}\n${Math.round(100 * share)} %`,
          fontSize: 12,
          color: share >= 0.6 ? ink.heatInkStrong : ink.heatInk,
        },
      })),
    },
  });
}

const nameOf = (label: string, i: number): string => (label === String(i) ? label : `${i} ${label}`);
const cut = (name: string): string => (name.length <= LONGEST ? name : `${name.slice(0, LONGEST - 1)}…`);
