/** The pictures: what is written in them, that nothing hostile gets through, and that the PNGs really show their text. */
import { inflateSync } from 'node:zlib';
import { rasterise, sheet, standalone, titled } from '../../../src/report/charts/chart';
import { aucCurve, lossCurve } from '../../../src/report/charts/curves';
import {
  confusionPanel,
  precisionRecallPanel,
  reliabilityPanel,
  rocPanel,
  thin,
} from '../../../src/report/charts/panels';
import { COLORS, withVariables } from '../../../src/report/charts/theme';

/** The texts of an SVG, unescaped. */
const textsOf = (svg: string): string[] =>
  [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) =>
    text
      .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
      .replace(/&lt;/g, '<')
      .replace(/&amp;/g, '&'),
  );

const truth = Uint8Array.from({ length: 60 }, (_, i) => Number(i % 5 === 0));
const scores = Float64Array.from({ length: 60 }, (_, i) => ((i * 7) % 60) / 60);
const history = [1, 2, 3].map((epoch) => ({
  epoch,
  lr: 1e-3,
  trainLoss: 0.4 / epoch,
  valLoss: 0.5 - epoch / 10,
  valAuc: epoch === 3 ? null : 0.6 + epoch / 100,
  valAp: null,
  valAcc: 0.9,
  seconds: 1,
  imagesPerSecond: 9,
}));

describe('confusion matrix', () => {
  const drawing = confusionPanel('mass', [[21169, 131], [1045, 88]]); // prettier-ignore

  test('rows are the truth from negative to positive, columns the decision, with counts and shares of the row', () => {
    const texts = textsOf(standalone(drawing, 'mass'));
    expect(texts).toEqual(
      expect.arrayContaining([
        'truth',
        'decision',
        '21,169',
        '99.4 %',
        '131',
        '0.6 %',
        '1,045',
        '92.2 %',
        '88',
        '7.8 %',
        'TN',
        'FP',
        'FN',
        'TP',
      ]),
    );
    expect(texts.filter((text) => text === 'negative')).toHaveLength(2);
    expect(texts.filter((text) => text === 'positive')).toHaveLength(2);
  });

  test('each count stands in its own quarter: false positives top right, false negatives bottom left', () => {
    const at = (text: string): [x: number, y: number] => {
      const [, attributes] = new RegExp(`<text([^>]*)>${text}</text>`).exec(drawing.body)!;
      const [, dx, dy] = /translate\(([\d.]+) ([\d.]+)\)/.exec(attributes) ?? [];
      const own = (name: string): number => Number(new RegExp(` ${name}="(-?[\\d.]+)"`).exec(attributes)?.[1] ?? 0);
      return [Number(dx ?? 0) + own('x'), Number(dy ?? 0) + own('y')];
    };
    const [tn, fp, fn, tp] = ['21,169', '131', '1,045', '88'].map(at);
    expect(fp[0]).toBeGreaterThan(tn[0] + 40);
    expect(fn[1]).toBeGreaterThan(tn[1] + 40);
    expect(Math.abs(fp[1] - tn[1])).toBeLessThan(1);
    expect(Math.abs(fn[0] - tn[0])).toBeLessThan(1);
    expect(tp[0] - fp[0] + (tp[1] - fn[1])).toBeCloseTo(0, 0);
  });

  test('says the same in words, and "no image" where a row is empty', () => {
    expect(drawing.description).toContain('truth negative, decision positive: 131 (0.6 % of the row)');
    expect(drawing.description).toContain('truth positive, decision negative: 1,045 (92.2 % of the row)');
    expect(textsOf(confusionPanel('x', [[9, 0], [0, 0]]).body).filter((text) => text === 'no image')).toHaveLength(2); // prettier-ignore
  });
});

