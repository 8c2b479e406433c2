/**
 * A model with its weights as float16, and what that changes: measured on synthetic images before a file is written,
 * since it follows from the weights. Not here: the rounding (weights/half.ts).
 */
import { ChestMnistError } from '../base/errors';
import { shellWord } from '../base/shell';
import { synthesize } from '../data';
import { viewOf } from '../data/expand';
import { scoresOf } from '../metrics/loss';
import { resolveOptions } from '../recipe/resolve';
import { rounded } from '../weights/half';
import { eachLogits, hold, type Model } from './model';

const IMAGES = 32;
/** Of a probability. */
const MOST = 1e-3;

/**
 * `model` with rounded weights, and the largest change of a probability that this makes, in any member. `target` is what
 * the user calls it. Throws ERR_WEIGHTS when a weight is beyond float16 or the change is above 0.001, and as loading the
 * addon does.
 */
export async function halved(model: Model, target: string): Promise<{ model: Model; change: number }> {
  const half = { ...model, states: model.states.map(rounded) };
  const side = model.imageSize ?? 28;
  // Synthetic images have an even side of 28 to 224; the network sees them at the side of its own input all the same.
  const size = 2 * Math.round(Math.min(224, Math.max(28, side)) / 2);
  const { test } = synthesize({ size, counts: { train: 1, val: 1, test: IMAGES } }).splits;
  const { device, threads } = resolveOptions({ device: 'cpu' });
  const trainer = await hold({ ...model, inputSize: model.inputSize ?? side }, test, { device, threads });
  try {
    const scores = async (of: Model): Promise<Float64Array[]> => {
      const logits = await eachLogits(of, target, async (_, state) => {
        await trainer.loadStateDict(state);
        return trainer.predict({ images: viewOf(test), batchSize: IMAGES });
      });
      return logits!.map((one) => scoresOf(model.task ?? undefined, one, model.labels.length));
    };
    const [exact, near] = [await scores(model), await scores(half)];
    let change = 0;
    exact.forEach((member, m) =>
      member.forEach((score, i) => (change = Math.max(change, Math.abs(score - near[m][i])))),
    );
    if (change <= MOST) return { model: half, change };
    throw new ChestMnistError('ERR_WEIGHTS', {
      found: `with the weights of ${shellWord(target)} as float16, a probability changes by ${change.toPrecision(2)} on ${IMAGES} synthetic images`,
      needed: `a change of at most ${MOST} for --half`,
      next: 'leave --half out',
    });
  } finally {
    await trainer.dispose();
  }
}
