/** index.html: all maps on one page, without a network or other files. */
import { isExclusive, type Task } from '../base/task';
import { encodePng } from '../report/charts/png';
import { escape, figureText, plural } from '../report/format';
import { section } from '../report/page/charts';
import { frame } from '../report/page/frame';
import type { Finding, Method } from './types';
import type { HeatMap } from './map';
import { AGAINST, FOR, layer, numbersOf } from './picture';

/** An image, the labels that it is shown for, and their maps. */
export interface SheetItem {
  name: string;
  pixels: Uint8Array;
  labels: number[];
  findings: Finding[];
  maps: HeatMap[];
}

interface Sheet {
  target: string;
  method: Method;
  side: number;
  channels: 1 | 3;
  scale: { from: 'validation' | 'pictures'; values: readonly number[] };
  labels: readonly string[];
  items: readonly SheetItem[];
  notes: readonly string[];
  task: Task;
}

/** What every page with such maps says of them. */
export const CAVEAT =
  'Such maps mislead more often than radiologists do: of seven methods, the best was significantly worse than radiologists at finding where a disease is, most of all where it is small or of a complex shape (Saporta and others, Nature Machine Intelligence, 2022). They show what the network reacts to, not what a patient has. Use them to find faults of a model.';

/** What the values of a map are. */
const MEANING: Record<Method, (exclusive: boolean) => string> = {
  evidence: (exclusive) =>
    exclusive
      ? 'Each map shows what each place adds to the logit of the class, relative to the mean of all classes.'
      : 'Each map shows what each place adds to the logit of the finding: its mean, plus a constant of the label, is the logit.',
  occlusion: (exclusive) =>
    `Each map shows how much the ${exclusive ? 'log-odds of the class' : 'logit of the finding'} falls when a square of the picture is covered by the picture's mean.`,
};

/** Side of a layer of colour in pixels; the browser smooths it. */
const LAYER = 84;

export function renderSheet({ target, method, side, channels, scale, labels, items, notes, task }: Sheet): string {
  const item = (of: SheetItem, i: number): string => {
    const finding = of.findings[i];
    const image = encodePng(of.pixels, side, side, channels).toString('base64');
    const colours = layer(of.maps[i], side, scale.values[of.labels[i]], LAYER).toString('base64');
    const alt = `${of.name}, map of ${finding.label}: ${placeOf(of.maps[i], side)}`;
    return `<li><div class="map"><img src="data:image/png;base64,${image}" width="${side}" height="${side}" alt="${escape(alt)}"><img src="data:image/png;base64,${colours}" width="${LAYER}" height="${LAYER}" alt=""></div>
<b>${escape(finding.label)}</b>${finding.above ? '' : 'below its threshold<br>'}${escape(numbersOf(finding))}</li>`;
  };
  const images = items.map((of) => {
    const image = encodePng(of.pixels, side, side, channels).toString('base64');
    return `<h3>${escape(of.name)}</h3>
<ul class="images maps"><li><img src="data:image/png;base64,${image}" width="${side}" height="${side}" alt="${escape(`${of.name}, as the network takes it`)}">as the network takes it</li>
${of.findings.map((_, i) => item(of, i)).join('\n')}</ul>`;
  });
  const shown = [...new Set(items.flatMap((of) => of.labels))].sort((a, b) => a - b);
  const [colourFor, colourAgainst] = [FOR, AGAINST].map((rgb) => `rgb(${rgb.join(',')})`);
  const sample = (colour: string): string => `<span class="swatch" style="background:${colour}"></span>`;
  return frame({
    title: `Heat maps of ${target} – chestmnist`,
    heading: 'Heat maps',
    subtitle: [target, plural(items.length, 'picture'), `${side} × ${side} pixels`, method].join(' · '),
    notes: [...notes, CAVEAT],
    sections: [
      section(
        'reading',
        'How to read them',
        `${MEANING[method](isExclusive(task))} ${sample(colourFor)} Orange: what is there speaks for it. ${sample(colourAgainst)} Blue: it speaks against it. No colour: it does not matter.`,
        `<p>A label has one scale in all pictures, ${scale.from === 'validation' ? 'from the validation split, so that weak evidence looks weak' : 'from these pictures themselves'}. The full colour is ${shown.map((label) => `${escape(labels[label])} ${figureText(scale.values[label])}`).join(', ')}. A map is shown for each ${isExclusive(task) ? 'most probable class' : 'finding above its threshold, or for the most probable one'}.</p>`,
      ),
      section('maps', 'Pictures', 'The picture, then each map over it.', images.join('\n')),
    ],
  });
}

/** Where the largest value is, in words. */
function placeOf({ values, centers }: HeatMap, side: number): string {
  const at = values.indexOf(Math.max(...values));
  if (!(values[at] > 0)) return 'nothing speaks for it';
  const third = (center: number, names: readonly string[]): string =>
    names[Math.min(2, Math.floor((3 * center) / side))];
  const row = third(centers[Math.floor(at / centers.length)], ['upper', 'middle', 'lower']);
  const column = third(centers[at % centers.length], ['left', 'center', 'right']);
  return `what speaks for it most is ${row} ${column} in the picture`;
}
