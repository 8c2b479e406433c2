/**
 * Fits loaded weights to a freshly initialised model: keeps the backbone, replaces the head when the label count
 * differs, and reports what it replaced. Any other difference is an error.
 */
import type { StateDict, StateEntry } from '../engine/contract';
import { shown, weightsError } from './errors';
import type { Source } from './foreign';
import { checkState, stemOf, withCounters } from './state';

const isHead = ({ name }: StateEntry) => name === 'fc.weight' || name === 'fc.bias';

/**
 * The state whose logits are those of `state` divided by a temperature per label: its head is divided by them. So every
 * program that has the weights gives calibrated probabilities.
 */
export const withTemperatures = (state: StateDict, temperatures: readonly number[]): StateDict =>
  state.map((entry) => {
    if (!isHead(entry)) return entry;
    const width = entry.data.length / temperatures.length;
    return {
      ...entry,
      data: (entry.data as Float32Array).map((value, i) => value / temperatures[Math.floor(i / width)]),
    };
  });

function checkStem(state: StateDict, expected: StateDict): void {
  const shape = (of: StateDict) => of.find(({ name }) => name === 'conv1.weight')?.shape ?? [];
  const [found, needed] = [stemOf(shape(state)), stemOf(shape(expected))];
  if (found === undefined || needed === undefined || found === needed) return;
  throw weightsError({
    found: `weights with the ${found} stem: conv1.weight is [${shape(state).join(', ')}]`,
    needed: `the ${needed} stem of this model: conv1.weight [${shape(expected).join(', ')}]`,
    next: `use --stem ${found}, or weights trained with --stem ${needed}`,
  });
}

/**
 * `state` made to fit `expected`, the state dict of the model it will be loaded into (F32 and I64, torchvision's
 * names).
 * - Another label count, no head, or a head that is not one linear layer: fc.weight and fc.bias are taken from
 *   `expected`, and a note reports it.
 * - No num_batches_tracked at all (old files): they start at 0, as in PyTorch, and a note reports it.
 * - Anything else that differs: ERR_WEIGHTS with the first differences.
 * Returns entries in the order of `expected`; values are shared, not copied.
 */
export function fitHead(
  state: StateDict,
  expected: StateDict,
  source?: Source,
): { state: StateDict; notes: string[]; keptHead: boolean } {
  checkStem(state, expected);
  const notes: string[] = [];
  const beyond = source?.beyond ?? [];
  let fitted = state;

  const labelCount = (of: StateDict) => of.find(({ name }) => name === 'fc.bias')?.shape[0];
  const [found, needed] = [labelCount(state), labelCount(expected)];
  const isHeadless = beyond.length > 0 || !state.some(isHead);
  const keptHead = found === needed && !isHeadless;
  if (isHeadless || (found !== undefined && found !== needed)) {
    const what = !isHeadless
      ? `the head of the weights has ${found} labels, the model ${needed}`
      : beyond.length > 0
        ? `the head of the weights is not one linear layer (${beyond.slice(0, 3).map(shown).join(', ')})`
        : 'the weights have no head';
    fitted = [...fitted.filter((entry) => !isHead(entry) && !beyond.includes(entry.name)), ...expected.filter(isHead)];
    notes.push(`${what}: fc.weight and fc.bias are newly initialised`);
  }
  const counted = withCounters(fitted, expected);
  if (counted !== fitted) notes.push('the weights have no num_batches_tracked (an old file): the counters start at 0');
  return { state: checkState(counted, expected, source), notes, keptHead };
}
