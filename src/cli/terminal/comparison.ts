/** A comparison of runs for people: who they are, what differs in their options, then each pair. */
import { isExclusive } from '../../base/task';
import { optionRows } from '../../compare/options';
import type { RunsComparison } from '../../compare/types';
import type { Agreement } from '../../metrics/agreement';
import { renderComparison } from './summary';
import { missing, table } from './table';

/** Several blocks of text, without a line break at the end; tables of this width. */
export function renderRuns(comparison: RunsComparison, width: number): string {
  const { labels, sides, pairs } = comparison;
  const sourceOf = (name: string): string => sides.find((side) => side.name === name)!.source;
  return [
    ...optionsTable(comparison, width),
    ...pairs.flatMap((pair) => [
      renderComparison(pair.figures, labels, sourceOf(pair.a), sourceOf(pair.b), width, pair),
      imagesTable(pair.images, comparison, pair, width),
    ]),
  ].join('\n\n');
}

/** Nothing where there are no two runs, or none of their options differ. */
function optionsTable({ sides }: RunsComparison, width: number): string[] {
  const { runs, rows } = optionRows(sides) ?? { runs: [], rows: [] };
  if (rows.length === 0) return [];
  const columns = runs.map((title, i) => ({ title, cells: rows.map((row) => row[i + 1]), text: true as const }));
  return [table([{ title: 'options that differ', cells: rows.map(([name]) => name) }, ...columns], width).text];
}

function imagesTable(
  images: RunsComparison['pairs'][0]['images'],
  { labels, task }: RunsComparison,
  { a, b }: { a: string; b: string },
  width: number,
): string {
  const rows = [images.whole, ...images.labels];
  const column = (title: string, cell: (of: Agreement) => number | string, goes?: number) => ({
    title,
    cells: rows.map((of) => cell(of).toLocaleString('en-US')),
    goes,
  });
  const counts = table(
    [
      { title: 'images decided rightly', cells: [isExclusive(task) ? 'the class' : 'all labels', ...labels] },
      column('by both', (of) => of.both_right, 2),
      column(`by ${a} alone`, (of) => of.only_a.images.length),
      column(`by ${b} alone`, (of) => of.only_b.images.length),
      column('by none', (of) => of.both_wrong, 1),
      column('p', ({ p_value: p }) => (p < 0.0001 ? '<0.0001' : p.toFixed(4))),
    ],
    width,
  );
  return [
    counts.text,
    '',
    `p: McNemar's exact test, two-sided, of one being right more often than the other.`,
    ...missing(counts),
  ].join('\n');
}
