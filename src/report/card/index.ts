/**
 * Model cards: what a model was made of, how good it is and what it must not be used for, as Markdown for people and JSON
 * for programs. One is written beside every scored run, one beside every exported file. The content is in content.ts.
 */
import { writeAtomically } from '../../base/atomic';
import { writeJson } from '../../base/json';
import type { Head } from '../../engine/contract';
import { runFiles } from '../../run/directory';
import { readRunFile, type RunFile } from '../../run/record';
import { readRun, type RunData } from '../../run/open';
import { cardOf, PREPROCESSING, type CardSource } from './content';
import { markdownOf } from './markdown';
import type { Card } from './types';

export { PREPROCESSING } from './content';

/**
 * Writes model-card.md and model-card.json of a run or an ensemble that is scored; `record` replaces a run.json that is
 * still to be written, `read` what was read of it before. Returns their paths.
 */
export async function writeRunCard(directory: string, record?: RunFile, read?: RunData): Promise<string[]> {
  const { card, cardJson } = runFiles(directory);
  const data = await factsOf(read ?? (await readRun(directory)), record);
  return write(cardOf({ name: data.name, model: modelOf(data), run: data }), { markdown: card, json: cardJson });
}

/** Writes the card of an exported file; `run` is the directory that it came from. Returns the paths. */
export async function writeFileCard(
  files: { markdown: string; json: string },
  source: Omit<CardSource, 'run'> & { run?: string },
): Promise<string[]> {
  const run = source.run === undefined ? undefined : await factsOf(await readRun(source.run));
  return write(cardOf({ ...source, run }), files);
}

async function write(card: Card, { markdown, json }: { markdown: string; json: string }): Promise<string[]> {
  await writeAtomically(markdown, (handle) => handle.writeFile(markdownOf(card)));
  await writeJson(json, card);
  return [markdown, json];
}

/** An ensemble has no run.json: what ran, and how often each label occurs, is that of its members. */
async function factsOf(data: RunData, record?: RunFile): Promise<RunData> {
  const [first] = data.ensemble?.members ?? [];
  const own = first ? await readRunFile(runFiles(data.directory).member(first.seed)) : undefined;
  return { ...data, record: record ?? data.record ?? own };
}

/** Attention is not torchvision's network. */
export const architectureOf = (head: Head = 'average'): string =>
  head === 'attention' ? 'ResNet-18 with attention over the last layer' : 'ResNet-18';

function modelOf({ ensemble, options, record, metrics }: RunData): CardSource['model'] {
  const size = ensemble?.data.size ?? record?.data.size ?? options?.size ?? null;
  return {
    architecture: architectureOf(options?.head),
    stem: options?.stem ?? null,
    task: metrics?.task ?? options?.task ?? 'multi-label',
    labels: metrics?.labels ?? null,
    image_size: size,
    input_size: options?.resize ?? size,
    channels: record?.data.channels ?? null,
    members: ensemble?.members.map(({ seed }) => seed) ?? null,
    preprocessing: PREPROCESSING,
  };
}
