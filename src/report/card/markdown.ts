/** A model card as Markdown (CommonMark with tables). Names from elsewhere are escaped: they are text, never markup. */
import { oneLine } from '../../base/text';
import type { Figure, Interval } from '../../metrics/types';
import { count, figureText, percent } from '../format';
import type { Card, CardFigure } from './types';

const UNKNOWN = 'not known';

/** Text that Markdown and HTML show as it stands, also in a table. */
const text = (value: unknown): string =>
  oneLine(String(value), '\ufffd')
    .replace(/[\\`*_[\]|~#!@:$^]/g, '\\$&')
    .replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`)
    .replace(/\bwww\./gi, '$&\u2060');

const or = (value: unknown): string => (value === null || value === undefined ? UNKNOWN : text(value));
const digits = (value: Figure): string => figureText(value, 4);
const range = (interval: Interval | null): string =>
  interval === null || interval[0] === null ? '' : `${digits(interval[0])} to ${digits(interval[1])}`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

const list = (facts: Record<string, string>): string =>
  Object.entries(facts)
    .map(([name, value]) => `- ${name}: ${value}`)
    .join('\n');

export function markdownOf(card: Card): string {
  const parts = [
    `# Model card: ${text(card.name)}`,
    `**${card.intended_use}**`,
    ...section('Model', modelOf(card)),
    ...section('Data', dataOf(card)),
    ...section('Recipe', recipeOf(card)),
    ...section('Figures', figuresOf(card)),
    ...section('Labels', labelsOf(card)),
    ...section('Thresholds', thresholdsOf(card)),
    ...section('Calibration', calibrationOf(card)),
    ...section('Limits', card.limits.map((limit) => `- ${text(limit)}`).join('\n')),
    `Written by ${card.written_by}.`,
  ];
  return `${parts.join('\n\n')}\n`;
}

const section = (title: string, body: string): string[] => [`## ${title}`, body];

function modelOf({ file, model }: Card): string {
  const { architecture, stem, task, labels, image_size, input_size, channels, members, preprocessing } = model;
  const side = (pixels: number | null): string => (pixels === null ? UNKNOWN : `${pixels} × ${pixels} pixels`);
  return list({
    ...(file && { File: `${text(file.name)} (${file.format}, ${count(file.bytes)} bytes, SHA-256 ${file.sha256})` }),
    Network: `${architecture}, ${or(stem)} stem`,
    ...(members && { Ensemble: `mean of the probabilities of ${members.length} members, seeds ${members.join(', ')}` }),
    Task: or(task),
    Labels: labels === null ? UNKNOWN : labels.map(text).join(', '),
    Images: `${side(image_size)}, ${channels === null ? `channels ${UNKNOWN}` : channels === 1 ? 'gray' : 'RGB'}`,
    Input: side(input_size),
    Preprocessing: or(preprocessing),
  });
}

function dataOf({ data }: Card): string {
  if (!data) return `The data are ${UNKNOWN}.`;
  const { name, size, md5, counts, licence, licence_url, source } = data;
  return list({
    Name: text(name),
    Source: or(source),
    Size: `${size} × ${size} pixels`,
    MD5: md5,
    Images: `${count(counts.train)} for training, ${count(counts.val)} for validation, ${count(counts.test)} for the test`,
    Licence: licence === null ? UNKNOWN : `${text(licence)}, <${licence_url}>`,
  });
}

function recipeOf({ recipe, model }: Card): string {
  if (!recipe) return `The recipe is ${UNKNOWN}.`;
  const { options, best_epoch, versions, device, started } = recipe;
  const given = Object.entries(options).map(
    ([name, value]) => `${text(name)} ${text(typeof value === 'string' ? value : JSON.stringify(value))}`,
  );
  return list({
    'Options that differ from the defaults': given.length > 0 ? given.join(', ') : 'none',
    'Epoch of the weights': model.members ? 'of each member its own' : or(best_epoch),
    Versions: versions
      ? `chestmnist ${text(versions.chestmnist)}, LibTorch ${text(versions.libtorch)}, Node ${text(versions.node)}`
      : UNKNOWN,
    Device: or(device),
    Started: or(started),
  });
}

const NAMES: Readonly<Record<string, string>> = {
  auc_macro: 'AUC',
  average_precision_macro: 'Average precision',
  f1_macro: 'F1',
  recall_macro: 'Recall',
  accuracy_mean: 'Accuracy',
  brier_macro: 'Brier score (lower is better)',
  ece_macro: 'Calibration error, ECE (lower is better)',
  quadratic_weighted_kappa: 'Quadratic weighted kappa',
};

function figuresOf({ figures }: Card): string {
  if (!figures) return `The figures are ${UNKNOWN}.`;
  const { decision, images, level, resamples, baseline, summary } = figures;
  const row = ([name, { test, interval, validation, baseline }]: [string, CardFigure]): string[] => [
    NAMES[name],
    digits(test),
    range(interval),
    digits(validation),
    baseline === null ? '' : digits(baseline),
  ];
  const intervals =
    level === null ? '' : ` Intervals hold ${100 * level} % of ${count(resamples ?? 0)} bootstrap resamples of images.`;
  return `Test split, ${count(images)} images, means over the labels. Decisions are for ${decision}.${intervals} The baseline is ${text(baseline)}, which looks at no image.

${table(['Figure', 'Test', 'Interval', 'Validation', 'Baseline'], Object.entries(summary).map(row))}`;
}

function labelsOf({ figures }: Card): string {
  if (!figures) return `How often each label occurs is ${UNKNOWN}.`;
  const images = (n: number | null): string => (n === null ? UNKNOWN : count(n));
  const counts = figures.labels.map((of) => [
    text(of.label),
    ...(['train', 'val', 'test'] as const).map((split) => images(of.images[split])),
    percent(of.prevalence),
  ]);
  const rows = figures.labels.map((of) => [
    text(of.label),
    digits(of.auc),
    range(of.auc_interval),
    digits(of.average_precision),
    digits(of.precision),
    digits(of.recall),
    digits(of.specificity),
    digits(of.f1),
  ]);
  return `Images with each label.

${table(['Label', 'Training', 'Validation', 'Test', 'Prevalence in test'], counts)}

Figures of the test split.

${table(['Label', 'AUC', 'Interval', 'Average precision', 'Precision', 'Recall', 'Specificity', 'F1'], rows)}`;
}

function thresholdsOf({ figures, thresholds }: Card): string {
  if (!figures) return `Tuned thresholds are ${UNKNOWN}.`;
  if (!thresholds) return 'There are none: an image has exactly one of the classes.';
  const rules = Object.keys(thresholds);
  const rows = figures.labels.map(({ label }, i) => [text(label), ...rules.map((rule) => digits(thresholds[rule][i]))]);
  return `Tuned on the validation split; a label is decided where its probability is above.\n\n${table(['Label', ...rules.map(text)], rows)}`;
}

function calibrationOf({ figures, calibration }: Card): string {
  if (!figures) return `Whether its probabilities are calibrated is ${UNKNOWN}.`;
  if (!calibration) return 'Probabilities are as the network gives them: no temperature was fitted.';
  const { temperatures, ece, loss } = calibration;
  return list({
    Temperatures: temperatures ? temperatures.map(digits).join(', ') : 'each member has its own',
    'ECE on the test split': `${digits(ece.before)} before, ${digits(ece.after)} after`,
    'Loss on the test split': `${digits(loss.before)} before, ${digits(loss.after)} after`,
  });
}
