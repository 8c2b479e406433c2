/**
 * Predictions as a CSV, JSON or .npz file, a batch at a time. Not here: the predictions (predict.ts), what a spreadsheet
 * would run (base/csv.ts).
 */
import { writeAtomically } from '../base/atomic';
import { csvCell } from '../base/csv';
import { writeNpz } from '../base/npz';
import { jsonText } from '../base/text';
import type { PredictedAll, PredictedRows } from './predict';

type Rows = AsyncGenerator<PredictedRows, PredictedAll>;

/** Writes all of `rows` to `file`, whole or not at all. Returns what else is known when they have ended. */
export async function writePredicted(
  file: string,
  format: string,
  rows: Rows,
): Promise<PredictedAll & { images: number }> {
  try {
    return await (format === '.npz'
      ? writeArrays(file, rows)
      : writeText(file, format === '.json' ? JSON_TEXT : CSV_TEXT, rows));
  } finally {
    await rows.return({ skipped: [], notes: [] }); // where writing failed: nothing goes on
  }
}

async function writeText(
  file: string,
  { begin, row, end }: Text,
  rows: Rows,
): Promise<PredictedAll & { images: number }> {
  let images = 0;
  let all: PredictedAll | undefined;
  await writeAtomically(file, async (handle) => {
    for (;;) {
      const { done, value } = await rows.next();
      if (done) {
        await handle.writeFile(end(value));
        all = value;
        return;
      }
      const lines = value.images.map((_, i) => row(value, i, images + i === 0));
      await handle.writeFile((images === 0 ? begin(value) : '') + lines.join(''));
      images += value.images.length;
    }
  });
  return { ...all!, images };
}

interface Text {
  begin: (rows: PredictedRows) => string;
  row: (rows: PredictedRows, i: number, isFirst: boolean) => string;
  end: (all: PredictedAll) => string;
}

const JSON_TEXT: Text = {
  begin: ({ task, labels, thresholds }) => {
    const ofTask = task === 'multi-label' ? '' : `  "task": ${jsonText(task)},\n`;
    const ofLabels = thresholds === null ? '' : `  "thresholds": ${jsonText(thresholds)},\n`;
    return `{\n${ofTask}  "labels": ${jsonText(labels)},\n${ofLabels}  "predictions": [`;
  },
  row: ({ labels, images, scores, spread, decisions, thresholds }, i, isFirst) => {
    const range = [i * labels.length, (i + 1) * labels.length] as const;
    const decided = decisions.subarray(...range);
    const row = {
      image: images[i],
      // Exclusive labels have no thresholds, and one decision.
      ...(thresholds === null && { decision: labels[decided.indexOf(1)] }),
      probabilities: [...scores.subarray(...range)],
      ...(spread && { spread: [...spread.subarray(...range)] }),
      decisions: [...decided],
    };
    return `${isFirst ? '' : ','}\n    ${jsonText(row)}`;
  },
  end: ({ skipped }) => {
    const left = skipped.map(({ image, error: { code, message } }) => ({ image, code, message }));
    return `\n  ],\n  "skipped": ${jsonText(left)}\n}\n`;
  },
};

const CSV_TEXT: Text = {
  begin: ({ labels, thresholds, spread }) => {
    // Two columns must not have one name, whatever the labels are called.
    let [image, decision] = ['image', 'decision'];
    while (labels.includes(image)) image += '_';
    while (labels.includes(decision)) decision += '_';
    const named = (suffix: string): string[] => {
      while (labels.some((label) => labels.includes(`${label}${suffix}`))) suffix += '_';
      return labels.map((label) => `${label}${suffix}`);
    };
    const spreads = spread ? named('_spread') : undefined;
    const ofLabel = (i: number): string[] => [labels[i], ...(spreads ? [spreads[i]] : [])];
    if (thresholds === null) return lineOf([image, decision, ...labels.flatMap((_, i) => ofLabel(i))]);
    const decisions = named('_decision');
    return lineOf([image, ...labels.flatMap((_, i) => [...ofLabel(i), decisions[i]])]);
  },
  row: ({ labels, images, scores, spread, decisions, thresholds }, i) => {
    const at = i * labels.length;
    const of = (label: number): string[] =>
      [scores, ...(spread ? [spread] : [])].map((all) => all[at + label].toFixed(6));
    if (thresholds !== null)
      return lineOf([images[i], ...labels.flatMap((_, label) => [...of(label), decisions[at + label]])]);
    const decided = decisions.subarray(at, at + labels.length).indexOf(1);
    return lineOf([images[i], labels[decided], ...labels.flatMap((_, label) => of(label))]);
  },
  end: () => '',
};

const lineOf = (cells: readonly (string | number)[]): string => `${cells.map(csvCell).join(',')}\n`;

/** An array begins with its length, so this format alone is gathered first. */
async function writeArrays(file: string, rows: Rows): Promise<PredictedAll & { images: number }> {
  const names: string[] = [];
  const [scores, spread, decisions]: [Float64Array[], Float64Array[], Uint8Array[]] = [[], [], []];
  let labels: readonly string[] = [];
  let next = await rows.next();
  for (; !next.done; next = await rows.next()) {
    names.push(...next.value.images);
    scores.push(next.value.scores);
    if (next.value.spread) spread.push(next.value.spread);
    decisions.push(next.value.decisions);
    ({ labels } = next.value);
  }
  const shape = [names.length, labels.length];
  const joined = (parts: Float64Array[]): { shape: number[]; data: Float64Array } => {
    const data = new Float64Array(names.length * labels.length);
    parts.reduce((at, part) => (data.set(part, at), at + part.length), 0);
    return { shape, data };
  };
  await writeNpz(file, {
    scores: joined(scores),
    ...(spread.length > 0 && { spread: joined(spread) }),
    decisions: { shape, data: Buffer.concat(decisions) },
    images: { shape: [names.length], data: names },
    labels: { shape: [labels.length], data: labels },
  });
  return { ...next.value, images: names.length };
}
