/** Pictures of maps: a layer of colour for the page, and a PNG of the image, the image under the map, and the numbers. */
import { rasterise } from '../report/charts/chart';
import { encodePng } from '../report/charts/png';
import { escape, figureText } from '../report/format';
import type { Finding } from './types';
import { spreadOut, type HeatMap } from './map';

/** Orange speaks for the finding, blue against it: told apart with any kind of colour vision, and on gray. */
export const FOR = [230, 97, 1] as const;
export const AGAINST = [60, 130, 220] as const;
/** How much of the image the full colour covers. */
const COVER = 0.65;

/** uint8 gray or RGB [side, side, channels] enlarged to whole multiples, its pixels as squares: RGB, and its side. */
function enlarged(image: Uint8Array, side: number, channels: number, factor: number): Uint8Array {
  const size = side * factor;
  const result = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const from = (Math.floor(y / factor) * side + Math.floor(x / factor)) * channels;
      for (let c = 0; c < 3; c++) result[(y * size + x) * 3 + c] = image[from + (channels === 1 ? 0 : c)];
    }
  }
  return result;
}

/** The colour of a value, and how much it covers, 0 to COVER. */
function colourOf(value: number, scale: number): { colour: readonly number[]; cover: number } {
  return { colour: value >= 0 ? FOR : AGAINST, cover: COVER * Math.min(1, Math.abs(value) / scale) };
}

/** The map as a transparent PNG of `size` pixels, to lie over the image. */
export function layer(map: HeatMap, side: number, scale: number, size: number): Buffer {
  const rgba = new Uint8Array(size * size * 4);
  spreadOut(map, side, size).forEach((value, i) => {
    const { colour, cover } = colourOf(value, scale);
    rgba.set([...colour, Math.round(255 * cover)], i * 4);
  });
  return encodePng(rgba, size, size, 4);
}

/** Side of a panel in pixels, about. */
const PANEL = 336;
const MARGIN = 12;

/** The PNG of a finding. */
export async function pictureOf(
  image: { name: string; pixels: Uint8Array; side: number; channels: 1 | 3 },
  finding: Finding,
  map: HeatMap,
  scale: { value: number; text: string },
  method: string,
): Promise<Buffer> {
  const { side, channels } = image;
  const factor = Math.max(1, Math.round(PANEL / side));
  const size = side * factor;
  const plain = enlarged(image.pixels, side, channels, factor);
  const covered = plain.slice();
  spreadOut(map, side, size).forEach((value, i) => {
    const { colour, cover } = colourOf(value, scale.value);
    for (let c = 0; c < 3; c++) covered[i * 3 + c] = Math.round(plain[i * 3 + c] * (1 - cover) + colour[c] * cover);
  });
  const width = 2 * size + 3 * MARGIN;
  const top = 62;
  const embedded = (pixels: Uint8Array, x: number): string =>
    `<image x="${x}" y="${top}" width="${size}" height="${size}" href="data:image/png;base64,${encodePng(pixels, size, size, 3).toString('base64')}"/>`;
  const text = (content: string, y: number, weight = 'normal', x = MARGIN, anchor = 'start'): string =>
    `<text x="${x}" y="${y}" fill="#1b2733" text-anchor="${anchor}" style="font-family:Arimo,sans-serif;font-size:14px;font-weight:${weight}">${escape(fit(content, (width - 2 * MARGIN) / 7.2))}</text>`;
  const bar = top + size + 16;
  const [against, middle, inFavour] = [AGAINST, [255, 255, 255], FOR].map((rgb) => `rgb(${rgb.join(',')})`);
  const limit = scale.value.toPrecision(2);
  return rasterise(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${bar + 62}" viewBox="0 0 ${width} ${bar + 62}">
<defs><linearGradient id="g"><stop offset="0" stop-color="${against}"/><stop offset="0.5" stop-color="${middle}"/><stop offset="1" stop-color="${inFavour}"/></linearGradient></defs>
<rect width="100%" height="100%" fill="#ffffff"/>
${text(`${finding.label}${finding.above ? '' : ', below its threshold'}`, 24, 'bold')}
${text(numbersOf(finding), 46)}
${embedded(plain, MARGIN)}
${embedded(covered, size + 2 * MARGIN)}
<rect x="${MARGIN}" y="${bar}" width="${width - 2 * MARGIN}" height="10" fill="url(#g)" stroke="#dbe1e7"/>
${text(`against −${limit}`, bar + 28)}
${text(`for +${limit}`, bar + 28, 'normal', width - MARGIN, 'end')}
${text(`${image.name} · ${method} · ${scale.text}`, bar + 50)}
</svg>`,
    1,
  );
}

const fit = (content: string, characters: number): string =>
  content.length <= characters ? content : `${content.slice(0, characters - 1)}…`;

/** What the network says of the finding, in words. */
export const numbersOf = ({ logit, probability, threshold }: Finding): string =>
  [
    `logit ${figureText(logit, 2)}`,
    `probability ${figureText(probability)}`,
    ...(threshold === null ? [] : [`threshold ${figureText(threshold)}`]),
  ].join(' · ');
