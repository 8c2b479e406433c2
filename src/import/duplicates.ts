/**
 * Pictures that are there twice: equal pixels, and pictures that look alike (scaled, compressed or brightened copies). Not
 * here: what becomes of them (index.ts).
 */
import type { Facts } from './picture';

export interface Alike {
  readonly a: number;
  readonly b: number;
  readonly isSame: boolean;
}

/** Bits of 64 in which the looks of copies may differ, and gray levels that their pixels may differ by on average. */
const MOST_BITS = 3;
const MOST_LEVELS = 4;
/** Hashes that agree in one of four parts of 16 bits are compared: with at most 3 bits apart, one part is equal. */
const BANDS = 4;
/** A part that more images share, such as that of a black border, tells nothing, and comparing all would take for ever. */
const MOST_ALIKE = 500;

/** The first image with the same pixels, for each image; itself where there is none before it. */
export function firstOfEach(facts: readonly Facts[]): number[] {
  const first = new Map<string, number>();
  return facts.map(({ pixels }, i) => {
    if (!first.has(pixels)) first.set(pixels, i);
    return first.get(pixels)!;
  });
}

/**
 * Pairs of images that look alike, among those whose pixels differ. `read` gives the prepared pixels. Each image is paired
 * with the first that is like it, so that a thousand alike are a thousand pairs and not a million.
 */
export async function alikes(
  facts: readonly Facts[],
  isApart: (a: number, b: number) => boolean,
  read: (image: number) => Promise<Uint8Array>,
): Promise<Alike[]> {
  const first = firstOfEach(facts);
  const pairs: Alike[] = first.flatMap((a, b) => (a !== b && isApart(a, b) ? [{ a, b, isSame: true }] : []));
  const bands = new Map<string, number[]>();
  for (const [b, { look }] of facts.entries()) {
    if (first[b] !== b) continue;
    const candidates = new Set<number>();
    for (let band = 0; band < BANDS; band++) {
      const key = `${band}${look.slice(band * 4, band * 4 + 4)}`;
      const known = bands.get(key);
      if (known === undefined) bands.set(key, [b]);
      else {
        for (const a of known) candidates.add(a);
        if (known.length < MOST_ALIKE) known.push(b);
      }
    }
    for (const a of candidates) {
      if (!isApart(a, b) || distance(facts[a].look, look) > MOST_BITS) continue;
      if (difference(await read(a), await read(b)) > MOST_LEVELS) continue;
      pairs.push({ a, b, isSame: false });
      break;
    }
  }
  return pairs;
}

function distance(a: string, b: string): number {
  let bits = 0;
  for (let at = 0; at < 16; at += 8) {
    let odd = Number.parseInt(a.slice(at, at + 8), 16) ^ Number.parseInt(b.slice(at, at + 8), 16);
    for (; odd !== 0; odd &= odd - 1) bits++;
  }
  return bits;
}

/** Gray levels on average. */
function difference(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}
