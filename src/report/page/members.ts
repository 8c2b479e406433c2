/** The members of an ensemble, their mean, and the ensemble beside the best of them. */
import type { ComparedFigure, EnsembleFigures } from '../../metrics/types';
import { figureText } from '../format';

const HEAD = ['Best epoch', 'Validation AUC', 'Validation AP', 'Test AUC', 'Test AP'];

export function membersSection({ members, mean, best, comparison }: EnsembleFigures): string {
  const row = (name: string, cells: readonly string[]): string =>
    `<tr><th scope="row">${name}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  const figures = (['val', 'test'] as const).flatMap((split) =>
    (['auc_macro', 'average_precision_macro'] as const).map((name) => ({ split, name })),
  );
  const rows = members.map((of) =>
    row(`seed ${of.seed}${of.seed === best ? ' (best on validation)' : ''}`, [
      String(of.best_epoch),
      ...figures.map(({ split, name }) => figureText(of[split][name])),
    ]),
  );
  const means = figures.map(({ split, name }) => mean[split][name]);
  rows.push(row('mean ± sd', ['', ...means.map((of) => `${figureText(of.mean)} ± ${figureText(of.sd)}`)]));
  const against = comparison
    ? `<p>Test split, the ensemble less the best member, both on the same resamples: AUC ${gain(comparison.auc_macro)}; average precision ${gain(comparison.average_precision_macro)}.</p>`
    : '';
  return `<section aria-labelledby="members">
<h2 id="members">Members</h2>
<p>All other figures on this page are those of the mean of the members' probabilities.</p>
<div class="scroll" role="region" aria-label="Members" tabindex="0"><table>
<thead><tr><th scope="col">Member</th>${HEAD.map((name) => `<th scope="col">${name}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>
${against}
</section>`;
}

const gain = ({ difference, interval: [low, high] }: ComparedFigure): string =>
  `${figureText(difference, 4)} (interval ${figureText(low, 4)} to ${figureText(high, 4)})`;
