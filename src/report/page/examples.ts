/** The images behind the figures: the most confident hits, misses and false alarms. */
import type { MetricsFile } from '../../metrics/types';
import { EXAMPLE_KINDS, findExamples, type Example, type ExampleKind, type Examples } from '../examples';
import { escape, figureText } from '../format';
import type { RunData } from '../../run/open';

/** The thresholds that define a hit: the first tuned rule's, or those of metrics.json. */
function exampleThresholds(file: MetricsFile): { thresholds: number[] | undefined; by: string } {
  const [rule, tuned] = Object.entries(file.tuned ?? {})[0] ?? [];
  if (tuned) return { thresholds: tuned.thresholds, by: `the thresholds tuned by ${rule}` };
  const { threshold } = file.splits.test;
  if (threshold === null) return { thresholds: undefined, by: 'the most probable class' };
  return typeof threshold === 'number'
    ? { thresholds: file.labels.map(() => threshold), by: `a threshold of ${threshold}` }
    : { thresholds: threshold, by: 'the threshold of each label' };
}

/** The examples of a run's test split, without their images. */
export function examplesOf({ metrics, predictions }: RunData): Example[] {
  return metrics && predictions.test ? findExamples(predictions.test, exampleThresholds(metrics).thresholds) : [];
}

const TITLES: Record<ExampleKind, [title: string, text: string]> = {
  hit: ['Hits', 'present and found, highest probability first'],
  miss: ['Misses', 'present and not found, lowest probability first'],
  'false alarm': ['False alarms', 'absent and decided positive, highest probability first'],
};

export function exampleSection({ predictions }: RunData, file: MetricsFile, stored: Examples | undefined): string {
  const { test } = predictions;
  if (!test || !stored) return '';
  const { thresholds, by } = exampleThresholds(file);
  const truthOf = (index: number): string =>
    file.labels.filter((_, label) => test.truth[index * test.labelCount + label] === 1).join(', ') || 'no finding';
  const item = ({ kind, label, index, score }: Example): string => {
    const name = file.labels[label];
    const [probability, truth] = [figureText(score), truthOf(index)];
    const limit = thresholds ? `threshold ${figureText(thresholds[label])}` : 'most probable class';
    const alt = `${file.task === undefined ? 'Chest radiograph' : 'Image'} ${index} of the test split, a ${kind} for ${name} at probability ${probability}. Truth: ${truth}.`;
    return `<li><img src="data:image/png;base64,${stored.images[index]}" width="${stored.size}" height="${stored.size}" alt="${escape(alt)}">
<b>${escape(name)} ${probability}</b>${kind === 'miss' && !thresholds ? 'not the most probable class' : limit}<br>truth: ${escape(truth)}<br><span class="muted">test image ${index}</span></li>`;
  };
  const groups = EXAMPLE_KINDS.map((kind) => {
    const [title, text] = TITLES[kind];
    const examples = stored.examples.filter((example) => example.kind === kind);
    const without = file.labels.filter((_, label) => !examples.some((example) => example.label === label));
    return `<h3>${title}</h3>
<p class="muted">${text}.${without.length > 0 ? ` None for ${escape(without.join(', '))}.` : ''}</p>
${examples.length > 0 ? `<ul class="images">${examples.map(item).join('\n')}</ul>` : ''}`;
  });
  return `<section aria-labelledby="examples">
<h2 id="examples">Most confident decisions</h2>
<p>For each label of the test split: the most confident hit, miss and false alarm ${thresholds ? 'at' : 'by'} ${escape(by)}. Images are shown as in the data set, ${stored.size} × ${stored.size} pixels.</p>
${groups.join('\n')}
</section>`;
}