describe('curves over epochs', () => {
  test('the axes have names, both losses a legend, the chosen epoch a mark', () => {
    expect(textsOf(lossCurve(history, 2).body)).toEqual(
      expect.arrayContaining(['epoch', 'loss (mean BCE)', 'training', 'validation', 'chosen: epoch 2 (0.300)']),
    );
    expect(textsOf(aucCurve(history, 2).body)).toEqual(
      expect.arrayContaining(['epoch', 'macro AUC', 'chosen: epoch 2 (0.620)']),
    );
    expect(aucCurve(history, 2).description).toContain('0.610 to undefined');
  });

  test('without a chosen epoch, and with one epoch, they are drawn as well', () => {
    expect(textsOf(lossCurve(history, null).body).join()).not.toContain('chosen');
    expect(textsOf(lossCurve(history.slice(0, 1), 1).body)).toContain('epoch');
  });

  test.each([
    [0.965, '0.9', '1'],
    [0.61, '0.6', '0.7'],
    [1, '0.9', '1'],
    [0, '0', '0.1'],
  ])('one AUC of %d lies between %s and %s', (valAuc, low, high) => {
    const texts = textsOf(aucCurve([{ ...history[0], valAuc }], 1).body);
    const ticks = texts.filter((text) => /^\d\.?\d*$/.test(text)).map(Number);
    expect(texts).toEqual(expect.arrayContaining([low, high]));
    expect(Math.max(...ticks.filter((tick) => tick !== 2 && !(tick === 1 && high !== '1')))).toBe(Number(high));
  });
});

describe('curves of a label', () => {
  test('name their axes and their figure', () => {
    const of = { labelCount: 1, truth, scores };
    expect(textsOf(rocPanel('edema', of, 0.71).body)).toEqual(
      expect.arrayContaining(['false positive rate', 'true positive rate', 'AUC 0.710']),
    );
    expect(textsOf(precisionRecallPanel('edema', of, 0.25, 0.2).body)).toEqual(
      expect.arrayContaining(['recall', 'precision', 'AP 0.250']),
    );
    expect(textsOf(reliabilityPanel('edema', of, 0.06).body)).toEqual(
      expect.arrayContaining(['mean probability', 'share of positives', 'ECE 0.060']),
    );
  });

  test('an undefined figure is said, not drawn', () => {
    const none = { labelCount: 1, truth: new Uint8Array(60), scores };
    for (const drawing of [rocPanel('edema', none, null), precisionRecallPanel('edema', none, null, 0)]) {
      expect(textsOf(drawing.body).join(' ')).toMatch(/undefined.*one value only/);
      expect(drawing.body).not.toContain('NaN');
      expect(drawing.description).toContain('undefined');
    }
  });

  test('thinning keeps the ends and moves no point', () => {
    const xs = Float64Array.from({ length: 20001 }, (_, i) => i / 20000);
    const points = thin(xs, xs.map(Math.sqrt));
    expect(points.length).toBeLessThan(700);
    expect([points[0], points.at(-1)]).toEqual([[0, 0], [1, 1]]); // prettier-ignore
    for (const [x, y] of points) expect(y).toBe(Math.sqrt(x));
  });
});

