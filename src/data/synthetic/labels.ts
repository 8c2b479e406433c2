/**
 * The labels of a synthetic split: ChestMNIST's prevalences, exactly where the counts allow, and ChestX-ray14's
 * co-occurrence. Counts of label combinations are fitted to the split's marginals by iterative proportional fitting
 * (Deming and Stephan, 1940), drawn by systematic sampling, and corrected in a few images to the exact marginals.
 */
import type { SplitFacts } from '../catalogue';
import { chestXray14Combinations } from './chestxray14';
import type { Random } from '../../base/random';

const LABELS = 14;
const FITTING_ROUNDS = 200;
/** From this count on, every label gets at least one positive, so that its AUC is defined. */
const ALL_LABELS_FROM = 28;

/** `count` label masks (bit i is label i) in random order, with the label counts of `facts` scaled to `count`. */
export function drawLabelMasks(count: number, facts: SplitFacts, random: Random): Uint16Array {
  const scale = count / facts.count;
  const least = count >= ALL_LABELS_FROM ? 1 : 0;
  const targets = facts.positives.map((positives) => Math.max(least, Math.round(positives * scale)));
  const labelled = count - Math.round(facts.unlabelled * scale);
  const masks = new Uint16Array(count);
  sampleSystematically(fitCombinations(targets, labelled), masks.subarray(0, labelled), random);
  shuffle(masks.subarray(0, labelled), random);
  repair(masks.subarray(0, labelled), targets);
  shuffle(masks, random);
  return masks;
}

interface Weight {
  readonly mask: number;
  weight: number;
}

/** Expected counts of the non-empty combinations whose label sums are `targets` and whose sum is `total`. */
function fitCombinations(targets: readonly number[], total: number): Weight[] {
  const weights = chestXray14Combinations()
    .filter(({ mask }) => mask !== 0)
    .map(({ mask, count }): Weight => ({ mask, weight: count }));
  const scaleTo = (target: number, members: readonly Weight[]) => {
    const sum = members.reduce((s, { weight }) => s + weight, 0);
    if (sum > 0) for (const member of members) member.weight *= target / sum;
  };
  const byLabel = targets.map((_, label) => weights.filter(({ mask }) => (mask >> label) & 1));
  for (let round = 0; round < FITTING_ROUNDS; round++) {
    byLabel.forEach((members, label) => scaleTo(targets[label], members));
    scaleTo(total, weights);
  }
  return weights;
}

/** Fills `masks` so that each combination occurs as often as its weight, rounded up or down. */
function sampleSystematically(weights: readonly Weight[], masks: Uint16Array, random: Random): void {
  const start = random.between(0, 1);
  let sum = 0;
  let drawn = 0;
  for (const { mask, weight } of weights) {
    sum += weight;
    while (drawn < masks.length && drawn + start < sum) masks[drawn++] = mask;
  }
  // Rounding of the sum may leave the last one undrawn.
  while (drawn < masks.length) masks[drawn++] = 1 << (drawn % LABELS);
}

/** Adds, removes or exchanges one label per image until each label meets its target. No image loses its last label. */
function repair(masks: Uint16Array, targets: readonly number[]): void {
  const surplus = targets.map((target, label) => masks.reduce((n, mask) => n + ((mask >> label) & 1), -target));
  for (const exchangeOnly of [true, false]) {
    for (let i = 0; i < masks.length && surplus.some((n) => n !== 0); i++) {
      const excess = surplus.findIndex((n, label) => n > 0 && (masks[i] >> label) & 1);
      const lacking = surplus.findIndex((n, label) => n < 0 && !((masks[i] >> label) & 1));
      const many = (masks[i] & (masks[i] - 1)) !== 0;
      const remove = excess >= 0 && (exchangeOnly ? lacking >= 0 : many);
      const add = lacking >= 0 && (exchangeOnly ? excess >= 0 : !remove);
      if (remove) {
        masks[i] ^= 1 << excess;
        surplus[excess]--;
      }
      if (add) {
        masks[i] |= 1 << lacking;
        surplus[lacking]++;
      }
    }
  }
}

/** Fisher-Yates shuffle. */
function shuffle(values: Uint16Array, random: Random): void {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [values[i], values[j]] = [values[j], values[i]];
  }
}
