/** Seeded random choices (mulberry32), so that a seed names a whole fuzzing run. */
export function randomOf(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  /** A whole number from 0 to n - 1; 0 for n of 0. */
  const below = (n) => Math.floor((next() / 2 ** 32) * n);
  return { below, chance: (p) => next() < p * 2 ** 32, pick: (list) => list[below(list.length)] };
}
