/**
 * Draws one synthetic radiograph: two lung fields, heart and ribs in a bright body, then the mark of each label where a
 * radiologist would look for it, then exposure and noise. It consists of soft ellipses and uses + - * / only, which
 * IEEE 754 defines exactly, so the bytes are the same on every machine. It tests the pipeline; it has no medical meaning.
 */
import type { Random } from '../../base/random';

const { abs, ceil, floor, max, min } = Math;

/** Draws an image in coordinates 0 ... 1 (x to the right, y down). */
export class Canvas {
  private readonly field: Float64Array;

  constructor(readonly size: number) {
    this.field = new Float64Array(size * size);
  }

  fill(value: number): void {
    this.field.fill(value);
  }

  /**
   * Adds an ellipse of height `amplitude` whose edge fades over the outer part `softness` (0 ... 1] of its squared
   * radius. `slope` shears it: its long axis falls by `slope` for each unit to the right.
   */
  ellipse(x: number, y: number, rx: number, ry: number, amplitude: number, softness = 1, slope = 0): void {
    const { size, field } = this;
    const reach = ry + abs(slope) * rx;
    const [left, right] = this.pixels(x - rx, x + rx);
    const [top, bottom] = this.pixels(y - reach, y + reach);
    // An ellipse thinner than a pixel is drawn one pixel wide and fainter, so that all sizes show the same scene.
    const thin = min(1, (ry * size) / 0.6);
    const height = amplitude * thin;
    const radius = ry / thin;
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const dx = (column + 0.5) / size - x;
        const dy = (row + 0.5) / size - y - slope * dx;
        const inside = 1 - (dx * dx) / (rx * rx) - (dy * dy) / (radius * radius);
        if (inside <= 0) continue;
        const t = inside >= softness ? 1 : inside / softness;
        field[row * size + column] += height * t * t * (3 - 2 * t);
      }
    }
  }

  /** Writes the image as uint8 after an exposure (gain about mid-gray, offset) and bell-shaped noise. */
  expose(out: Uint8Array, gain: number, offset: number, noise: number, random: Random): void {
    const { field } = this;
    for (let i = 0; i < field.length; i++) {
      const word = random.word();
      // The sum of four uniform bytes: mean 510, standard deviation 147.8.
      const bell = (word & 255) + ((word >>> 8) & 255) + ((word >>> 16) & 255) + (word >>> 24) - 510;
      const value = (field[i] - 128) * gain + 128 + offset + (bell * noise) / 147.8;
      out[i] = value <= 0 ? 0 : value >= 255 ? 255 : (value + 0.5) | 0;
    }
  }

  private pixels(low: number, high: number): [number, number] {
    return [max(0, floor(low * this.size)), min(this.size - 1, ceil(high * this.size))];
  }
}

/** The geometry of this patient's chest. */
interface Anatomy {
  /** Centre of the chest. */
  readonly x: number;
  readonly y: number;
  /** Half width and half height of a lung. */
  readonly rx: number;
  readonly ry: number;
  /** Distance of a lung's centre from the middle. */
  readonly apart: number;
}

/** Draws the image of the labels in `mask` (bit i is label i) to `out`, [size, size] uint8. */
export function drawRadiograph(canvas: Canvas, mask: number, out: Uint8Array, random: Random): void {
  const scale = random.between(0.94, 1.06);
  const chest: Anatomy = {
    x: 0.5 + random.between(-0.03, 0.03),
    y: 0.46 + random.between(-0.03, 0.03),
    rx: 0.135 * scale,
    ry: 0.29 * scale * random.between(0.93, 1.07),
    apart: 0.19 * scale,
  };
  drawChest(canvas, chest, random);
  drawDistractors(canvas, chest, random);
  MARKS.forEach((mark, label) => {
    if ((mask >> label) & 1) mark(canvas, chest, random.between(FAINTEST, 1), random);
  });
  canvas.expose(out, random.between(0.85, 1.1), random.between(-14, 14), random.between(4, 9), random);
}

function drawChest(canvas: Canvas, { x, y, rx, ry, apart }: Anatomy, random: Random): void {
  canvas.fill(40);
  canvas.ellipse(x, 0.62, 0.62, 0.72, 130, 0.35); // body
  const air = random.between(70, 95);
  for (const side of [-1, 1]) {
    canvas.ellipse(x + side * apart, y, rx, ry, -air, 0.5, 0.25 * side);
    for (let rib = -2; rib <= 2; rib++) {
      canvas.ellipse(x + side * apart, y + rib * 0.1, rx, 0.014, 14, 0.6, 0.35 * side);
    }
  }
  canvas.ellipse(x, 0.45, 0.05, 0.55, 25, 0.8); // spine and mediastinum
  canvas.ellipse(x + 0.045, y + 0.14, 0.12 * random.between(0.9, 1.1), 0.12, 55, 0.7); // heart, on the right of the image
  canvas.ellipse(x, y + ry + 0.13, 0.42, 0.14, 40, 0.6); // diaphragm
}

/** What every patient may have, with or without a label: vessels, overlapping tissue, wires. */
function drawDistractors(canvas: Canvas, { x, y, rx, ry, apart }: Anatomy, random: Random): void {
  for (let i = random.below(6); i > 0; i--) {
    const radius = random.between(0.02, 0.09);
    const [dx, dy] = [random.between(-rx, rx), random.between(-ry, ry)];
    canvas.ellipse(x + random.sign() * apart + dx, y + dy, radius, radius, random.between(-16, 26));
  }
}

/** Draws one label's mark at a severity of FAINTEST ... 1. */
type Mark = (canvas: Canvas, chest: Anatomy, severity: number, random: Random) => void;
const FAINTEST = 0.15;