describe('files', () => {
  const hostile = `<script>alert("1")</script> & 'x' \u0000 ${'long '.repeat(40)}`;

  test('a hostile label is text, in the file and on a sheet', () => {
    const panel = titled(confusionPanel(hostile, [[1, 2], [3, 4]]), hostile, hostile); // prettier-ignore
    const svg = standalone(sheet([panel, panel], hostile, [hostile], 2), hostile);
    expect(svg).not.toContain('<script');
    expect(svg).not.toContain('\u0000');
    expect(svg.match(/&#60;script&#62;/g)!.length).toBeGreaterThan(4);
  });

  test('have no scripts, styles, links or identifiers that could collide in one page', () => {
    const svg = standalone(lossCurve(history, 2), 'loss');
    expect(svg).not.toMatch(/<(style|script|image|a)\b| (id|class|href|onclick)=|url\(/);
    expect(svg).toContain('<title>loss</title><desc>');
  });

  test('in the page all colours are the variables of the page', () => {
    const used = withVariables(confusionPanel('x', [[5, 5], [1, 9]]).body + rocPanel('x', { labelCount: 1, truth, scores }, 0.5).body + lossCurve(history, 2).body); // prettier-ignore
    expect(used).toContain('var(--heat');
    expect(used.match(/#[0-9a-f]{3,8}(?=["';])|rgba?\(/gi)).toBeNull();
  });

  test('no two light colours are equal, or the page could not tell them apart', () => {
    const light = Object.values(COLORS).map(([color]) => color);
    expect(new Set(light).size).toBe(light.length);
  });
});

describe('PNG', () => {
  /** Gray levels of an RGBA PNG without interlace: enough of a decoder for resvg's output. */
  function decode(png: Buffer): { width: number; height: number; pixels: Buffer } {
    const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
    expect([png[24], png[25], png[28]]).toEqual([8, 6, 0]);
    const parts: Buffer[] = [];
    for (let at = 8; at < png.length;) {
      const length = png.readUInt32BE(at);
      if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + length));
      at += length + 12;
    }
    const raw = inflateSync(Buffer.concat(parts));
    const stride = width * 4;
    const pixels = Buffer.alloc(stride * height);
    for (let y = 0; y < height; y++) {
      const filter = raw[y * (stride + 1)];
      for (let x = 0; x < stride; x++) {
        const left = x >= 4 ? pixels[y * stride + x - 4] : 0;
        const up = y > 0 ? pixels[(y - 1) * stride + x] : 0;
        const corner = x >= 4 && y > 0 ? pixels[(y - 1) * stride + x - 4] : 0;
        const p = left + up - corner;
        const [a, b, c] = [Math.abs(p - left), Math.abs(p - up), Math.abs(p - corner)];
        const paeth = a <= b && a <= c ? left : b <= c ? up : corner;
        const predicted = [0, left, up, (left + up) >> 1, paeth][filter];
        pixels[y * stride + x] = raw[y * (stride + 1) + 1 + x] + predicted;
      }
    }
    return { width, height, pixels };
  }

  /** How many pixels of a region (in user units, at zoom 2) are dark. */
  function darkIn(
    { width, pixels }: { width: number; pixels: Buffer },
    x0: number,
    y0: number,
    x1: number,
    y1: number,
  ): number {
    let dark = 0;
    for (let y = 2 * y0; y < 2 * y1; y++)
      for (let x = 2 * x0; x < 2 * x1; x++) dark += Number(pixels[4 * (y * width + x)] < 110);
    return dark;
  }

  test('has twice the size of the SVG and is opaque', async () => {
    const panel = titled(confusionPanel('mass', [[1, 2], [3, 4]]), 'mass', 'note'); // prettier-ignore
    const image = decode(await rasterise(standalone(panel, 'mass')));
    expect([image.width, image.height]).toEqual([2 * panel.width, 2 * panel.height]);
    for (let i = 3; i < image.pixels.length; i += 4)
      if (image.pixels[i] !== 255) throw new Error('a transparent pixel');
  });

  test('shows text, with the font of the package alone, where the same picture without text is blank', async () => {
    const matrix = [[1, 2], [3, 4]] as [[number, number], [number, number]]; // prettier-ignore
    const bare = decode(await rasterise(standalone(titled(confusionPanel('x', matrix), '', ''), 'x')));
    const named = decode(
      await rasterise(standalone(titled(confusionPanel('x', matrix), 'cardiomegaly', 'prevalence'), 'x')),
    );
    expect(darkIn(bare, 0, 0, 220, 40)).toBe(0);
    expect(darkIn(named, 8, 4, 120, 24)).toBeGreaterThan(300);
    // The axis names below and at the left, which are turned.
    expect(darkIn(named, 54, 226, 206, 252)).toBeGreaterThan(200);
    expect(darkIn(named, 0, 60, 54, 210)).toBeGreaterThan(200);
  });
});
