/**
 * From a chart's description to SVG and PNG: echarts draws on the server without a browser, resvg rasterises with the
 * font of the package. Not here: what the charts show (curves.ts, panels.ts).
 */
import type { EChartsOption } from 'echarts';
import { escape } from '../format';
import { FONT_STACK, ink } from './theme';

export type { EChartsOption };

/** A drawing without its outer element, so that it can be a file, or part of a sheet or of the page. */
export interface Drawing {
  width: number;
  height: number;
  /** SVG elements in user units of `width` x `height`. */
  body: string;
  /** The text alternative: what it shows, in words. */
  description: string;
}

/** Draws a chart at a size in user units. echarts is loaded by the first call. */
export function draw(description: string, width: number, height: number, option: EChartsOption): Drawing {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { init } = require('./echarts') as typeof import('./echarts');
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: 'transparent',
      textStyle: { fontFamily: FONT_STACK, color: ink.ink },
      ...option,
    });
    return { width, height, description, body: bare(chart.renderToSVGString()) };
  } finally {
    chart.dispose();
  }
}

/**
 * Removes what echarts adds for a browser: hover styles and classes, pointer areas, clip paths that clip nothing.
 * Identifiers are removed too, so that drawings can share a page and are reproducible.
 */
const bare = (svg: string): string =>
  svg
    .replace(/^<svg[^>]*>|<\/svg>\s*$/g, '')
    .replace(/<(style|defs)\b[^>]*>[\s\S]*?<\/\1>/g, '')
    .replace(/ (class|pointer-events|clip-path|ecmeta_[a-z_]+)="[^"]*"/g, '')
    .replace(/<path [^>]*fill-opacity="0"[^>]*><\/path>\n?/g, '')
    .replace(/<(rect|path) (?![^>]*stroke=)[^>]*fill="(none|transparent)"[^>]*><\/\1>\n?/g, '')
    .replaceAll(' fill="#000"', ' fill="none"')
    .replace(/ d="[^"]*"/g, (path) => path.replace(/(\.\d\d)\d+/g, '$1'))
    .trim();

/** A complete SVG file on white, with its description. */
export function standalone(drawing: Drawing, title: string): string {
  const { width, height, body, description } = drawing;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escape(title)}</title><desc>${escape(description)}</desc>`,
    `<rect width="${width}" height="${height}" fill="${ink.surface}"/>`,
    body,
    '</svg>\n',
  ].join('\n');
}

const HEADING = 42;

/** The drawing under a heading and a line of explanation, both truncated to fit. */
export function titled(drawing: Drawing, heading: string, note: string): Drawing {
  const { width, height, body, description } = drawing;
  return {
    width,
    height: height + HEADING,
    description,
    body: [
      text(cut(heading, width / 8), 10, 19, 14, ink.ink, 'bold'),
      text(cut(note, width / 6.5), 10, 36, 12, ink.muted, 'normal'),
      `<g transform="translate(0 ${HEADING})">\n${body}\n</g>`,
    ].join('\n'),
  };
}

const cut = (content: string, characters: number): string =>
  content.length <= characters ? content : `${content.slice(0, characters - 1)}…`;

const text = (content: string, x: number, y: number, size: number, color: string, weight: string): string =>
  `<text x="${x}" y="${y}" fill="${color}" style="font-family:${FONT_STACK};font-size:${size}px;font-weight:${weight}">${escape(content)}</text>`;

/** Drawings of one size in rows of `columns`, under a heading and lines of explanation. */
export function sheet(
  drawings: readonly Drawing[],
  heading: string,
  notes: readonly string[],
  columns: number,
): Drawing {
  const { width, height } = drawings[0];
  const margin = 20;
  const top = 44 + 18 * notes.length;
  const body = [
    text(heading, margin, 30, 18, ink.ink, 'bold'),
    ...notes.map((note, i) => text(note, margin, 52 + 18 * i, 13, ink.muted, 'normal')),
    ...drawings.map(({ body }, i) => {
      const x = margin + (i % columns) * width;
      const y = top + Math.floor(i / columns) * height;
      return `<g transform="translate(${x} ${y})">\n${body}\n</g>`;
    }),
  ].join('\n');
  return {
    width: 2 * margin + Math.min(columns, drawings.length) * width,
    height: top + Math.ceil(drawings.length / columns) * height + margin,
    description: [heading, ...drawings.map((drawing) => drawing.description)].join('. '),
    body,
  };
}

const FONTS = ['400Regular/Arimo_400Regular.ttf', '700Bold/Arimo_700Bold.ttf'];
/** Latin, Greek, Cyrillic and Hebrew with punctuation: the font's characters. Other scripts need the system's fonts. */
const COVERED =
  /^[\u0000-\u052f\u0590-\u05ff\u1e00-\u206f\u20a0-\u20bf\u2100-\u214f\u2190-\u21ff\u2200-\u22ff\ufffd]*$/;

/** The picture as a PNG, with `zoom` pixels per user unit. */
export async function rasterise(svg: string, zoom = 2): Promise<Buffer> {
  const { renderAsync } = await import('@resvg/resvg-js');
  const image = await renderAsync(svg, {
    fitTo: { mode: 'zoom', value: zoom },
    font: {
      loadSystemFonts: !COVERED.test(svg),
      fontFiles: FONTS.map((file) => require.resolve(`@expo-google-fonts/arimo/${file}`)),
      defaultFontFamily: 'Arimo',
      sansSerifFamily: 'Arimo',
    },
  });
  return image.asPng();
}