const atelectasis: Mark = (canvas, { x, y, rx, ry, apart }, severity, random) => {
  const side = random.sign();
  const height = y + ry * random.between(0.15, 0.5);
  canvas.ellipse(x + side * apart, height, rx * 1.1, 0.03, 75 * severity, 0.8, random.between(-0.15, 0.15));
};

const cardiomegaly: Mark = (canvas, { x, y }, severity) => {
  canvas.ellipse(x + 0.05, y + 0.15, 0.16 + 0.08 * severity, 0.15, 80 * severity, 0.5);
};

const effusion: Mark = (canvas, { x, y, rx, ry, apart }, severity, random) => {
  const side = random.sign();
  const level = 0.11 + 0.1 * severity;
  canvas.ellipse(x + side * (apart + 0.03), y + ry, rx * 1.25, level, 80 * severity, 0.35, -0.35 * side);
};

const infiltration: Mark = (canvas, { x, y, rx, ry, apart }, severity, random) => {
  const side = random.sign();
  const centre = y + ry * random.between(-0.4, 0.3);
  for (let i = 0; i < 9; i++) {
    const [dx, dy] = [random.between(-rx, rx), random.between(-0.16, 0.16)];
    canvas.ellipse(x + side * apart + dx * 0.8, centre + dy, 0.045, 0.045, 60 * severity, 0.8);
  }
};

const mass: Mark = (canvas, { x, y, rx, ry, apart }, severity, random) => {
  const radius = random.between(0.08, 0.11);
  const [dx, dy] = [random.between(-0.4, 0.4) * rx, random.between(-0.5, 0.5) * ry];
  canvas.ellipse(x + random.sign() * apart + dx, y + dy, radius, radius, 95 * severity, 0.35);
};

const nodule: Mark = (canvas, { x, y, rx, ry, apart }, severity, random) => {
  const radius = random.between(0.045, 0.055);
  const [dx, dy] = [random.between(-0.5, 0.5) * rx, random.between(-0.6, 0.6) * ry];
  canvas.ellipse(x + random.sign() * apart + dx, y + dy, radius, radius, 115 * severity, 0.5);
};

/** The right middle lobe: on the left of the image. */
const pneumonia: Mark = (canvas, { x, y, rx, apart }, severity, random) => {
  canvas.ellipse(x - apart, y + 0.06, rx, 0.09, 95 * severity, 0.9, 0.5);
  canvas.ellipse(x - apart - 0.03, y + random.between(0.02, 0.1), 0.05, 0.05, 50 * severity, 0.6);
};

/** Air without lung at the apex, and the thin line of the pleura. */
const pneumothorax: Mark = (canvas, { x, y, rx, ry, apart }, severity, random) => {
  const side = random.sign();
  canvas.ellipse(x + side * (apart + 0.04), y - ry * 0.6, rx * 0.9, ry * 0.5, -75 * severity, 0.4);
  canvas.ellipse(x + side * (apart + 0.01), y - ry * 0.3, rx * 0.8, 0.02, 60 * severity, 0.6, 0.8 * side);
};

/** Homogeneous and sharply bounded at a lung's base, crossed by a dark bronchus. */
const consolidation: Mark = (canvas, { x, y, rx, ry, apart }, severity, random) => {
  const side = random.sign();
  const [cx, cy] = [x + side * apart, y + ry * 0.45];
  canvas.ellipse(cx, cy, rx * 0.95, 0.13, 90 * severity, 0.15);
  canvas.ellipse(cx, cy, rx * 0.8, 0.025, -70 * severity, 0.7, -0.9 * side);
};

/** Both lungs bright around the hila. */
const edema: Mark = (canvas, { x, y, apart }, severity) => {
  for (const side of [-1, 1]) canvas.ellipse(x + side * apart * 0.8, y - 0.02, 0.1, 0.17, 85 * severity, 0.9);
};

/** Lungs darker and longer, the diaphragm low and flat. */
const emphysema: Mark = (canvas, { x, y, rx, ry, apart }, severity) => {
  for (const side of [-1, 1]) {
    canvas.ellipse(x + side * apart, y + ry * 0.75, rx * 1.15, ry * 0.5, -75 * severity, 0.5);
  }
};

/** Fine crossing lines at both bases. */
const fibrosis: Mark = (canvas, { x, y, rx, ry, apart }, severity) => {
  for (const side of [-1, 1]) {
    for (let line = 0; line < 4; line++) {
      const height = y + ry * (0.2 + 0.2 * line);
      canvas.ellipse(x + side * (apart + 0.02), height, rx, 0.018, 95 * severity, 0.6, line % 2 ? 0.7 : -0.7);
    }
  }
};

/** A bright rim along the outer wall of one lung. */
const pleural: Mark = (canvas, { x, y, rx, ry, apart }, severity, random) => {
  canvas.ellipse(x + random.sign() * (apart + rx * 0.95), y, 0.035, ry * 0.9, 100 * severity, 0.6);
};

/** A bright pouch with a bubble of air, behind the heart. */
const hernia: Mark = (canvas, { x, y, ry }, severity) => {
  canvas.ellipse(x - 0.02, y + ry * 0.75, 0.12, 0.12, 60 + 40 * severity, 0.25);
  canvas.ellipse(x - 0.02, y + ry * 0.7, 0.07, 0.06, -170 - 60 * severity, 0.4);
};

/** In label order. */
const MARKS: readonly Mark[] = [
  atelectasis,
  cardiomegaly,
  effusion,
  infiltration,
  mass,
  nodule,
  pneumonia,
  pneumothorax,
  consolidation,
  edema,
  emphysema,
  fibrosis,
  pleural,
  hernia,
];
