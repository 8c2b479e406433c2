/** What calibration changed: temperatures, and the figures of the probabilities before and after it. */
import { listed } from '../../base/text';
import { isExclusive } from '../../base/task';
import type { Calibration, CalibrationFigures, MetricsFile } from '../../metrics/types';
import { escape, figureText } from '../format';

export function calibrationSection(file: MetricsFile, { temperatures, kept, before }: Calibration): string {
  const { splits, labels } = file;
  const exclusive = isExclusive(file.task);
  const after = (split: 'val' | 'test'): CalibrationFigures => {
    const { loss = null, ece, brier } = splits[split];
    return { loss, ece, brier_macro: brier.macro };
  };
  const rows = (['val', 'test'] as const).flatMap((split) =>
    [before[split], after(split)].map(({ loss, ece, brier_macro }, i) => {
      const name = `${split === 'val' ? 'Validation' : 'Test'}, ${i === 0 ? 'before' : 'after'}`;
      const cells = [ece.macro, ...(exclusive ? [ece.top_label ?? null] : []), loss, brier_macro];
      return `<tr><th scope="row">${name}</th>${cells.map((cell) => `<td>${figureText(cell, 4)}</td>`).join('')}</tr>`;
    }),
  );
  const head = ['ECE', ...(exclusive ? ['ECE of the decided class'] : []), 'Loss', 'Brier'];
  const perLabel = labels.map(
    (label, i) =>
      `<tr><th scope="row">${escape(label)}</th>${[temperatures?.[i] ?? null, before.test.ece.per_label[i], splits.test.ece.per_label[i]].map((cell) => `<td>${figureText(cell)}</td>`).join('')}</tr>`,
  );
  const how =
    temperatures === null
      ? 'Each member has temperatures of its own, fitted to the validation split; the mean is of calibrated probabilities.'
      : `Logits are divided by ${exclusive ? `a temperature of ${figureText(temperatures[0])}` : 'a temperature per label'}, fitted to the validation split before thresholds were tuned.`;
  const untouched =
    kept.length > 0
      ? ` Left as they were, since validation has one value of them only: ${escape(listed(kept.map((label) => labels[label])))}.`
      : '';
  return `<section aria-labelledby="calibration">
<h2 id="calibration">Calibration</h2>
<p>${how}${untouched} Means over the ${exclusive ? 'classes' : 'labels'}; lower is better.</p>
<div class="scroll" role="region" aria-label="Calibration" tabindex="0"><table>
<thead><tr><th scope="col">Split</th>${head.map((name) => `<th scope="col">${name}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>
${
  temperatures === null || exclusive
    ? ''
    : `<div class="scroll" role="region" aria-label="Temperatures" tabindex="0"><table>
<thead><tr><th scope="col">Label</th><th scope="col">Temperature</th><th scope="col">Test ECE before</th><th scope="col">Test ECE after</th></tr></thead>
<tbody>${perLabel.join('\n')}</tbody></table></div>`
}
</section>`;
}
