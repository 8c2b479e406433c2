/**
 * Colours and fonts of all pictures and of the page. Hues can be distinguished with any kind of colour vision (blue
 * against vermilion, never red against green), and colour is never the only cue: lines also differ in dash and in
 * label.
 */

/** Name -> [light, dark]. Each light value is unique, so that it can be replaced by the page's variable. */
export const COLORS = {
  surface: ['#ffffff', '#141b22'],
  ink: ['#1b2733', '#e9eef3'],
  muted: ['#525e6a', '#aab6c1'],
  grid: ['#dbe1e7', '#33404c'],
  train: ['#c2500a', '#ff9e57'],
  val: ['#0067a8', '#62b8ec'],
  chosen: ['#8a3d7c', '#e6a6d2'],
  truth: ['#00705a', '#4fcfae'],
  heat0: ['#edf3f9', '#1d2833'],
  heat1: ['#cbdff0', '#213e58'],
  heat2: ['#9cc6e6', '#275a86'],
  heat3: ['#2a76b3', '#76b6e6'],
  heat4: ['#0a4b7e', '#aad6f7'],
  heatInk: ['#13202c', '#f2f6fa'],
  heatInkStrong: ['#fdfeff', '#0a151f'],
} as const satisfies Record<string, readonly [light: string, dark: string]>;

export type ColorName = keyof typeof COLORS;

/** The light colours by name; charts are drawn with them. */
export const ink = Object.fromEntries(Object.entries(COLORS).map(([name, [light]]) => [name, light])) as Record<
  ColorName,
  string
>;

export type Dash = 'solid' | 'dashed' | 'dotted';

/** How the lines of things that are compared look, in order: no two have both the colour and the dash in common. */
export const SERIES: readonly { color: string; dash: Dash }[] = [
  ...[ink.val, ink.train, ink.truth, ink.chosen].map((color, i) => ({
    color,
    dash: i % 2 === 0 ? ('solid' as const) : ('dashed' as const),
  })),
  ...[ink.val, ink.train, ink.truth, ink.chosen].map((color) => ({ color, dash: 'dotted' as const })),
];

/** CSS custom properties of one scheme. */
export const customProperties = (scheme: 'light' | 'dark'): string =>
  Object.entries(COLORS)
    .map(([name, pair]) => `--${name}:${pair[scheme === 'light' ? 0 : 1]};`)
    .join('');

const BY_HEX = new Map(Object.entries(COLORS).map(([name, [light]]) => [light as string, name]));

/** An SVG with its light colours replaced by the page's variables. */
export const withVariables = (svg: string): string =>
  svg.replace(/(["'(:;\s])(#[0-9a-f]{6})\b/gi, (all, before: string, hex: string) => {
    const name = BY_HEX.get(hex.toLowerCase());
    return name === undefined ? all : `${before}var(--${name})`;
  });

/** PNGs are drawn with Arimo. The next fonts have the same widths; the last is the reader's default. */
export const FONT_STACK = 'Arimo, Arial, Liberation Sans, Helvetica, sans-serif';

/** The colour of a cell of a confusion matrix, by its share of the row, the third value of a point: five steps. */
export const HEAT_SCALE = {
  show: false,
  type: 'piecewise',
  dimension: 2,
  pieces: [ink.heat0, ink.heat1, ink.heat2, ink.heat3, ink.heat4].map((color, i) => ({
    gte: i / 5,
    ...(i < 4 ? { lt: (i + 1) / 5 } : {}),
    color,
  })),
} as const;
