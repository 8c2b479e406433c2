/** The pictures and precision-recall curves of a run for TensorBoard, when the run already has event files. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { writing } from '../base/disk';
import { predictionsOfLabel } from '../metrics';
import { filesIn } from '../run/entries';
import { EVENTS, TensorBoardWriter } from '../run/tensorboard';
import type { RunData } from '../run/open';

const SUFFIX = '.report';

/**
 * Writes them, at the chosen epoch, to a separate event file, which replaces an earlier one; returns its path, or
 * undefined when the run does not log to TensorBoard.
 */
export async function logToTensorBoard(
  { directory, metrics, predictions }: RunData,
  pictures: readonly { name: string; png: Buffer }[],
): Promise<string | undefined> {
  const events = (await filesIn(`${directory}${path.sep}.`)).filter((name) => name.startsWith(EVENTS));
  if (events.length === 0 || !metrics) return undefined;
  await writing(directory, async () => {
    for (const name of events) if (/\.\d+\.\d+\.\d+\.report$/.test(name)) await rm(path.join(directory, name));
  });
  const step = metrics.best_epoch ?? 0;
  const writer = new TensorBoardWriter(directory, SUFFIX);
  try {
    for (const { name, png } of pictures) {
      // A PNG begins with its signature and the header chunk: width at byte 16, height at 20.
      writer.image(`plots/${name}`, png, png.readUInt32BE(16), png.readUInt32BE(20), step);
    }
    for (const split of ['val', 'test'] as const) {
      const predicted = predictions[split];
      if (!predicted) continue;
      metrics.labels.forEach((label, i) => {
        const { truth, scores } = predictionsOfLabel(predicted, i);
        writer.prCurve(`pr_${split}/${label}`, truth, scores, step);
      });
    }
  } finally {
    await writer.close();
  }
  return writer.file;
}
