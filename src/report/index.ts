/**
 * Draws a run: plots/*.svg and *.png, report.html and the model card, only from the files of the run directory (and the images of its
 * data set, when given). It can be repeated at any time, however the run ended.
 */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { writeAtomically } from '../base/atomic';
import { entryAt } from '../base/entry';
import { isWriteError, writeError, writing } from '../base/disk';
import { ChestMnistError } from '../base/errors';
import { asInstalled, shellWord } from '../base/shell';
import type { Dataset } from '../data/dataset';
import { writeRunCard } from './card';
import { rasterise, standalone } from './charts/chart';
import { illustrate, storedExamples, storeExamples, type Examples } from './examples';
import { logToTensorBoard } from './tensorboard';
import { renderPage } from './page';
import { examplesOf } from './page/examples';
import { drawPictures } from './charts/pictures';
import { plotNames, plotsOf } from './plots';
import { runFiles } from '../run/directory';
import { changesOf } from '../run/agree';
import { checkEntries } from '../run/entries';
import { readRun, type RunData } from '../run/open';
import type { RunFile } from '../run/record';

export interface Report {
  /** Absolute paths of the written files: pictures, the page, the model card, and the stored example images. */
  files: string[];
  /** What could not be drawn because it is missing, in sentences. */
  notes: string[];
}

/**
 * (Re)draws the plots and report.html of a run directory. With `dataset`, the data set of the run, the page shows
 * images of its test split; they are stored, so that a later call shows them without it. For a run that stopped early,
 * `notes` lists what is missing. `record` replaces a run.json that is still to be written. When the run has TensorBoard
 * files, pictures and curves are also written there. Throws ERR_CONFIG (no run directory), ERR_OUTPUT or ERR_DISK (not
 * writable), ERR_DATA_CORRUPT or ERR_DATA_SHAPE (a damaged file in it).
 */
export async function drawReport(runDirectory: string, options: ReportOptions = {}): Promise<Report> {
  const directory = path.resolve(runDirectory);
  try {
    return await draw(directory, options);
  } catch (cause) {
    if (!isWriteError(cause)) throw cause;
    throw writeError((cause as Error).cause ?? cause, directory, {
      then: `npx chestmnist report ${shellWord(directory)}`,
      instead: 'copy the run directory to a disk that can be written and draw it there',
    });
  }
}

interface ReportOptions {
  dataset?: Dataset;
  record?: RunFile;
}

async function draw(directory: string, options: ReportOptions): Promise<Report> {
  const data = await readRun(directory);
  await checkEntries(directory, `npx chestmnist report ${shellWord(directory)}`, ['.', 'predictions', 'plots']);
  if (options.record) data.record = options.record;
  else if (options.dataset && data.record)
    data.notes.push(...(await changesOf(directory, data.record, options.dataset)));
  const files: string[] = [];
  const pictures: { name: string; png: Buffer }[] = [];
  const { plots, report: page } = runFiles(directory);
  await writing(plots, () => mkdir(plots, { recursive: true }));
  const drawn = drawPictures(data);
  for (const { name, title, drawing } of plotsOf(data, drawn)) {
    const svg = standalone(drawing, title);
    const png = await rasterise(svg);
    files.push(await write(path.join(plots, `${name}.svg`), svg), await write(path.join(plots, `${name}.png`), png));
    pictures.push({ name, png });
  }
  await writing(plots, () => removeFormer(plots, files, data.metrics?.labels));

  const examples = await examplesFor(data, options.dataset);
  if (examples && options.dataset) files.push(await storeExamples(directory, examples));
  files.push(await write(page, renderPage(data, drawn, examples)));
  if (data.metrics) files.push(...(await writeRunCard(directory, undefined, data)));
  const log = await logToTensorBoard(data, pictures);
  if (log) files.push(log);
  return { files, notes: data.notes };
}

/**
 * Whether a report can be drawn here, found out before hours of training: the packages that draw are loaded and used. They
 * stay loaded, so that an update of the package during the run changes nothing. Throws ERR_CONFIG.
 */
export async function checkDrawing(): Promise<void> {
  try {
    await rasterise('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>', 1);
  } catch (cause) {
    throw new ChestMnistError(
      'ERR_CONFIG',
      {
        found: `plots cannot be drawn here: ${(cause as Error).message.split('\n')[0]}`,
        needed: '@resvg/resvg-js and @expo-google-fonts/arimo, as npm installs them with chestmnist',
        next: 'install chestmnist again, without --omit=optional; or train with --no-report',
      },
      { cause },
    );
  }
}

async function write(file: string, content: string | Buffer): Promise<string> {
  await writeAtomically(file, async (handle) => {
    await handle.writeFile(content);
  });
  return file;
}

/** Removes the pictures of an earlier drawing that were not replaced: they are out of date. Others' files stay. */
async function removeFormer(folder: string, files: readonly string[], labels?: readonly string[]): Promise<void> {
  const former = plotNames(labels).flatMap((name) =>
    ['svg', 'png'].map((kind) => path.join(folder, `${name}.${kind}`)),
  );
  for (const file of former) {
    if (!files.includes(file) && (await entryAt(file))?.isFile()) await rm(file);
  }
}

/**
 * The images of the page: from the data set, otherwise from an earlier drawing; a note gives the reason when they are
 * missing.
 */
async function examplesFor(data: RunData, dataset: Dataset | undefined): Promise<Examples | undefined> {
  const { test } = data.predictions;
  if (!test) return undefined;
  const wanted = examplesOf(data);
  const examples = dataset
    ? illustrate(wanted, dataset.splits.test, test)
    : await storedExamples(data.directory, wanted);
  if (!examples) {
    data.notes.push(
      dataset
        ? `The test split of ${dataset.name} is not the one that was scored: there are no example images.`
        : `No example images are shown: the data set was not given and no earlier drawing stored them. To draw again: ${again(data)}`,
    );
  }
  return examples;
}

/** The command that draws a run with its images. */
const again = ({ directory, options }: RunData): string =>
  asInstalled(`npx chestmnist report ${shellWord(directory)} --data ${shellWord(options?.data ?? 'FILE')}`);
